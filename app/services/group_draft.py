"""What requests of usage that come together make of their workspaces' balances, before anything is written."""

import asyncio
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Final

import msgspec

from app.cache.cache import BillingCache
from app.domain.case import Case
from app.domain.consumption import Refused
from app.domain.errors import BillingError, NotFoundError, UnavailableError
from app.domain.usage import Balance, UsageEvent
from app.domain.workspace_state import WorkspaceState
from app.ports.usage import Accepted, UsageRequest

_DECIDING_S: Final = 0.5
_BREATH_S: Final = 0.01
"""For how long deciding may keep the event loop from others."""
_SKEW_MS: Final = 60_000
"""By how much another replica's clock may be ahead and still be believed."""


class Waiting:
    """A request, and what becomes of it."""

    __slots__ = ("done", "request", "result")

    def __init__(self, request: UsageRequest) -> None:
        self.request = request
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.result: Accepted | Refused | Exception | None = None

    def answer(self, result: Accepted | Refused | Exception) -> None:
        if self.result is None:
            self.result = result
            if not self.done.done():
                self.done.set_result(None)

    def give_up(self) -> None:
        """Wait no longer."""
        if self.result is None:
            self.answer(UnavailableError())


Groups = dict[str, list[Waiting]]
"""Requests that are written together, by workspace."""


class Draft:
    """What a group comes to when it is decided on the balances as they are known."""

    def __init__(self) -> None:
        self.balances: list[Balance] = []
        self.accepted: list[tuple[Waiting, UsageEvent]] = []
        self.doubtful: list[tuple[Waiting, Refused | BillingError]] = []

    def add(self, waiting: Waiting, case: Case | None) -> Case | None:
        """Decide a request; return the case after it."""
        event = waiting.request.event
        if case is None:
            self.doubtful.append((waiting, NotFoundError("workspace", event.workspace_id)))
            return None
        try:
            taken = waiting.request.decide(case)
        except BillingError as error:
            self.doubtful.append((waiting, error))
            return case
        except Exception as error:  # noqa: BLE001 - a bug is told to who asked, and nobody else
            waiting.answer(error)
            return case
        if isinstance(taken, Refused):
            self.doubtful.append((waiting, taken))
            return case
        self.accepted.append((waiting, msgspec.structs.replace(event, lines=taken.lines)))
        return case.on(taken.balance)


def left_of(members: Iterable[Waiting]) -> list[Waiting]:
    """Return who still waits."""
    return [waiting for waiting in members if waiting.result is None]


async def decide(groups: Groups, cache: BillingCache, *, now: int, new: Callable[[str, int], Balance]) -> Draft:
    """Decide one request after the other, each on what those before it leave.

    Gives way to the event loop's other work; where it takes long all the same, the rest is left for another turn.
    `new` gives the life of a workspace's balance that has none.
    """
    draft, catalogue, breath = Draft(), cache.catalogue(), _Breath()
    for workspace_id, members in groups.items():
        state = cache.state(workspace_id)
        at = _instant(state, now)
        case = Case(state, catalogue, at) if state is not None else None
        accepted, seen = len(draft.accepted), set[str]()
        for waiting in left_of(members):
            if waiting.request.event.id in seen:
                continue  # a twin: it is answered from the ledger, in the next round
            seen.add(waiting.request.event.id)
            case = draft.add(waiting, case)
            if await breath.is_out():
                break
        if case is not None and case.state.balance is not None and len(draft.accepted) > accepted:
            draft.balances.append(_raised(case.state.balance, at, new))
        if breath.out:
            break
    return draft


class _Breath:
    """Gives way to the event loop's other work in the middle of something long."""

    def __init__(self) -> None:
        self.out = False
        """Whether all the time is used up."""
        self._ends_at = monotonic() + _DECIDING_S
        self._last_at = monotonic()

    async def is_out(self) -> bool:
        """Give way where it is time to; tell whether all the time is used up."""
        if monotonic() - self._last_at > _BREATH_S:
            await asyncio.sleep(0)
            self._last_at = monotonic()
            self.out = self._last_at > self._ends_at
        return self.out


def _instant(state: WorkspaceState | None, now: int) -> int:
    """Return when to decide: not before what another replica, whose clock is a little ahead, has decided.

    What that one counts in a window that has not begun here would be lost, and the window before would open again.
    """
    balance = state.balance if state is not None else None
    if balance is None or not now < balance.updated_at <= now + _SKEW_MS:
        return now
    return balance.updated_at


def _raised(balance: Balance, at: int, new: Callable[[str, int], Balance]) -> Balance:
    """Return the balance as the store is to have it: one version on, and with an incarnation if it is new."""
    if balance.version == 0:
        life = new(balance.id, at)
        balance = msgspec.structs.replace(
            balance, version=life.version, incarnation=life.incarnation, created_at=life.created_at
        )
    return msgspec.structs.replace(balance, version=balance.version + 1, updated_at=at)
