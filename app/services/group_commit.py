"""Group commit: requests of usage that come together are decided one after the other and written together."""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterable
from functools import cache
from typing import Final

import msgspec

from app.cache.cache import BillingCache
from app.domain.change import Kind, Source
from app.domain.consumption import Refused
from app.domain.entitlement import Entitlement, evaluate
from app.domain.errors import BillingError, ConflictError, IdempotencyConflictError, NotFoundError, UnavailableError
from app.domain.usage import Balance, UsageEvent
from app.ports.store import RecordStore, ResultExistsError
from app.ports.system import Clock, Ids
from app.ports.usage import Accepted, UsageLedger, UsageRequest

LANES: Final = 2
"""Writes under way at a time: while one waits for the database, the next is decided."""

_TOGETHER: Final = 500
_ATTEMPTS: Final = 100
_BACKOFF_S: Final = 0.002
_BACKOFF_MAX_S: Final = 0.05
_TURN_S: Final = 5


class _Waiting:
    """A request, and what becomes of it."""

    __slots__ = ("done", "request", "result")

    def __init__(self, request: UsageRequest) -> None:
        self.request = request
        self.done = asyncio.Event()
        self.result: Accepted | Refused | Exception | None = None

    def answer(self, result: Accepted | Refused | Exception) -> None:
        if self.result is None:
            self.result = result
            self.done.set()


_Groups = dict[str, list[_Waiting]]
"""Requests that are written together, by workspace."""


class _Draft:
    """What a group comes to when it is decided on the balances as they are known."""

    def __init__(self) -> None:
        self.balances: list[Balance] = []
        self.accepted: list[tuple[_Waiting, UsageEvent]] = []
        self.doubtful: list[tuple[_Waiting, Refused | BillingError]] = []


class GroupCommit:
    """`ports.UsageWriter`: the balance is compared and set, so that whatever RAM believed, the database decides.

    A refusal is checked against the stored balance too, because RAM may lag behind another replica.
    """

    def __init__(self, store: RecordStore, ledger: UsageLedger, cache: BillingCache, *, clock: Clock, ids: Ids) -> None:
        self._store = store
        self._ledger = ledger
        self._cache = cache
        self._clock = clock
        self._ids = ids
        self._queues: dict[str, deque[_Waiting]] = {}
        self._busy: set[str] = set()
        self._lanes: set[asyncio.Task[None]] = set()

    async def write(self, request: UsageRequest) -> Accepted | Refused:
        """Queue the request and wait for what becomes of it."""
        waiting = _Waiting(request)
        self._queues.setdefault(request.event.workspace_id, deque()).append(waiting)
        self._open_lane()
        try:
            # Behind a database that hangs, the queue would add up.
            async with asyncio.timeout(_TURN_S):
                await waiting.done.wait()
        except TimeoutError:
            raise UnavailableError from None
        finally:
            if waiting.result is None:
                self._withdraw(waiting)
        if isinstance(waiting.result, Accepted | Refused):
            return waiting.result
        raise waiting.result or UnavailableError

    def _withdraw(self, waiting: _Waiting) -> None:
        """Forget a request that nobody waits for and that is not being written."""
        queue = self._queues.get(waiting.request.event.workspace_id)
        if queue is not None and waiting in queue:
            queue.remove(waiting)

    def _open_lane(self) -> None:
        """Start a lane where one is free. It is nobody's own task: who leaves must not take others' writes along."""
        if len(self._lanes) < LANES:
            lane = asyncio.create_task(self._run())
            self._lanes.add(lane)
            lane.add_done_callback(self._lanes.discard)

    async def _run(self) -> None:
        while groups := self._take():
            try:
                await self._settle(groups)
            except Exception as error:  # noqa: BLE001 - a bug is told to whoever waits, and must not end the lane
                _answer_all(groups, error)
            finally:
                _answer_all(groups, UnavailableError())
                self._busy.difference_update(groups)

    def _take(self) -> _Groups:
        """Take what waits for workspaces that no other lane writes. A request that prepares itself comes alone."""
        groups: _Groups = {}
        room = _TOGETHER
        for workspace_id in [name for name in self._queues if name not in self._busy]:
            queue = self._queues[workspace_id]
            taken: list[_Waiting] = []
            while queue and room and not (taken and (queue[0].request.prepare or taken[-1].request.prepare)):
                taken.append(queue.popleft())
                room -= 1
            if not queue:
                del self._queues[workspace_id]
            if taken:
                groups[workspace_id] = taken
            if not room:
                break
        self._busy.update(groups)
        return groups

    async def _settle(self, groups: _Groups) -> None:
        """Write the groups together; where that collides with another process, each on its own."""
        try:
            if await self._try(groups):
                return
        except UnavailableError as error:
            _answer_all(groups, error)
            return
        async with asyncio.TaskGroup() as tasks:
            for workspace_id, members in groups.items():
                tasks.create_task(self._insist(workspace_id, members))

    async def _insist(self, workspace_id: str, members: list[_Waiting]) -> None:
        try:
            for attempt in range(_ATTEMPTS):
                if await self._try({workspace_id: members}):
                    return
                await asyncio.sleep(min(_BACKOFF_S * 2**attempt, _BACKOFF_MAX_S))
        except UnavailableError as error:
            _answer_all({workspace_id: members}, error)
        problem = f"workspace {workspace_id!r} is too busy; retry with the same idempotencyKey"
        _answer_all({workspace_id: members}, ConflictError(problem))

    async def _try(self, groups: _Groups) -> bool:
        """Decide and write once; return whether nobody of the groups waits any more."""
        open_groups = {name: [w for w in members if w.result is None] for name, members in groups.items()}
        for waiting in (w for members in open_groups.values() for w in members if w.request.prepare):
            await _prepare(waiting)
        at = self._clock.now_at()
        draft = self._decide(open_groups, at)
        if draft.doubtful and not await self._is_certain(draft):
            return False
        if draft.accepted and not await self._write(draft):
            return False
        for waiting, refusal in draft.doubtful:
            waiting.answer(refusal)
        return all(w.result is not None for members in open_groups.values() for w in members)

    def _decide(self, groups: _Groups, at: int) -> _Draft:
        draft, catalogue = _Draft(), self._cache.catalogue()
        for workspace_id, members in groups.items():
            state = self._cache.state(workspace_id)
            seen: set[str] = set()
            accepted = len(draft.accepted)
            for waiting in members:
                event = waiting.request.event
                if waiting.result is not None or event.id in seen:
                    continue  # a twin: it is answered from the ledger, in the next round
                seen.add(event.id)
                if state is None:
                    draft.doubtful.append((waiting, NotFoundError("workspace", workspace_id)))
                    continue
                try:
                    taken = waiting.request.decide(state, catalogue, at)
                except BillingError as error:
                    draft.doubtful.append((waiting, error))
                    continue
                if isinstance(taken, Refused):
                    draft.doubtful.append((waiting, taken))
                    continue
                state = msgspec.structs.replace(state, balance=taken.balance)
                draft.accepted.append((waiting, msgspec.structs.replace(event, lines=taken.lines)))
            if state is not None and state.balance is not None and len(draft.accepted) > accepted:
                draft.balances.append(self._raised(state.balance, at))
        return draft

    async def _is_certain(self, draft: _Draft) -> bool:
        """Answer retries of what was accepted before; tell whether the rest was refused on balances as they stand."""
        doubtful = [waiting for waiting, _ in draft.doubtful]
        workspaces = {waiting.request.event.workspace_id for waiting in doubtful}
        is_fresh = not await self._refresh(workspaces)
        replayed = await self._replay(doubtful)
        return is_fresh and not replayed

    async def _write(self, draft: _Draft) -> bool:
        try:
            await self._ledger.write(draft.balances, [event for _, event in draft.accepted])
        except ResultExistsError:
            accepted = [waiting for waiting, _ in draft.accepted]
            await self._refresh({balance.id for balance in draft.balances})
            await self._replay(accepted)
            return False
        except ConflictError:
            await self._refresh({balance.id for balance in draft.balances})
            return False
        for balance in draft.balances:
            self._cache.apply(balance, source=Source.COMMIT)
        answers = {balance.id: self._answers(balance.id) for balance in draft.balances}
        for waiting, event in draft.accepted:
            waiting.answer(Accepted(event, replayed=False, answer=answers[event.workspace_id]))
        return True

    def _answers(self, workspace_id: str) -> Callable[[str], Entitlement]:
        """Return what evaluates a feature of the workspace as it is now, each only once."""
        state, catalogue, at = self._cache.state(workspace_id), self._cache.catalogue(), self._clock.now_at()

        def answer(feature_key: str) -> Entitlement:
            return evaluate(feature_key, state, catalogue, at)

        return cache(answer)

    async def _refresh(self, workspace_ids: Collection[str]) -> bool:
        """Bring the stored balances to RAM; return whether one was newer than what RAM had."""
        stored = await self._store.read(Kind.BALANCE, workspace_ids)
        newer = False
        for balance in stored.values():
            held = self._cache.held(Kind.BALANCE, balance.id)
            newer = newer or held is None or held.version < balance.version
            self._cache.apply(balance, source=Source.LOOKUP)
        return newer

    async def _replay(self, waiting: Iterable[_Waiting]) -> bool:
        """Answer every request whose entry is in the ledger already; return whether there was one."""
        by_id = {w.request.event.id: w for w in waiting}
        found = await self._ledger.events(by_id)
        for event in found.values():
            asked = by_id[event.id]
            if event.input_digest == asked.request.event.input_digest:
                asked.answer(Accepted(event, replayed=True, answer=self._answers(event.workspace_id)))
            else:
                asked.answer(IdempotencyConflictError(event.recorded_at))
        return bool(found)

    def _raised(self, balance: Balance, at: int) -> Balance:
        """Return the balance as the store is to have it: one version on, and with an incarnation if it is new."""
        if balance.version == 0:
            balance = msgspec.structs.replace(balance, incarnation=self._ids.secret(), created_at=at)
        return msgspec.structs.replace(balance, version=balance.version + 1, updated_at=at)


async def _prepare(waiting: _Waiting) -> None:
    if waiting.request.prepare is None:
        return
    try:
        await waiting.request.prepare()
    except BillingError as error:
        waiting.answer(error)


def _answer_all(groups: _Groups, result: Exception) -> None:
    for members in groups.values():
        for waiting in members:
            waiting.answer(result)
