"""Usage: record what a workspace has used; event and balance in one transaction."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Final
from weakref import WeakValueDictionary

import msgspec

from app.domain import ids
from app.domain.api_key import Principal
from app.domain.change import Kind, Source
from app.domain.entitlement import Entitlement, evaluate, usage_windows
from app.domain.errors import ConflictError, IdempotencyConflictError, UnavailableError
from app.domain.faults import INPUT, idempotency_key_faults, quantity_faults, refuse
from app.domain.plan import Feature
from app.domain.usage import Balance, UsageEvent, amount_faults, record
from app.ports import ResultExistsError
from app.runtime import Runtime
from app.services.loading import load_feature, load_state, refuse_archived

_ATTEMPTS: Final = 100
_BACKOFF_S: Final = 0.002
_BACKOFF_MAX_S: Final = 0.05
_TURN_S: Final = 5

_turns: Final = WeakValueDictionary[str, asyncio.Lock]()
"""By workspace id: requests of one process take turns, because two that collide both pay for a transaction."""


class RecordUsageInput(msgspec.Struct, frozen=True, kw_only=True):
    """`amount` is what has been used; of a FLUCTUATING feature, by how much the level changed."""

    idempotency_key: str
    workspace_id: str
    feature_key: str
    amount: Decimal


class Recorded(msgspec.Struct, frozen=True):
    """The event as stored, and the entitlement as it is now: a check for one more unit."""

    event: UsageEvent
    entitlement: Entitlement
    replayed: bool


async def record_usage(rt: Runtime, principal: Principal, input: RecordUsageInput) -> Recorded:
    """Record what has already happened, also beyond a HARD limit; once per principal, workspace and idempotency key."""
    refuse(
        idempotency_key_faults(input.idempotency_key), quantity_faults((*INPUT, "amount"), input.amount, lowest=None)
    )
    state = await load_state(rt, input.workspace_id)
    event = _event(principal, input, state.workspace.id, rt.clock.now_at())
    known = await rt.store.usage_event(event.id)
    if known is None:
        feature = await load_feature(rt, input.feature_key)
        refuse_archived(state.workspace)
        refuse(amount_faults(feature, input.amount))
        async with _turn(event.workspace_id):
            known = await _write(rt, feature, event)
    if known is not None:
        if known.input_digest != event.input_digest:
            raise IdempotencyConflictError(known.recorded_at)
        # Another replica may have counted it: RAM must be as new before the retry is answered.
        if balance := await _stored_balance(rt, event.workspace_id):
            rt.cache.apply(balance, source=Source.LOOKUP)
    now = rt.cache.state(state.workspace.id)
    entitlement = evaluate(input.feature_key, now, rt.cache.catalogue(), rt.clock.now_at())
    return Recorded(known or event, entitlement, replayed=known is not None)


@asynccontextmanager
async def _turn(workspace_id: str) -> AsyncGenerator[None]:
    """Wait for this workspace's turn, and not for ever: behind a database that hangs, the queue would add up."""
    turn = _turns.setdefault(workspace_id, asyncio.Lock())
    try:
        async with asyncio.timeout(_TURN_S):
            await turn.acquire()
    except TimeoutError:
        raise UnavailableError from None
    try:
        yield
    finally:
        turn.release()


async def _write(rt: Runtime, feature: Feature, event: UsageEvent) -> UsageEvent | None:
    """Write the event and the balance that counts it; return the event that was there before, if one was.

    Compare and set: where another process was quicker, count again on what the store then holds.
    """
    state = await load_state(rt, event.workspace_id)
    windows = usage_windows(feature.key, state, rt.cache.catalogue(), event.recorded_at)
    balance = state.balance
    for attempt in range(_ATTEMPTS):
        counted = record(balance, feature=feature, windows=windows, event=event)
        after = _raised(rt, counted, event.recorded_at)
        try:
            await rt.store.write_usage(after, (event,))
        except ResultExistsError:
            return await rt.store.usage_event(event.id)
        except ConflictError:
            await asyncio.sleep(min(_BACKOFF_S * 2**attempt, _BACKOFF_MAX_S))
            balance = await _stored_balance(rt, event.workspace_id)
            continue
        rt.cache.apply(after, source=Source.COMMIT)
        return None
    raise ConflictError(f"workspace {event.workspace_id!r} is too busy; retry with the same idempotencyKey")


def _raised(rt: Runtime, balance: Balance, at: int) -> Balance:
    """Return the balance as the store is to have it: one version on, and with an incarnation if it is new."""
    if balance.version == 0:
        balance = msgspec.structs.replace(balance, incarnation=rt.ids.secret(), created_at=at)
    return msgspec.structs.replace(balance, version=balance.version + 1, updated_at=at)


async def _stored_balance(rt: Runtime, workspace_id: str) -> Balance | None:
    stored = (await rt.store.read(Kind.BALANCE, (workspace_id,))).get(workspace_id)
    return stored if isinstance(stored, Balance) else None


def _event(principal: Principal, input: RecordUsageInput, workspace_id: str, at: int) -> UsageEvent:
    request = f"{principal.id}\n{workspace_id}\n{input.idempotency_key}"
    return UsageEvent(
        id=f"{ids.USAGE_EVENT}_{_digest(request)[:32]}",
        workspace_id=workspace_id,
        feature_key=input.feature_key,
        amount=input.amount,
        recorded_at=at,
        principal=principal.id,
        input_digest=_digest(f"{input.feature_key}\n{input.amount.normalize()}"),
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
