"""One door for writes: version, audit, store and RAM, or nothing at all."""

import asyncio
from collections.abc import AsyncIterator, Collection
from dataclasses import replace as replace_in
from decimal import Decimal
from typing import Any

import pymongo
import pytest
from msgspec.structs import replace
from support.records import NOW, grant, sub, workspace
from support.runtime import fakes_of, running

from app.cache.feed import billing_topic
from app.domain.api_key import ApiKey, Scope
from app.domain.audit import Actor, ActorKind
from app.domain.billing_event import BillingEvent, BillingEventFilter
from app.domain.change import Kind, Record, Source
from app.domain.errors import ConflictError, UnavailableError
from app.domain.stripe_facts import InvoiceFacts
from app.domain.stripe_object import StripeObject, StripeSource
from app.domain.subscription import SubscriptionStatus
from app.ports.store import RecordStore, ResultExistsError, StoredResult
from app.runtime import Runtime
from app.services.commit import commit

ACTOR = Actor(ActorKind.STRIPE, "evt_1")


@pytest.fixture
async def rt(mongodb_uri: str, database: str) -> AsyncIterator[Runtime]:
    async with running(mongodb_uri, database) as runtime:
        yield runtime


@pytest.fixture
def audit(mongodb_uri: str, database: str) -> Any:
    """Give a reader of the audit as it was written, oldest first."""

    def entries() -> list[dict[str, Any]]:
        with pymongo.MongoClient[dict[str, Any]](mongodb_uri) as client:
            return list(client[database]["audit"].find(sort=[("_id", 1)]))

    return entries


def new(record: Record) -> Record:
    return replace(record, version=0)


async def test_a_new_record_gets_version_incarnation_and_dates(rt: Runtime) -> None:
    [written] = await commit(rt, ACTOR, "create", [new(workspace(incarnation="", created_at=0))])

    assert (written.version, written.created_at, written.updated_at) == (1, rt.clock.now_at(), rt.clock.now_at())
    assert written.incarnation
    assert await rt.store.read(Kind.WORKSPACE, ["ws_1"]) == {"ws_1": written}


async def test_a_record_made_anew_has_another_incarnation(rt: Runtime) -> None:
    written = await commit(rt, ACTOR, "create", [new(workspace("ws_1")), new(workspace("ws_2"))])

    assert written[0].incarnation != written[1].incarnation


async def test_a_change_raises_the_version_and_keeps_its_birth(rt: Runtime) -> None:
    [created] = await commit(rt, ACTOR, "create", [new(workspace())])
    fakes_of(rt).clock.advance(1000)

    [changed] = await commit(rt, ACTOR, "update", [created])

    assert (changed.version, changed.incarnation) == (2, created.incarnation)
    assert (changed.created_at, changed.updated_at) == (created.created_at, created.updated_at + 1000)


async def test_ram_has_it_when_commit_returns(rt: Runtime) -> None:
    written = await commit(rt, ACTOR, "create", [new(workspace(external_id="acme")), new(sub()), new(grant())])

    assert [rt.cache.held(record.KIND, record.id) for record in written] == list(written)
    assert rt.cache.workspace_id("acme") == "ws_1"
    state = rt.cache.state("ws_1")
    assert state
    assert (state.version, len(state.subscriptions), len(state.grants)) == (3, 1, 1)


async def test_no_reader_sees_half_of_a_commit(rt: Runtime) -> None:
    seen: set[int] = set()
    writing = asyncio.ensure_future(commit(rt, ACTOR, "create", [new(workspace()), new(sub()), new(grant())]))

    while not writing.done():
        state = rt.cache.state("ws_1")
        seen.add(state.version if state else 0)
        await asyncio.sleep(0)
    await writing

    assert seen <= {0, 3}


async def test_audit_tells_who_changed_what(rt: Runtime, audit: Any) -> None:
    [created] = await commit(rt, ACTOR, "create", [new(grant(amount=Decimal(5)))])
    await commit(rt, Actor(ActorKind.API_KEY, "key_1"), "revoke", [replace(created, revoked_at=NOW)])

    first, second = audit()
    assert first["actor"] == {"kind": "STRIPE", "id": "evt_1"}
    assert (first["operation"], first["kind"], first["recordId"]) == ("create", "grants", "grant_1")
    assert first["before"] is None
    assert first["after"]["amount"].to_decimal() == 5
    assert (second["operation"], second["actor"]["id"]) == ("revoke", "key_1")
    assert (second["before"]["version"], second["before"]["revokedAt"]) == (1, None)
    assert second["after"]["version"] == 2
    assert second["after"]["revokedAt"] is not None


async def test_secrets_and_raw_objects_stay_out_of_the_audit(rt: Runtime, audit: Any) -> None:
    key = ApiKey(id="key_1", name="ci", secret_hash="0" * 64, scopes=(Scope.ADMIN,))
    mirror = StripeObject(id="sub_1", type="subscription", raw="{}", source=StripeSource.FETCH)

    written = await commit(rt, ACTOR, "create", [key, mirror])
    await commit(rt, ACTOR, "update", written)

    sides = [side for entry in audit() for side in (entry["before"], entry["after"]) if side]
    assert len(sides) == 6
    assert not [side for side in sides if "secretHash" in side or "raw" in side]
    assert await rt.store.read(Kind.API_KEY, ["key_1"])


@pytest.mark.parametrize(
    ("stale", "current_version"),
    [
        pytest.param(workspace(version=1), 2, id="older than the store"),
        pytest.param(workspace(version=3), 2, id="newer than the store"),
        pytest.param(workspace(version=2, incarnation="another"), 2, id="of another life"),
        pytest.param(workspace("ws_none"), None, id="not in the store"),
    ],
)
async def test_what_was_loaded_otherwise_than_stored_is_a_conflict(
    rt: Runtime, audit: Any, stale: Record, current_version: int | None
) -> None:
    [created] = await commit(rt, ACTOR, "create", [new(workspace())])
    [current] = await commit(rt, ACTOR, "update", [created])
    if stale.incarnation == "i":
        stale = replace(stale, incarnation=created.incarnation)

    with pytest.raises(ConflictError) as raised:
        await commit(rt, ACTOR, "update", [new(grant()), stale])

    assert raised.value.current_version == current_version
    assert len(audit()) == 2
    assert rt.cache.held(Kind.WORKSPACE, "ws_1") == current
    assert rt.cache.held(Kind.GRANT, "grant_1") is None
    assert await rt.store.read(Kind.GRANT, ["grant_1"]) == {}


async def test_audit_never_tells_of_another_state_than_the_one_that_was_changed(rt: Runtime, audit: Any) -> None:
    [created] = await commit(rt, ACTOR, "create", [new(workspace())])
    [current] = await commit(rt, ACTOR, "update", [created])

    with pytest.raises(ConflictError):
        await commit(replace_in(rt, store=StaleReads(rt.store, created)), ACTOR, "update", [current])

    assert len(audit()) == 2


class StaleReads:
    """A store that reads as a member reads which has not learned of the latest write."""

    def __init__(self, store: RecordStore, before: Record) -> None:
        self._before = before
        self.write = store.write

    async def read(self, _kind: Kind, _ids: Collection[str]) -> dict[str, Record]:
        return {self._before.id: self._before}


async def test_a_taken_name_leaves_ram_as_it_was(rt: Runtime) -> None:
    await commit(rt, ACTOR, "create", [new(workspace("ws_1", external_id="acme"))])

    with pytest.raises(ConflictError, match="externalId 'acme' is taken"):
        await commit(rt, ACTOR, "create", [new(workspace("ws_2", external_id="acme"))])

    assert rt.cache.held(Kind.WORKSPACE, "ws_2") is None
    assert rt.cache.workspace_id("acme") == "ws_1"


async def test_of_concurrent_commits_of_one_record_one_wins(rt: Runtime, audit: Any) -> None:
    [created] = await commit(rt, ACTOR, "create", [new(workspace())])

    outcomes = await asyncio.gather(*(commit(rt, ACTOR, "update", [created]) for _ in range(6)), return_exceptions=True)

    assert sum(isinstance(outcome, ConflictError) for outcome in outcomes) == 5
    held = rt.cache.held(Kind.WORKSPACE, "ws_1")
    assert held
    assert held.version == 2
    assert len(audit()) == 2


async def test_a_result_keeps_what_was_written_and_is_taken_once(rt: Runtime) -> None:
    result = StoredResult(id="key_1:op:k", input_digest="d", created_at=NOW)

    written = await commit(rt, ACTOR, "create", [new(workspace())], result=result)

    stored = await rt.store.result("key_1:op:k")
    assert stored
    assert stored.records == written
    with pytest.raises(ResultExistsError):
        await commit(rt, ACTOR, "create", [new(workspace("ws_2"))], result=result)
    assert rt.cache.held(Kind.WORKSPACE, "ws_2") is None


async def test_a_result_may_stand_alone(rt: Runtime, audit: Any) -> None:
    result = StoredResult(id="key_1:op:k", input_digest="d", created_at=NOW)

    assert await commit(rt, ACTOR, "nothing", [], result=result) == ()

    assert await rt.store.result("key_1:op:k") == result
    assert audit() == []


async def test_nothing_to_write_is_nothing_written(rt: Runtime, audit: Any) -> None:
    assert await commit(rt, ACTOR, "nothing", []) == ()
    assert audit() == []


async def test_a_soft_delete_leaves_ram(rt: Runtime) -> None:
    [created] = await commit(rt, ACTOR, "create", [new(grant())])

    await commit(rt, ACTOR, "delete", [replace(created, deleted_at=NOW)])

    assert "grant_1" not in rt.cache.ids(Kind.GRANT)


async def events(rt: Runtime) -> list[BillingEvent]:
    """Return what happened, the oldest first."""
    return list((await rt.billing_events.page(BillingEventFilter(), after=None, first=50, newest_first=False)).items)


async def test_what_happened_is_written_with_the_record(rt: Runtime) -> None:
    rt.cache.apply(workspace(stripe_customer_id="cus_1"), source=Source.STREAM)
    paid = InvoiceFacts(currency="usd", customer_id="cus_1", status="open", created_at=NOW, finalized_at=NOW)
    mirror = StripeObject(id="in_1", type="invoice", raw="{}", source=StripeSource.FETCH, facts=paid)

    written = await commit(rt, ACTOR, "create", [new(sub(subscribed_at=NOW)), mirror])

    told = [(event.type.value, event.object_id, event.workspace_id) for event in await events(rt)]
    assert sorted(told) == [
        ("invoice.created", "in_1", "ws_1"),
        ("invoice.finalized", "in_1", "ws_1"),
        ("subscription.activated", "sub_1", "ws_1"),
        ("subscription.created", "sub_1", "ws_1"),
    ]
    await commit(rt, ACTOR, "update", written)
    assert len(await events(rt)) == 4


async def test_what_was_not_written_did_not_happen(rt: Runtime) -> None:
    [created] = await commit(rt, ACTOR, "create", [new(sub())])
    canceled = replace(created, status=SubscriptionStatus.CANCELED)
    await commit(rt, ACTOR, "update", [canceled])

    with pytest.raises(ConflictError):
        await commit(rt, ACTOR, "update", [replace(canceled, version=1)])

    assert [event.type.value for event in await events(rt)] == ["subscription.canceled"]


async def test_of_two_writers_of_one_transition_one_tells(rt: Runtime) -> None:
    [created] = await commit(rt, ACTOR, "create", [new(sub())])
    paused = replace(created, status=SubscriptionStatus.PAUSED)

    outcomes = await asyncio.gather(*(commit(rt, ACTOR, "update", [paused]) for _ in range(5)), return_exceptions=True)

    assert sum(isinstance(outcome, ConflictError) for outcome in outcomes) == 4
    assert [event.type.value for event in await events(rt)] == ["subscription.paused"]


async def test_a_commit_that_is_repeated_after_an_unknown_outcome_tells_nothing_twice(rt: Runtime) -> None:
    [created] = await commit(rt, ACTOR, "create", [new(sub())])
    paused = replace(created, status=SubscriptionStatus.PAUSED)
    store: Any = _Unanswered(rt.store)

    with pytest.raises(UnavailableError):
        await commit(replace_in(rt, store=store), ACTOR, "update", [paused])
    with pytest.raises(ConflictError):
        await commit(rt, ACTOR, "update", [paused])

    assert [event.type.value for event in await events(rt)] == ["subscription.paused"]


class _Unanswered:
    """Writes, and the answer is lost."""

    def __init__(self, store: RecordStore) -> None:
        self._store = store
        self.read = store.read

    async def write(self, *arguments: Any, **named: Any) -> None:
        await self._store.write(*arguments, **named)
        raise UnavailableError


async def test_who_listens_is_told_that_something_happened(rt: Runtime) -> None:
    with (
        rt.cache.feed.subscribe(billing_topic("ws_1")) as ours,
        rt.cache.feed.subscribe(billing_topic("ws_2")) as others,
    ):
        [created] = await commit(rt, ACTOR, "create", [new(sub())])
        assert not await ours.wait(0)

        await commit(rt, ACTOR, "update", [replace(created, status=SubscriptionStatus.PAUSED)])

        assert await ours.wait(0)
        assert not await others.wait(0)
