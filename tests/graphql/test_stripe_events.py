"""What operators see of Stripe's events, and what they do with them."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from support.api import Api
from support.records import NOW
from support.runtime import running

from app.domain.stripe_event import (
    Discard,
    QueuedObject,
    StripeEvent,
    StripeEventFilter,
    StripeEventStatus,
    StripeObjectState,
)
from app.domain.sync_status import (
    CacheStatus,
    ReconcileStatus,
    StripeBacklog,
    StripeBackoff,
    StripeSyncMode,
    StripeSyncStatus,
    SyncStatus,
)

E = StripeEventStatus
REFUSED = "... on UserError { code message path } ... on ValidationError { fields { path code } }"
LIST = """query($type: String, $objectId: ID, $from: DateTime, $to: DateTime, $failed: Boolean! = false,
                $after: String) {
  stripeEvents(type: $type, objectId: $objectId, from: $from, to: $to, failed: $failed, first: 2, after: $after) {
    nodes { id queued { state } } pageInfo { hasNextPage endCursor } } }"""
SHOW = """query($id: ID!) { stripeEvent(id: $id) {
  id status attempts reason objectType objectId discard { by reason }
  timeline { receivedAt firstFetchedAt writtenAt appliedAt settledAt }
  queued { type id state markedAt dueAt attempts parkedUnder lastError failedAt } } }"""
REPLAY = f"""mutation($input: ReplayStripeEventsInput!) {{ replayStripeEvents(input: $input) {{
  __typename {REFUSED}
  ... on ReplayStripeEventsPayload {{ marked events objects {{ type id }} hasMore endCursor dryRun replayed }} }} }}"""
DISCARD = f"""mutation($input: DiscardStripeEventsInput!) {{ discardStripeEvents(input: $input) {{
  __typename {REFUSED} ... on DiscardStripeEventsPayload {{ events objects replayed }} }} }}"""


@pytest.fixture
def api() -> Api:
    return Api()


def event(number: int = 1, **fields: Any) -> StripeEvent:
    made: dict[str, Any] = {
        "id": f"evt_{number}",
        "type": "customer.updated",
        "occurred_at": NOW,
        "received_at": NOW + number,
        "payload": "{}",
        "status": E.DEAD,
        "object_type": "customer",
        "object_id": f"cus_{number}",
    }
    return StripeEvent(**{**made, **fields})


def queued(number: int = 1, **fields: Any) -> QueuedObject:
    made: dict[str, Any] = {"type": "customer", "state": StripeObjectState.DEAD, "due_at": NOW, "failed_at": NOW}
    return QueuedObject(id=f"cus_{number}", **{**made, **fields})


def stamp(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def test_filters_reach_the_inbox(api: Api) -> None:
    variables = {"type": "customer.*", "objectId": "cus_1", "from": stamp(NOW), "to": stamp(NOW + 5), "failed": True}

    await api.data(LIST, variables)

    assert api.inbox.wanted == StripeEventFilter(
        type="customer.*", object_id="cus_1", from_at=NOW, to_at=NOW + 5, failed=True
    )


async def test_a_page_leads_to_the_next_and_says_what_waits(api: Api) -> None:
    for number in range(3):
        await api.inbox.accept(event(number))
    api.inbox.queue["cus_1"] = queued()

    first = (await api.data(LIST))["stripeEvents"]
    second = (await api.data(LIST, {"after": first["pageInfo"]["endCursor"]}))["stripeEvents"]

    assert first["nodes"] == [{"id": "evt_2", "queued": None}, {"id": "evt_1", "queued": {"state": "DEAD"}}]
    assert [node["id"] for node in second["nodes"]] == ["evt_0"]
    assert second["pageInfo"]["hasNextPage"] is False


async def test_a_cursor_serves_only_the_filter_it_was_given_for(api: Api) -> None:
    for number in range(3):
        await api.inbox.accept(event(number))
    cursor = (await api.data(LIST))["stripeEvents"]["pageInfo"]["endCursor"]

    assert await api.code(LIST, {"after": cursor, "type": "customer.updated"}) == "BAD_USER_INPUT"


@pytest.mark.parametrize(
    "variables",
    [{"type": "*.updated"}, {"type": ""}, {"objectId": "\x00"}, {"from": stamp(NOW + 5), "to": stamp(NOW)}],
    ids=str,
)
async def test_a_filter_that_nothing_can_match_is_refused(api: Api, variables: dict[str, Any]) -> None:
    assert await api.code(LIST, variables) == "BAD_USER_INPUT"


async def test_an_event_tells_its_way(api: Api) -> None:
    await api.inbox.accept(
        event(
            status=E.PROCESSED,
            attempts=2,
            first_fetched_at=NOW + 2,
            written_at=NOW + 3,
            applied_at=NOW + 4,
            processed_at=NOW + 5,
        )
    )

    found = (await api.data(SHOW, {"id": "evt_1"}))["stripeEvent"]

    assert found["timeline"] == {
        "receivedAt": stamp(NOW + 1),
        "firstFetchedAt": stamp(NOW + 2),
        "writtenAt": stamp(NOW + 3),
        "appliedAt": stamp(NOW + 4),
        "settledAt": stamp(NOW + 5),
    }
    assert (found["attempts"], found["queued"], found["discard"]) == (2, None, None)


async def test_what_is_not_known_of_its_way_is_null(api: Api) -> None:
    await api.inbox.accept(event())

    timeline = (await api.data(SHOW, {"id": "evt_1"}))["stripeEvent"]["timeline"]

    assert [name for name, at in timeline.items() if at is not None] == ["receivedAt"]


async def test_an_event_tells_how_its_object_waits(api: Api) -> None:
    await api.inbox.accept(event())
    dead = {"marked_at": NOW, "failed_at": NOW + 2, "last_error": "unknown status", "attempts": 13}
    api.inbox.queue["cus_1"] = queued(**dead)
    found = (await api.data(SHOW, {"id": "evt_1"}))["stripeEvent"]["queued"]
    assert found == {
        "type": "customer",
        "id": "cus_1",
        "state": "DEAD",
        "markedAt": stamp(NOW),
        "dueAt": None,
        "attempts": 13,
        "parkedUnder": [],
        "lastError": "unknown status",
        "failedAt": stamp(NOW + 2),
    }

    api.inbox.queue["cus_1"] = queued(state=StripeObjectState.PENDING, parked_under=("ws_1",))
    found = (await api.data(SHOW, {"id": "evt_1"}))["stripeEvent"]["queued"]

    assert (found["dueAt"], found["parkedUnder"]) == (stamp(NOW), ["ws_1"])


@pytest.mark.parametrize("id", ["evt_2", "", "\x00"])
async def test_an_unknown_event_is_null(api: Api, id: str) -> None:
    assert (await api.data(SHOW, {"id": id}))["stripeEvent"] is None


async def test_a_discarded_event_tells_who_and_why(api: Api) -> None:
    await api.inbox.accept(event(status=E.DISCARDED, discarded_by="key_1", discard_reason="a test account"))

    found = (await api.data(SHOW, {"id": "evt_1"}))["stripeEvent"]

    assert found["discard"] == {"by": "key_1", "reason": "a test account"}


async def test_a_dry_run_counts_and_marks_nothing(api: Api) -> None:
    for number in range(150):
        await api.inbox.accept(event(number))
    asked = {"idempotencyKey": "k", "receivedFromAt": stamp(NOW), "receivedToAt": stamp(NOW + 120), "dryRun": True}

    found = (await api.data(REPLAY, {"input": asked}))["replayStripeEvents"]

    assert (found["marked"], found["events"], len(found["objects"])) == (120, 120, 100)
    assert (found["dryRun"], found["hasMore"], found["endCursor"]) == (True, False, None)
    assert api.inbox.marked == []


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"object": {"type": "customer", "id": "cus_1"}, "failedSinceAt": stamp(NOW)},
        {"object": {"type": "payment_method", "id": "pm_1"}},
        {"object": {"type": "customer", "id": ""}},
        {"receivedToAt": stamp(NOW)},
        {"receivedFromAt": stamp(NOW), "receivedToAt": stamp(NOW)},
    ],
    ids=str,
)
async def test_a_replay_of_nothing_in_particular_is_refused(api: Api, asked: dict[str, Any]) -> None:
    found = (await api.data(REPLAY, {"input": {"idempotencyKey": "k", **asked}}))["replayStripeEvents"]

    assert found["__typename"] == "ValidationError"
    assert api.inbox.marked == []


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"eventIds": []},
        {"eventIds": ["evt_1"], "objectId": "cus_1"},
        {"objectId": ""},
        {"eventIds": ["evt_1"] * 101},
        {"eventIds": ["evt_1"], "reason": " "},
    ],
    ids=str,
)
async def test_a_discard_of_nothing_in_particular_is_refused(api: Api, asked: dict[str, Any]) -> None:
    found = await api.data(DISCARD, {"input": {"idempotencyKey": "k", "reason": "why", **asked}})

    assert found["discardStripeEvents"]["__typename"] == "ValidationError"
    assert api.inbox.discards == []


async def test_objects_are_replayed_and_letters_discarded_over_a_real_store(mongodb_uri: str, database: str) -> None:
    async with running(mongodb_uri, database) as rt:
        api = Api(rt)
        inbox: Any = rt.inbox
        await inbox.accept(event())
        key = api.key()
        asked = {"idempotencyKey": "k", "failedSinceAt": stamp(NOW)}
        inbox.queue["cus_1"] = queued()

        replayed = (await api.data(REPLAY, {"input": asked}, key=key))["replayStripeEvents"]
        again = (await api.data(REPLAY, {"input": asked}, key=key))["replayStripeEvents"]
        given_up = {"idempotencyKey": "k", "reason": "gone", "eventIds": ["evt_1"]}
        discarded = (await api.data(DISCARD, {"input": given_up}, key=key))["discardStripeEvents"]

    assert (replayed["marked"], replayed["events"], replayed["replayed"]) == (1, None, False)
    assert replayed["objects"] == [{"type": "customer", "id": "cus_1"}]
    assert (again["marked"], again["replayed"]) == (1, True)
    assert inbox.marked == [("customer", "cus_1")]
    assert discarded == {"__typename": "DiscardStripeEventsPayload", "events": 1, "objects": 1, "replayed": False}
    assert inbox.discards == [Discard(by="key_1", reason="gone", event_ids=("evt_1",))]


STATUS = """{ syncStatus { stripe { mode pending parked dead oldestPendingAt lastEventAt
  unmappedPrices unmappedPriceCount trouble backoff { untilAt reason } } } }"""


class Troubled:
    """A sync whose Stripe side is not well."""

    def __init__(self, stripe: StripeSyncStatus) -> None:
        self._stripe = stripe

    async def status(self) -> SyncStatus:
        return SyncStatus(
            cache=CacheStatus(ready=True, records=0, workspaces=0, last_applied_at=None),
            workers=(),
            reconcile=ReconcileStatus(running=False, last_run_at=None, last_result=None),
            stripe=self._stripe,
        )


async def stripe_status(stripe: StripeSyncStatus) -> dict[str, Any]:
    sync: Any = Troubled(stripe)
    api = Api(rt=replace(Api().rt, sync=sync))
    return (await api.data(STATUS))["syncStatus"]["stripe"]


async def test_the_status_tells_the_backlog_and_the_backoff() -> None:
    found = await stripe_status(
        StripeSyncStatus(
            mode=StripeSyncMode.FETCH,
            backlog=StripeBacklog(pending=3, parked=2, dead=1, last_event_at=NOW + 5, oldest_pending_at=NOW),
            unmapped_prices=tuple(f"price_{number:03}" for number in range(120)),
            trouble="status 500",
            backoff=StripeBackoff(NOW + 60, "status 500"),
        )
    )

    assert (found["pending"], found["parked"], found["dead"]) == (3, 2, 1)
    assert (found["oldestPendingAt"], found["lastEventAt"]) == (stamp(NOW), stamp(NOW + 5))
    assert (found["unmappedPriceCount"], len(found["unmappedPrices"])) == (120, 100)
    assert found["backoff"] == {"untilAt": stamp(NOW + 60), "reason": "status 500"}


async def test_the_status_is_null_where_the_database_is_silent() -> None:
    found = await stripe_status(StripeSyncStatus(mode=StripeSyncMode.OFF, backlog=None, unmapped_prices=()))

    names = ("pending", "parked", "dead", "oldestPendingAt", "lastEventAt", "trouble", "backoff")
    assert [found[name] for name in names] == [None] * len(names)
    assert (found["unmappedPrices"], found["unmappedPriceCount"]) == ([], 0)
