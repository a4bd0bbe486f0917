"""What one-time checkouts buy."""

from decimal import Decimal
from typing import Any

import pytest
from support.records import DAY, NOW, credit, feature, limit, plan

from app.domain.grant import GrantSource
from app.domain.plan import Catalogue, FeatureType, PlanFeature, PlanKind, PlanPrice, ResetPeriod, ValueType
from app.domain.stripe_facts import CheckoutSessionFacts, SessionLine
from sync.stripe.purchases import bought, unsold

FEATURES = (
    credit("credits"),
    feature("api_calls"),
    feature("sso", FeatureType.BOOLEAN),
    feature("region", FeatureType.CONFIG, value_type=ValueType.STRING),
)
PACK = SessionLine(id="li_1", price_id="price_pack", lookup_key="pack", quantity=3)


def add_on(*features: PlanFeature, version: int = 1, published_at: int = NOW - DAY, **fields: Any) -> Catalogue:
    sold = plan(
        "pack",
        *features,
        plan_version=version,
        published_at=published_at,
        **{"kind": PlanKind.ADD_ON, "prices": (PlanPrice(lookup_key="pack"),), **fields},
    )
    return Catalogue(FEATURES, (sold,))


def session(**fields: Any) -> CheckoutSessionFacts:
    known = {"mode": "payment", "status": "complete", "payment_status": "paid", "lines": (PACK,), "created_at": NOW}
    return CheckoutSessionFacts(**{**known, **fields})


CREDITS = limit("credits", 100, ResetPeriod.NEVER)


def test_credits_are_granted_times_the_quantity() -> None:
    (grant,) = bought("cs_1", session(), "ws_1", add_on(CREDITS), NOW + 5)

    assert (grant.feature_key, grant.amount, grant.source) == ("credits", Decimal(300), GrantSource.TOP_UP)
    assert (grant.workspace_id, grant.effective_at, grant.expires_at) == ("ws_1", NOW + 5, None)


def test_each_grant_has_an_id_of_its_own_and_always_the_same() -> None:
    lines = (PACK, SessionLine(id="li_2", price_id="price_pack", lookup_key="pack"))
    catalogue = add_on(CREDITS, limit("api_calls", 5, ResetPeriod.NEVER))

    once = [grant.id for grant in bought("cs_1", session(lines=lines), "ws_1", catalogue, NOW)]
    again = [grant.id for grant in bought("cs_1", session(lines=lines), "ws_1", catalogue, NOW + DAY)]
    other = [grant.id for grant in bought("cs_2", session(lines=lines), "ws_1", catalogue, NOW)]

    assert once == again
    assert len({*once, *other}) == 8


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"payment_status": "unpaid"}, id="not paid yet"),
        pytest.param({"status": "open", "payment_status": "unpaid"}, id="open"),
        pytest.param({"status": "expired", "payment_status": "unpaid"}, id="expired"),
        pytest.param({"mode": "subscription"}, id="renews"),
        pytest.param({"mode": "setup", "payment_status": "no_payment_required"}, id="buys nothing"),
    ],
)
def test_nothing_is_granted_that_was_not_bought_once_and_paid(fields: dict[str, Any]) -> None:
    assert list(bought("cs_1", session(**fields), "ws_1", add_on(CREDITS), NOW)) == []


def test_a_session_that_needed_no_payment_is_paid() -> None:
    free = session(payment_status="no_payment_required")

    assert len(list(bought("cs_1", free, "ws_1", add_on(CREDITS), NOW))) == 1


def test_a_price_that_no_add_on_names_is_told() -> None:
    as_plan = add_on(CREDITS, kind=PlanKind.PLAN)

    assert list(bought("cs_1", session(), "ws_1", as_plan, NOW)) == []
    assert unsold(session(), as_plan) == unsold(session(), Catalogue(FEATURES, ())) == ("pack",)
    assert unsold(session(), add_on(CREDITS)) == unsold(session(mode="subscription"), as_plan) == ()


def test_whatever_an_add_on_has_is_granted() -> None:
    features = (
        limit("credits", None, ResetPeriod.NEVER),
        limit("api_calls", 5, ResetPeriod.MONTH),
        PlanFeature(feature_key="sso"),
        PlanFeature(feature_key="region", value="eu"),
    )

    found = {grant.feature_key: grant for grant in bought("cs_1", session(), "ws_1", add_on(*features), NOW)}

    assert (found["credits"].unlimited, found["credits"].amount) == (True, None)
    assert (found["api_calls"].amount, found["api_calls"].reset_period) == (Decimal(15), ResetPeriod.MONTH)
    assert (found["sso"].unlimited, found["sso"].amount, found["sso"].value) == (False, None, None)
    assert found["region"].value == "eu"


def test_what_is_bought_once_has_no_billing_cycle() -> None:
    (grant,) = bought("cs_1", session(), "ws_1", add_on(limit("credits", 1, ResetPeriod.BILLING_CYCLE)), NOW)

    assert grant.reset_period is ResetPeriod.NEVER


def test_of_several_periods_the_first_counts() -> None:
    twice = add_on(limit("api_calls", 5, ResetPeriod.DAY), limit("api_calls", 50, ResetPeriod.MONTH))

    assert [grant.amount for grant in bought("cs_1", session(), "ws_1", twice, NOW)] == [Decimal(15)]
