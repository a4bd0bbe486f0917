"""What a use case answers, and how it decides again where RAM lagged behind another replica."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final, Generic, Protocol, TypeVar

import msgspec

from app.domain.api_key import Principal
from app.domain.change import Record
from app.domain.errors import ConflictError, ValidationError
from app.runtime import Runtime
from app.services.idempotency import Once, once

R = TypeVar("R", bound=Record)

_CONFLICTS_MAX: Final = 3


class Written(msgspec.Struct, Generic[R], frozen=True):
    """The record as it now stands; `replayed` where the same idempotency key wrote it before."""

    record: R
    replayed: bool


class Keyed(Protocol):
    """An input that changes state."""

    @property
    def idempotency_key(self) -> str: ...


Decide = Callable[[int], Awaitable[Sequence[Record]]]
"""Load, decide, and return what is to be written, which may be nothing.

Given the number of conflicts so far: after the first one, RAM is not to be trusted and the store must be read.
"""


async def until_settled(
    rt: Runtime,
    principal: Principal,
    operation: str,
    input: Keyed,
    decide: Decide,
    *,
    answer: Callable[[], str] = str,
    conflicts_max: int = _CONFLICTS_MAX,
) -> Once:
    """Decide and commit once per idempotency key; `answer` tells, once decided, what a replay is to answer besides.

    RAM may lag behind another replica's write, so what conflicts is decided again on what the store holds, up to
    `conflicts_max` times. A conflict that `decide` finds there is the caller's.
    """
    _refuse_unstorable(input)
    decided_once = partial(once, rt, principal, operation, input.idempotency_key, input, answer=answer)
    for conflicts in range(conflicts_max):
        decision = _Decision(decide, conflicts)
        try:
            return await decided_once(decision)
        except ConflictError:
            if conflicts and not decision.is_made:
                raise
    return await decided_once(partial(decide, conflicts_max))


class _Decision:
    """One call of `decide`; `is_made` unless it raised."""

    def __init__(self, decide: Decide, conflicts: int) -> None:
        self._decide = decide
        self._conflicts = conflicts
        self.is_made = False

    async def __call__(self) -> Sequence[Record]:
        records = await self._decide(self._conflicts)
        self.is_made = True
        return records


def _refuse_unstorable(input: Keyed) -> None:
    """Refuse half a surrogate pair wherever it stands: neither digest nor store can hold it."""
    try:
        msgspec.json.encode(input)
    except UnicodeEncodeError:
        raise ValidationError.of("input", "INVALID_CHARACTER", "a text holds half a surrogate pair") from None


def written(done: Once, type: type[R]) -> Written[R]:
    """Translate what was written once."""
    record = done.records[0]
    if not isinstance(record, type):
        raise TypeError(f"wrote {record!r}, not a {type.__name__}")
    return Written(record, done.replayed)


async def written_or_current(done: Once, type: type[R], load: Callable[[], Awaitable[R]]) -> Written[R]:
    """Translate what was written once; where nothing had to be, the record as it is."""
    return written(done, type) if done.records else Written(await load(), done.replayed)
