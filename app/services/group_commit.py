"""Group commit: requests of usage that come together are decided one after the other and written together."""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Iterable
from functools import cache
from time import monotonic
from typing import Final

from app.cache.cache import BillingCache
from app.domain.change import Kind, Record, Source, Tombstone
from app.domain.consumption import Refused
from app.domain.entitlement import Entitlement, evaluate
from app.domain.errors import BillingError, ConflictError, IdempotencyConflictError, UnavailableError
from app.domain.explanation import Question
from app.domain.usage import Balance
from app.ports.store import RecordStore, ResultExistsError
from app.ports.system import Clock, Ids
from app.ports.usage import Accepted, UsageLedger, UsageRequest
from app.services.group_draft import Draft, Groups, Waiting, decide, left_of

LANES: Final = 2
"""Writes under way at a time: while one waits for the database, the next is decided."""

_TOGETHER: Final = 500
_TRIES_TOGETHER: Final = 2
_ALONE: Final = 8
"""Workspaces that are written on their own at a time."""
_ALONE_S: Final = 4
_BACKOFF_S: Final = 0.002
_BACKOFF_MAX_S: Final = 0.1
_TURN_S: Final = 5


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
        self._queues: dict[str, deque[Waiting]] = {}
        self._soft_deleted: dict[str, Balance] = {}
        self._busy: set[str] = set()
        self._lanes = 0
        self._alone = asyncio.Semaphore(_ALONE)
        self._tasks: set[asyncio.Task[None]] = set()

    async def write(self, request: UsageRequest) -> Accepted | Refused:
        """Queue the request and wait for what becomes of it."""
        if self._cache.is_malformed(Kind.BALANCE, request.event.workspace_id):
            raise self._in_vain(request.event.workspace_id)
        waiting = Waiting(request)
        self._queues.setdefault(request.event.workspace_id, deque()).append(waiting)
        self._open_lane()
        # Behind a database that hangs, the queue would add up.
        turn = asyncio.get_running_loop().call_later(_TURN_S, waiting.give_up)
        try:
            await waiting.done
        finally:
            turn.cancel()
            # Who leaves is passed over from now on, unless it is being written.
            waiting.give_up()
        if isinstance(waiting.result, Accepted | Refused):
            return waiting.result
        raise waiting.result or UnavailableError

    def _open_lane(self) -> None:
        if self._lanes < LANES:
            self._lanes += 1
            self._start(self._run())

    def _start(self, work: Coroutine[None, None, None]) -> None:
        """Start a task. It is nobody's own: who leaves must not take others' writes along."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self) -> None:
        try:
            while groups := self._take():
                await self._settle(groups)
        finally:
            # In the same turn of the loop in which nothing was left to take: who comes later finds the lane free.
            self._lanes -= 1

    def _take(self) -> Groups:
        """Take what waits for workspaces that nobody writes. A request that prepares itself comes alone."""
        groups: Groups = {}
        room = _TOGETHER
        for workspace_id in [name for name in self._queues if name not in self._busy]:
            queue = self._queues.pop(workspace_id)
            taken: list[Waiting] = []
            while queue and room and not (taken and (queue[0].request.prepare or taken[-1].request.prepare)):
                waiting = queue.popleft()
                if waiting.result is None:
                    taken.append(waiting)
                    room -= 1
            if queue:
                self._queues[workspace_id] = queue  # at the end: others come first
            if taken:
                groups[workspace_id] = taken
            if not room:
                break
        self._busy.update(groups)
        return groups

    async def _settle(self, groups: Groups) -> None:
        """Write groups together; where nothing comes of it, each on its own, so that the lane is free for others."""
        is_stuck = True
        try:
            for _ in range(_TRIES_TOGETHER):
                if await self._try(groups):
                    is_stuck = False
                    break
        except UnavailableError as error:
            _answer_all(groups, error)
        except Exception as error:  # noqa: BLE001 - a bug is told to whom it concerns, once they are on their own
            if len(groups) == 1:
                _answer_all(groups, error)
        for workspace_id, members in groups.items():
            left = left_of(members)
            if left and is_stuck:
                self._start(self._insist(workspace_id, left))
            else:
                self._give_back(workspace_id, left)

    def _give_back(self, workspace_id: str, left: list[Waiting]) -> None:
        """Let others write the workspace, and who still waits for it have another turn."""
        self._busy.discard(workspace_id)
        if left:
            self._queues.setdefault(workspace_id, deque()).extendleft(reversed(left))

    async def _insist(self, workspace_id: str, members: list[Waiting]) -> None:
        """Try again and again to write a workspace that others write, or that a killed process has left locked."""
        group, pause_s = {workspace_id: members}, _BACKOFF_S
        ends_at = monotonic() + _ALONE_S
        try:
            while (
                left_of(members) and monotonic() < ends_at and not self._cache.is_malformed(Kind.BALANCE, workspace_id)
            ):
                async with self._alone:
                    is_moving = await self._try(group)
                if not is_moving:
                    await asyncio.sleep(pause_s)
                    pause_s = min(2 * pause_s, _BACKOFF_MAX_S)
            _answer_all(group, self._in_vain(workspace_id))
        except Exception as error:  # noqa: BLE001 - also a bug is told to whoever waits
            _answer_all(group, error)
        finally:
            self._give_back(workspace_id, [])
            self._open_lane()

    def _in_vain(self, workspace_id: str) -> BillingError:
        if self._cache.is_malformed(Kind.BALANCE, workspace_id):
            return ConflictError(f"the stored balance of workspace {workspace_id!r} cannot be read; repair it")
        return UnavailableError(f"workspace {workspace_id!r} is too busy; retry with the same idempotencyKey")

    async def _try(self, groups: Groups) -> bool:
        """Decide and write once; return whether it brought anybody of the groups an answer."""
        waiting = [w for members in groups.values() for w in left_of(members)]
        for prepared in (w for w in waiting if w.request.prepare):
            await _prepare(prepared)
        draft = await decide(groups, self._cache, now=self._clock.now_at(), new=self._new)
        if (not draft.doubtful or await self._is_certain(draft)) and (not draft.accepted or await self._write(draft)):
            for doubtful, refusal in draft.doubtful:
                doubtful.answer(refusal)
        return len(left_of(waiting)) < len(waiting) or not waiting

    async def _is_certain(self, draft: Draft) -> bool:
        """Answer retries of what was accepted before; tell whether the rest was refused on balances as they stand."""
        doubtful = [waiting for waiting, _ in draft.doubtful]
        workspaces = {waiting.request.event.workspace_id for waiting in doubtful}
        is_fresh = not await self._refresh(workspaces)
        replayed = await self._replay(doubtful)
        return is_fresh and not replayed

    async def _write(self, draft: Draft) -> bool:
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
            self._soft_deleted.pop(balance.id, None)
            self._cache.apply(balance, source=Source.COMMIT)
        answers = {balance.id: self._answers(balance.id) for balance in draft.balances}
        for waiting, event in draft.accepted:
            waiting.answer(Accepted(event, replayed=False, answer=answers[event.workspace_id]))
        return True

    def _answers(self, workspace_id: str) -> Callable[[str], tuple[Question, Entitlement]]:
        """Return what evaluates a feature of the workspace as it is now, each only once."""
        state, catalogue, at = self._cache.state(workspace_id), self._cache.catalogue(), self._clock.now_at()

        def answer(feature_key: str) -> tuple[Question, Entitlement]:
            question = Question(feature_key=feature_key, state=state, catalogue=catalogue, at=at)
            return question, evaluate(feature_key, state, catalogue, at)

        return cache(answer)

    async def _refresh(self, workspace_ids: Collection[str]) -> bool:
        """Bring the stored balances to RAM; return whether one was not what RAM had."""
        stored = await self._store.read(Kind.BALANCE, workspace_ids)
        differed = False
        for workspace_id in workspace_ids:
            held, balance = self._cache.held(Kind.BALANCE, workspace_id), stored.get(workspace_id)
            differed = differed or _life(held) != _life(balance)
            if balance is not None:
                self._cache.apply(balance, source=Source.LOOKUP)
            if isinstance(balance, Balance) and balance.deleted_at is not None:
                self._soft_deleted[workspace_id] = balance
            else:
                self._soft_deleted.pop(workspace_id, None)
        return differed

    def _new(self, workspace_id: str, at: int) -> Balance:
        """Return a balance without usage; where another writer has soft-deleted one, that one's next version."""
        before = self._soft_deleted.get(workspace_id)
        if before is not None:
            return Balance(
                id=workspace_id,
                version=before.version,
                incarnation=before.incarnation,
                created_at=before.created_at,
            )
        return Balance(id=workspace_id, incarnation=self._ids.secret(), created_at=at)

    async def _replay(self, waiting: Iterable[Waiting]) -> bool:
        """Answer every request whose entry is in the ledger already; return whether there was one."""
        by_id, answers = {w.request.event.id: w for w in waiting}, cache(self._answers)
        found = await self._ledger.events(by_id)
        for event in found.values():
            asked = by_id[event.id]
            if event.input_digest == asked.request.event.input_digest:
                asked.answer(Accepted(event, replayed=True, answer=answers(event.workspace_id)))
            else:
                asked.answer(IdempotencyConflictError(event.recorded_at))
        return bool(found)


def _life(balance: Record | Tombstone | None) -> tuple[int, str] | None:
    """Return what tells one state of a balance from another; None where there is none."""
    if not isinstance(balance, Balance) or balance.deleted_at is not None:
        return None
    return balance.version, balance.incarnation


async def _prepare(waiting: Waiting) -> None:
    if waiting.request.prepare is None:
        return
    try:
        await waiting.request.prepare()
    except BillingError as error:
        waiting.answer(error)


def _answer_all(groups: Groups, result: Exception) -> None:
    for members in groups.values():
        for waiting in members:
            waiting.answer(result)
