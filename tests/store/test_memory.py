"""The inbox in memory, which the tests of convergence use, does what the one over MongoDB does, whatever is asked."""

import asyncio
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support.clock import FrozenClock
from support.memory import Database, MemoryInbox
from support.store import opened
from support.stripe import T0, customer, stored_event

from app.domain.stripe_event import ObjectName, StripeEventStatus
from app.ports.stripe import Lease
from app.store.inbox import MongoInbox
from app.store.mongo import Mongo
from app.store.translation import to_instant

SOON_MS = 15_000
ASKED = (
    *("accept", "accept", "accept", "mark", "lease", "lease", "note", "clear", "clear", "park", "bury", "postpone"),
    *("put_back", "renew", "release", "park_all", "forgotten", "pass", "pass"),
)
asked = st.lists(st.tuples(st.sampled_from(ASKED), st.integers(0, 11)), min_size=5, max_size=40)
STATUSES = (StripeEventStatus.PROCESSED, StripeEventStatus.PARKED, StripeEventStatus.DEAD, StripeEventStatus.RECEIVED)


async def no_step(_: str) -> None:
    return


class Both:
    """The same, asked of both."""

    def __init__(self, mongo: Mongo) -> None:
        self.clock = FrozenClock(T0 * 1000)
        self.mongo = mongo
        self.database = Database()
        self.inboxes = (MemoryInbox(self.database, self.clock, no_step), MongoInbox(mongo, self.clock))
        self.held: list[tuple[Lease, Lease]] = []

    async def ask(self, what: str, number: int) -> None:
        self.clock.advance(1)  # so that nothing is as old as something else
        id, parents = f"cus_{number % 3}", [f"ws_{number % 2}"]  # noqa: A001 - the API's word
        leases = self.held[number % len(self.held)] if self.held else None
        match what:
            case "accept":
                event = stored_event(f"evt_{number}", "customer.updated", customer(id), received_at=self.clock.now_at())
                await self._same(*[await inbox.accept(event) for inbox in self.inboxes])
            case "mark":
                await self._each(lambda inbox, _: inbox.mark("customer", id), None)
            case "lease":
                await self._lease()
            case "release" | "forgotten":
                old_at = self.clock.now_at() - 1000 * number
                await self._same(
                    *[
                        await (
                            inbox.release(parents)
                            if what == "release"
                            else inbox.mark_forgotten(received_before_at=old_at)
                        )
                        for inbox in self.inboxes
                    ]
                )
            case "park_all":
                await self._each(lambda inbox, _: inbox.park_all({ObjectName("customer", id): parents}), None)
            case "pass":
                self.clock.advance(1000 * number)
            case _ if leases:
                await self._settle(what, number, leases, parents)
            case _:
                pass

    async def _settle(self, what: str, number: int, leases: tuple[Lease, Lease], parents: list[str]) -> None:
        later_at = self.clock.now_at() + 1000 * number
        match what:
            case "clear":
                await self._each(lambda inbox, lease: inbox.clear(lease), leases)
            case "park":
                await self._each(lambda inbox, lease: inbox.park(lease, parents), leases)
            case "bury":
                await self._each(lambda inbox, lease: inbox.bury(lease, error="e"), leases)
            case "put_back":
                await self._each(lambda inbox, lease: inbox.put_back(lease), leases)
            case "renew":
                await self._each(lambda inbox, lease: inbox.renew([lease], until_at=later_at), leases)
            case "postpone":
                counted = bool(number % 2)
                await self._each(
                    lambda inbox, lease: inbox.postpone(lease, until_at=later_at, error="e", counted=counted), leases
                )
            case "note":
                id = leases[0].object.id  # noqa: A001 - the API's word
                found = [await inbox.unsettled(id, payloads=bool(number % 2)) for inbox in self.inboxes]
                await self._same(*found)
                ids = [event.id for event in found[0]]
                await self._each(lambda inbox, _: inbox.note(ids, STATUSES[number % 4], reason="r"), None)
            case _:
                raise AssertionError(what)

    async def _lease(self) -> None:
        until_at = self.clock.now_at() + SOON_MS
        taken = [await inbox.lease(limit=10, until_at=until_at) for inbox in self.inboxes]
        memory, mongo = (sorted(leases, key=lambda lease: lease.object.id) for leases in taken)
        assert [(it.object.id, it.object.sequence, it.object.attempts) for it in memory] == [
            (it.object.id, it.object.sequence, it.object.attempts) for it in mongo
        ]
        self.held += zip(memory, mongo, strict=True)

    async def _each(self, ask: Any, leases: tuple[Lease, Lease] | None) -> None:
        for inbox, lease in zip(self.inboxes, leases or (None, None), strict=True):
            await ask(inbox, lease)

    async def _same(self, memory: object, mongo: object) -> None:
        assert memory == mongo

    async def check(self) -> None:
        """Compare what is stored."""
        found = await self.mongo.db["stripe_dirty"].find({}).to_list()
        stored = {
            one["_id"]: (
                *(one["state"], one["sequence"], one["attempts"], to_instant(one["dueAt"])),
                *(to_instant(one["markedAt"]), tuple(one["parkedUnder"]), one.get("leaseToken") is not None),
            )
            for one in found
        }
        assert stored == {
            one.id: (
                *(one.state.value, one.sequence, one.attempts, one.due_at),
                *(one.marked_at, one.parked_under, one.token is not None),
            )
            for one in self.database.dirty.values()
        }
        for event in self.database.events.values():
            assert await self.inboxes[1].event(event.id) == event


async def compare(uri: str, database: str, questions: list[tuple[str, int]]) -> None:
    async with opened(uri, database, with_indexes=False) as mongo:
        for name in ("stripe_dirty", "stripe_events"):
            await mongo.db[name].delete_many({})
        both = Both(mongo)
        for what, number in questions:
            await both.ask(what, number)
        await both.check()


@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(asked)
def test_both_answer_and_keep_the_same(mongodb_uri: str, database: str, questions: list[tuple[str, int]]) -> None:
    asyncio.run(compare(mongodb_uri, database, questions))
