"""Reconciling with Stripe as callers see it."""

from dataclasses import replace

from support.api import Api
from support.records import NOW
from support.runtime import FakeStripe, running

from app.domain.stripe_reconcile import StripeReconcile, Suspect
from app.services.stripe_reconcile import JOB

SHOW = """{ stripeReconcile { watchingSinceAt askedSinceAt lastReconcileAt lastRelistAt listed recovered drift
    drifted { type id foundAt } } }"""
ASK = """mutation($since: DateTime!) { reconcileStripe(input: { idempotencyKey: "k", since: $since }) {
    __typename ... on ReconcileStripePayload { sinceAt replayed } ... on UserError { code message path } } }"""
NOW_TEXT = "2026-09-21T14:13:20.000Z"
YESTERDAY = "2026-09-20T14:13:20.000Z"


async def test_before_the_first_time_there_is_nothing() -> None:
    assert (await Api().data(SHOW))["stripeReconcile"] is None


async def test_what_was_found_is_told() -> None:
    api = Api()
    state = StripeReconcile(
        watching_since_at=NOW,
        seen_at=NOW,
        last_reconcile_at=NOW,
        listed=5,
        recovered=2,
        drift=101,
        drifted=(Suspect("subscription", "sub_1", NOW - 1000, NOW),),
    )
    await api.jobs.write(JOB, state, revision=0)

    assert (await api.data(SHOW))["stripeReconcile"] == {
        "watchingSinceAt": NOW_TEXT,
        "askedSinceAt": None,
        "lastReconcileAt": NOW_TEXT,
        "lastRelistAt": None,
        "listed": 5,
        "recovered": 2,
        "drift": 101,
        "drifted": [{"type": "subscription", "id": "sub_1", "foundAt": NOW_TEXT}],
    }


async def test_it_is_asked_for_once(mongodb_uri: str, database: str) -> None:
    async with running(mongodb_uri, database) as rt:
        api = Api(replace(rt, stripe=FakeStripe()))

        first = (await api.data(ASK, {"since": YESTERDAY}))["reconcileStripe"]
        again = (await api.data(ASK, {"since": YESTERDAY}))["reconcileStripe"]
        shown = (await api.data(SHOW))["stripeReconcile"]

        assert first == {"__typename": "ReconcileStripePayload", "sinceAt": YESTERDAY, "replayed": False}
        assert again == {**first, "replayed": True}
        assert shown["askedSinceAt"] == YESTERDAY


async def test_a_time_that_stripe_lists_nothing_of_is_refused(mongodb_uri: str, database: str) -> None:
    async with running(mongodb_uri, database) as rt:
        api = Api(replace(rt, stripe=FakeStripe()))

        refused = (await api.data(ASK, {"since": "2026-08-20T00:00:00Z"}))["reconcileStripe"]

        assert (refused["code"], refused["path"]) == ("VALIDATION_FAILED", ["input", "since"])
