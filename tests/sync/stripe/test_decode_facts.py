import copy
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.stripe import DAY, T0, Json, customer, price, product
from support.stripe_shapes import (
    active_entitlements,
    charge,
    checkout_session,
    coupon,
    dispute,
    invoice,
    invoice_before_basil,
    meter,
    payment_intent,
    promotion_code,
    promotion_code_before_clover,
    refund,
    schedule,
)

from app.domain.stripe_facts import (
    ActiveEntitlementsFacts,
    ChargeFacts,
    CheckoutSessionFacts,
    CouponFacts,
    CustomerFacts,
    DisputeFacts,
    PaymentIntentFacts,
    PriceFacts,
    PriceTier,
    ProductFacts,
    PromotionCodeFacts,
    RefundFacts,
    ScheduleFacts,
    SessionLine,
    StripeFacts,
)
from app.domain.stripe_object import SYNCED_TYPES, StripeObject, StripeSource
from app.store.mapping import from_document, to_document
from sync.stripe.decode_facts import decode_facts
from sync.stripe.wire import DecodeError

FEATURES = {"object": "list", "data": [{"id": "pf_1", "entitlement_feature": {"id": "feat_1", "lookup_key": "sso"}}]}
EVERY = (
    customer(workspace="ws_1", email="a@example.com"),
    product(entitlement_features=FEATURES),
    price(tiers=[{"up_to": None, "unit_amount_decimal": "0.5", "flat_amount": None}]),
    coupon(),
    promotion_code(),
    meter(),
    schedule(),
    invoice(),
    invoice_before_basil(invoice("in_1", "open")),
    checkout_session(),
    payment_intent(status="requires_payment_method", last_payment_error={"code": "card_declined"}),
    charge(),
    refund(),
    dispute(),
    active_entitlements("sso", "api"),
)


def read(told: Json, before: StripeFacts | None = None) -> Any:
    return decode_facts(told["object"], json.dumps(told), before)


def test_every_type_that_is_mirrored_has_facts_but_for_subscriptions() -> None:
    assert {told["object"] for told in EVERY} | {"subscription"} == set(SYNCED_TYPES)
    assert all(read(told) is not None for told in EVERY)


@pytest.mark.parametrize("type", ["subscription", "something.new"])
def test_a_type_without_facts_has_none(type: str) -> None:
    assert decode_facts(type, "{}") is None


def test_a_customer() -> None:
    told = customer(workspace=" ws_1 ", name="Ann", email="a@example.com", currency="eur", delinquent=True)

    assert read(told) == CustomerFacts(
        name="Ann",
        email="a@example.com",
        currency="eur",
        delinquent=True,
        workspace_ref="ws_1",
        created_at=T0 * 1000,
    )


KEPT = [
    pytest.param(product(entitlement_features=FEATURES), "entitlement_features", "features", id="features"),
    pytest.param(price(tiers=[{"up_to": 5, "unit_amount": 1}]), "tiers", "tiers", id="tiers"),
    pytest.param(coupon(), "applies_to", "product_ids", id="products of a coupon"),
    pytest.param(checkout_session(), "line_items", "lines", id="lines of a checkout"),
    pytest.param(invoice(), "payments", "payments", id="payments"),
]


@pytest.mark.parametrize(("told", "field", "fact"), KEPT)
def test_what_only_an_expanded_object_holds_stays_where_it_is_left_out(told: Json, field: str, fact: str) -> None:
    before = read(told)
    short = {key: value for key, value in told.items() if key != field}

    assert getattr(before, fact)
    assert getattr(read(short, before), fact) == getattr(before, fact)
    assert getattr(read(short), fact) == ()


def test_tiers_and_a_meter() -> None:
    told = price(
        unit_amount=None,
        recurring={"interval": "month", "interval_count": 3, "usage_type": "metered", "meter": "mtr_1"},
        tiers_mode="graduated",
        tiers=[
            {"up_to": 10, "unit_amount": 5, "unit_amount_decimal": "5", "flat_amount": None},
            {"up_to": None, "unit_amount": None, "unit_amount_decimal": "0.125", "flat_amount": 100},
        ],
    )

    assert read(told) == PriceFacts(
        product_id="prod_pro",
        currency="usd",
        lookup_key="pro_monthly",
        interval="month",
        interval_count=3,
        is_metered=True,
        meter_id="mtr_1",
        tiers_mode="graduated",
        tiers=(
            PriceTier(up_to=10, unit_amount=Decimal(5)),
            PriceTier(unit_amount=Decimal("0.125"), flat_amount=Decimal(100)),
        ),
        created_at=T0 * 1000,
    )


def test_a_product_is_given_the_lookup_keys_of_its_features() -> None:
    assert read(product(active=False, entitlement_features=FEATURES)) == ProductFacts(
        name="Pro", active=False, features=("sso",), created_at=T0 * 1000
    )


def test_a_coupon() -> None:
    assert read(coupon()) == CouponFacts(
        name="A quarter off",
        percent_off=Decimal("25.5"),
        duration="repeating",
        duration_months=3,
        times_redeemed=2,
        product_ids=("prod_pro",),
        created_at=T0 * 1000,
    )


@pytest.mark.parametrize("of_coupon", ["co_1", coupon("co_1")], ids=["id", "expanded"])
def test_a_promotion_code_reads_the_same_in_both_shapes(of_coupon: Any) -> None:
    told = promotion_code(promotion={"type": "coupon", "coupon": of_coupon})

    assert read(told) == read(promotion_code_before_clover(promotion_code()))
    assert read(told) == PromotionCodeFacts(code="HELLO", coupon_id="co_1", created_at=T0 * 1000)


def test_a_checkout_names_its_workspace_and_its_lines() -> None:
    facts = read(checkout_session(workspace=None, metadata={"workspace_id": "ws_9"}))

    assert isinstance(facts, CheckoutSessionFacts)
    assert (facts.workspace_ref, facts.is_paid) == ("ws_9", True)
    assert facts.lines == (
        SessionLine(id="li_1", price_id="price_pro", lookup_key="pro_monthly", product_id="prod_pro", quantity=1),
    )


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(payment_intent(), id="since"),
        pytest.param(
            {**payment_intent(), "latest_charge": None, "charges": {"data": [charge()]}}, id="with its charges"
        ),
    ],
)
def test_a_payment_knows_its_latest_charge(told: Json) -> None:
    assert read(told) == PaymentIntentFacts(
        status="succeeded",
        amount=1000,
        amount_received=1000,
        currency="usd",
        customer_id="cus_1",
        latest_charge_id="ch_1",
        created_at=T0 * 1000,
    )


def test_a_payment_that_failed_says_why() -> None:
    error = {"code": "card_declined", "decline_code": "insufficient_funds", "message": "No.", "type": "card_error"}

    facts = read(payment_intent(status="requires_payment_method", last_payment_error=error))

    assert (facts.failure_code, facts.decline_code, facts.failure_message) == (
        "card_declined",
        "insufficient_funds",
        "No.",
    )


@pytest.mark.parametrize("named", ["in_1", {"id": "in_1", "object": "invoice"}], ids=["id", "expanded"])
@pytest.mark.parametrize("told", [charge(), payment_intent()], ids=["charge", "payment_intent"])
def test_before_basil_a_payment_names_its_invoice(told: Json, named: Any) -> None:
    assert read({**told, "invoice": named}).invoice_id == "in_1"
    assert read(told).invoice_id is None


def test_a_charge_tells_its_own_refunds() -> None:
    facts = read(charge(amount_refunded=400, refunds={"data": [refund(), refund("re_2")]}))

    assert isinstance(facts, ChargeFacts)
    assert (facts.amount_refunded, facts.refunded) == (400, False)


def test_a_charge_of_the_time_before_it_had_a_status() -> None:
    old = {key: value for key, value in charge().items() if key not in ("status", "amount_captured", "disputed")}

    facts = read({**old, "dispute": "dp_1"})

    assert (facts.status, facts.amount_captured, facts.disputed) == ("succeeded", 1000, True)


@pytest.mark.parametrize("type", ["refund", "dispute"])
def test_an_expanded_charge_says_whose_money_it_is(type: str) -> None:
    told = {"id": "x_1", "object": type, "status": "lost", "amount": 5, "currency": "usd"}

    named = decode_facts(type, json.dumps({**told, "charge": {"id": "ch_1", "customer": "cus_1"}}))
    unnamed = decode_facts(type, json.dumps({**told, "charge": "ch_1"}))

    assert isinstance(named, RefundFacts | DisputeFacts)
    assert isinstance(unnamed, RefundFacts | DisputeFacts)
    assert (named.charge_id, named.customer_id) == ("ch_1", "cus_1")
    assert (unnamed.charge_id, unnamed.customer_id) == ("ch_1", None)


@pytest.mark.parametrize("told", [product(), price(), coupon(), promotion_code()], ids=lambda told: told["object"])
def test_what_is_sold_says_since_when(told: Json) -> None:
    facts: Any = decode_facts(told["object"], json.dumps({**told, "created": T0}))

    assert facts.created_at == T0 * 1000


def test_a_dispute_says_until_when_evidence_is_due() -> None:
    facts = read(dispute())

    assert isinstance(facts, DisputeFacts)
    assert facts.evidence_due_at == (T0 + 7 * DAY) * 1000


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({}, id="items"),
        pytest.param({"subscription": None, "released_subscription": "sub_1"}, id="released"),
    ],
)
def test_a_schedule(changed: Json) -> None:
    facts = read(schedule(**changed))

    assert isinstance(facts, ScheduleFacts)
    assert facts.subscription_id == "sub_1"
    assert [(phase.start_at, phase.price_ids) for phase in facts.phases] == [(T0 * 1000, ("price_pro",))]


def test_active_entitlements_are_the_same_in_any_order() -> None:
    assert read(active_entitlements("sso", "api")) == ActiveEntitlementsFacts(
        customer_id="cus_1", lookup_keys=("api", "sso")
    )
    assert read(active_entitlements("api", "sso")) == read(active_entitlements("sso", "api"))


def test_the_first_page_of_active_entitlements_is_not_all_of_them() -> None:
    assert not read(active_entitlements("sso", has_more=True)).is_complete
    assert read(active_entitlements("sso")).is_complete


EXPANDED: dict[str, Json] = {
    "customer": {"id": "cus_1", "object": "customer", "deleted": True},
    "subscription": {"id": "sub_1", "object": "subscription"},
    "charge": {"id": "ch_1", "object": "charge"},
    "payment_intent": {"id": "pi_1", "object": "payment_intent"},
    "latest_charge": {"id": "ch_1", "object": "charge"},
    "product": {"id": "prod_pro", "object": "product", "name": "Pro"},
}


@pytest.mark.parametrize("told", EVERY, ids=[told["object"] for told in EVERY])
def test_expanded_objects_read_like_ids(told: Json) -> None:
    expanded = {
        key: EXPANDED[key] if key in EXPANDED and isinstance(value, str) else value for key, value in told.items()
    }

    assert read(expanded) == read(told)


@pytest.mark.parametrize("told", EVERY, ids=[told["object"] for told in EVERY])
def test_what_stripe_adds_does_not_matter(told: Json) -> None:
    assert read({**told, "a_new_field": {"deep": [1, None]}}) == read(told)


@pytest.mark.parametrize("told", EVERY, ids=[told["object"] for told in EVERY])
def test_what_is_read_can_be_stored_and_read_back(told: Json) -> None:
    mirror = StripeObject(
        id="x", version=1, incarnation="i", type=told["object"], raw="", source=StripeSource.FETCH, facts=read(told)
    )

    assert from_document(StripeObject.KIND, to_document(mirror)) == mirror


@pytest.mark.parametrize(
    ("told", "wrong"),
    [
        pytest.param(invoice(), {"total": 10.5}, id="a fraction of a cent"),
        pytest.param(invoice(), {"total": "1000"}, id="an amount in words"),
        pytest.param(charge(), {"amount": 2**60}, id="more than anybody has"),
        pytest.param(charge(), {"id": ""}, id="no id"),
        pytest.param(charge(), {"payment_intent": "pi 1"}, id="an id with a space"),
        pytest.param(refund(), {"charge": 7}, id="an id that is a number"),
        pytest.param(price(), {"unit_amount_decimal": "NaN"}, id="not a number"),
        pytest.param(price(), {"unit_amount_decimal": "1E+999999"}, id="beyond any number"),
        pytest.param(coupon(), {"redeem_by": 10**15}, id="beyond the calendar"),
    ],
)
def test_ids_amounts_and_times_are_believed_only_as_they_should_be(told: Json, wrong: Json) -> None:
    with pytest.raises(DecodeError):
        read({**told, **wrong})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def nearly_objects(draw: st.DrawFn) -> tuple[str, str]:
    chosen = draw(st.sampled_from(EVERY))
    told = copy.deepcopy(chosen)
    for _ in range(draw(st.integers(1, 3))):
        target = draw(st.sampled_from(_objects_in(told)))
        key = draw(st.sampled_from(sorted(target)))
        if draw(st.booleans()):
            del target[key]
        else:
            target[key] = draw(JSON)
        if not target:
            break
    return chosen["object"], json.dumps(told)


def _objects_in(value: Any) -> list[Json]:
    if isinstance(value, list):
        return [found for one in value for found in _objects_in(one)]
    if not isinstance(value, dict):
        return []
    inner = [found for one in value.values() for found in _objects_in(one)]
    return ([value] if value else []) + inner or [{"": 0}]


@given(nearly_objects())
def test_decoding_raises_nothing_but_decode_error_and_what_it_reads_can_be_stored(told: tuple[str, str]) -> None:
    type_, raw = told
    try:
        facts = decode_facts(type_, raw)
    except DecodeError:
        return
    mirror = StripeObject(
        id="x", version=1, incarnation="i", type=type_, raw="", source=StripeSource.FETCH, facts=facts
    )
    assert from_document(StripeObject.KIND, to_document(mirror)) == mirror
