"""`entitled stripe reconcile` at a server that answers what a test tells it, and at the real one."""

import json
from typing import Any

import pytest
from support.command import Command
from support.graphql_server import FakeGraphQL

SINCE = "2026-11-01T00:00:00Z"
RECONCILE = ("stripe", "reconcile", "--since", SINCE)
ASKED = {"data": {"reconcileStripe": {"__typename": "ReconcileStripePayload", "replayed": False, "sinceAt": SINCE}}}


def told(asked: str | None = None, *drifted: str) -> dict[str, Any]:
    found = [{"type": "subscription", "id": name, "foundAt": SINCE} for name in drifted]
    state = {"askedSinceAt": asked, "listed": 12, "recovered": 3, "drift": len(found), "drifted": found}
    return {"data": {"stripeReconcile": state}}


def test_it_is_asked_for_and_waited_for(entitled: Command, server: FakeGraphQL) -> None:
    loading = {"errors": [{"message": "loading", "extensions": {"code": "NOT_READY"}}]}
    server.first = [ASKED, told(SINCE), loading]
    server.answer = told(None, "sub_1")

    ran = entitled(*RECONCILE)

    assert ran.code == 0
    assert ran.out.splitlines()[0] == f"12 events since {SINCE}, 3 recovered in all"
    assert "subscription  sub_1" in ran.out
    assert server.requests[0]["variables"]["input"]["since"] == SINCE
    assert len(server.requests) == 4


def test_nothing_that_drifted_is_said_too(entitled: Command, server: FakeGraphQL) -> None:
    server.first = [ASKED]
    server.answer = told()

    assert "Changed without an event: none" in entitled(*RECONCILE).out


def test_a_program_gets_all_of_it(entitled: Command, server: FakeGraphQL) -> None:
    server.first = [ASKED]
    server.answer = told()

    ran = entitled("stripe", "reconcile", "--json")

    assert json.loads(ran.out)["listed"] == 12
    assert server.requests[0]["variables"]["input"]["since"].endswith("Z")


@pytest.mark.usefixtures("service")
def test_a_service_without_a_stripe_key_says_what_to_set(entitled: Command) -> None:
    ran = entitled("stripe", "reconcile")

    assert (ran.code, "STRIPE_SECRET_KEY" in ran.err) == (78, True)


@pytest.mark.usefixtures("service")
def test_a_time_that_is_none_is_refused(entitled: Command) -> None:
    assert entitled("stripe", "reconcile", "--since", "yesterday").code == 2
