"""Planning what is to change of a webhook endpoint."""

from typing import Any

import pytest

from app.domain.stripe_object import SYNCED_TYPES
from app.domain.stripe_setup import (
    AccountAccess,
    SetupAction,
    SetupChange,
    SetupFindingCode,
    SetupPlan,
    WebhookEndpoint,
    access_findings,
    events_about,
    plan_endpoint,
)

URL = "https://billing.example/webhooks/stripe"
EVENTS = ("customer.created", "price.created")
VERSION = "2026-10-28.endive"


def endpoint(id: str = "we_1", **fields: Any) -> WebhookEndpoint:
    given = {"url": URL, "enabled_events": EVENTS, "is_enabled": True, "api_version": VERSION, "created_at": 1000}
    return WebhookEndpoint(id=id, **{**given, **fields})


def planned(*there: WebhookEndpoint) -> SetupPlan:
    return plan_endpoint(there, URL, EVENTS, api_version=VERSION)


def codes(plan: SetupPlan) -> list[tuple[SetupFindingCode, str | None]]:
    return [(finding.code, finding.endpoint_id) for finding in plan.findings]


def test_an_endpoint_that_is_not_there_is_created() -> None:
    assert planned(endpoint(url="https://other.example")) == SetupPlan(
        changes=(SetupChange(action=SetupAction.CREATE, added=EVENTS),)
    )


def test_one_that_is_as_it_should_be_stays() -> None:
    assert planned(endpoint()) == SetupPlan(endpoint=endpoint())


@pytest.mark.parametrize(
    ("has", "added", "removed"),
    [
        pytest.param(("customer.created",), ("price.created",), (), id="too few"),
        pytest.param((*EVENTS, "payout.paid"), (), ("payout.paid",), id="too many"),
        pytest.param(("*",), EVENTS, ("*",), id="all there are"),
    ],
)
def test_its_events_become_ours(has: tuple[str, ...], added: tuple[str, ...], removed: tuple[str, ...]) -> None:
    change = SetupChange(action=SetupAction.SET_EVENTS, endpoint_id="we_1", added=added, removed=removed)

    assert planned(endpoint(enabled_events=has)).changes == (change,)


def test_one_that_was_disabled_is_enabled() -> None:
    assert planned(endpoint(is_enabled=False)).changes == (SetupChange(action=SetupAction.ENABLE, endpoint_id="we_1"),)


@pytest.mark.parametrize("version", ["2020-08-27", None])
def test_another_api_version_is_told_and_left(version: str | None) -> None:
    plan = planned(endpoint(api_version=version))

    assert plan.changes == ()
    assert codes(plan) == [(SetupFindingCode.OTHER_API_VERSION, "we_1")]


def test_of_several_with_the_address_the_one_that_works_best_is_kept_and_the_others_are_told() -> None:
    disabled = endpoint("we_1", is_enabled=False, created_at=1)
    old = endpoint("we_2", api_version="2020-08-27", created_at=2)
    right, twin = endpoint("we_3", created_at=3), endpoint("we_4", created_at=4)

    plan = planned(twin, disabled, right, old)

    assert (plan.endpoint, plan.changes) == (right, ())
    assert codes(plan) == [(SetupFindingCode.DUPLICATE_ENDPOINT, name) for name in ("we_4", "we_2", "we_1")]


@pytest.mark.parametrize(
    ("access", "livemode", "found"),
    [
        pytest.param(AccountAccess(None, ()), True, [], id="an empty account tells no mode"),
        pytest.param(AccountAccess(True, ()), True, [], id="as it should be"),
        pytest.param(AccountAccess(False, ()), True, [SetupFindingCode.OTHER_MODE], id="a live key, test objects"),
        pytest.param(AccountAccess(True, ()), False, [SetupFindingCode.OTHER_MODE], id="a test key, live objects"),
        pytest.param(
            AccountAccess(False, ("rak_price_read", "rak_event_read")),
            False,
            [SetupFindingCode.MISSING_PERMISSION] * 2,
            id="a restricted key",
        ),
    ],
)
def test_a_key_that_will_not_do_is_told(
    access: AccountAccess, *, livemode: bool, found: list[SetupFindingCode]
) -> None:
    findings = access_findings(access, livemode=livemode)

    assert [finding.code for finding in findings] == found
    assert all(name in finding.message for name, finding in zip(access.missing, findings, strict=False))


def test_every_type_that_is_synced_has_its_events_and_none_comes_twice() -> None:
    events = events_about(SYNCED_TYPES)

    assert {event.split(".")[0] for event in events} >= {"customer", "product", "price"}
    assert "customer.subscription.trial_will_end" in events
    assert len(set(events)) == len(events)
