"""Usage: consume, reserve, settle, release, record, set and correct; ledger entry and balance in one transaction."""

import hashlib
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, Final, cast

import msgspec

from app.domain import consumption, ids
from app.domain.api_key import Principal
from app.domain.case import Case
from app.domain.consumption import LimitExceededError, Refused, Taken, Wanted
from app.domain.entitlement import Entitlement
from app.domain.errors import ConflictError, NotFoundError, ValidationError
from app.domain.explanation import Question
from app.domain.faults import INPUT, fault, idempotency_key_faults, is_storable, quantity_faults, refuse, text_faults
from app.domain.grant_rules import REASON_MAX
from app.domain.usage import Reservation, UsageEvent, UsageKind, UsageLine, amount_faults
from app.domain.usage_rules import line_faults, occurrence_faults, property_faults, ttl_faults
from app.ports.usage import UsageRequest
from app.runtime import Runtime
from app.services.loading import load_feature, load_state, refuse_archived

Decide = Callable[[Case], Taken | Refused]
Prepare = Callable[[], Awaitable[None]]

_MEASURED: Final = frozenset({UsageKind.RECORD, UsageKind.CONSUME, UsageKind.SETTLE})


class ConsumeInput(msgspec.Struct, frozen=True, kw_only=True):
    """All lines or none."""

    idempotency_key: str
    workspace_id: str
    lines: tuple[Wanted, ...]


class ReserveInput(msgspec.Struct, frozen=True, kw_only=True):
    """All lines or none, for `ttl_s` seconds."""

    idempotency_key: str
    workspace_id: str
    lines: tuple[Wanted, ...]
    ttl_s: int


class SettleInput(msgspec.Struct, frozen=True, kw_only=True):
    """`actual` is what was really used; None is all of it, a feature left out was not used."""

    idempotency_key: str
    reservation_id: str
    actual: tuple[Wanted, ...] | None = None


class ReleaseInput(msgspec.Struct, frozen=True, kw_only=True):
    idempotency_key: str
    reservation_id: str


class RecordUsageInput(msgspec.Struct, frozen=True, kw_only=True):
    """`amount` is what has been used; of a FLUCTUATING feature, by how much the level changed."""

    idempotency_key: str
    workspace_id: str
    feature_key: str
    amount: Decimal
    occurred_at: int | None = None
    properties: dict[str, str] = {}


class SetUsageInput(msgspec.Struct, frozen=True, kw_only=True):
    """`level` is what a FLUCTUATING feature stands at now."""

    idempotency_key: str
    workspace_id: str
    feature_key: str
    level: Decimal


class CorrectUsageInput(msgspec.Struct, frozen=True, kw_only=True):
    """`amount` is what the event's lines for the feature should have added up to; of a level's RECORD, its change."""

    idempotency_key: str
    workspace_id: str
    event_id: str
    feature_key: str
    amount: Decimal
    reason: str


class Used(msgspec.Struct, frozen=True):
    """The entry as stored, and per line the entitlement as it is now, a check for one more unit, with its question."""

    event: UsageEvent
    questions: tuple[Question, ...]
    entitlements: tuple[Entitlement, ...]
    replayed: bool


Request = (
    ConsumeInput | ReserveInput | SettleInput | ReleaseInput | RecordUsageInput | SetUsageInput | CorrectUsageInput
)


async def consume(rt: Runtime, principal: Principal, input: ConsumeInput) -> Used:
    """Use all lines or none. Raises `LimitExceededError` with the line and the reason where one may not be used."""
    refuse(idempotency_key_faults(input.idempotency_key), line_faults(input.lines))
    state = await load_state(rt, input.workspace_id)
    event = entry_of(rt, principal, state.workspace.id, UsageKind.CONSUME, input)
    return await _write(rt, event, lambda case: consumption.consume(case, input.lines))


async def reserve(rt: Runtime, principal: Principal, input: ReserveInput) -> Used:
    """Hold all lines back or none; see `consume`. What is not settled in time returns by itself."""
    refuse(idempotency_key_faults(input.idempotency_key), line_faults(input.lines), ttl_faults(input.ttl_s))
    state = await load_state(rt, input.workspace_id)
    event = entry_of(rt, principal, state.workspace.id, UsageKind.RESERVE, input)
    blank = Reservation(
        id=ids.of_reservation(event.id),
        lines=(),
        principal=principal.id,
        created_at=event.recorded_at,
        expires_at=event.recorded_at + input.ttl_s * 1000,
    )
    event = msgspec.structs.replace(event, reservation_id=blank.id, expires_at=blank.expires_at)
    return await _write(rt, event, lambda case: consumption.reserve(case, input.lines, blank=blank))


async def settle(rt: Runtime, principal: Principal, input: SettleInput) -> Used:
    """Use what was really used, and give the rest back to the grants it came from.

    Raises `ConflictError` where the reservation was settled or released, or has expired.
    """
    actual = input.actual
    faults = line_faults(actual, name="actual", may_be_zero=True) if actual is not None else ()
    refuse(idempotency_key_faults(input.idempotency_key), faults)
    reserved = await _reserved(rt, input.reservation_id)
    event = entry_of(rt, principal, reserved.workspace_id, UsageKind.SETTLE, input)
    event = msgspec.structs.replace(event, reservation_id=input.reservation_id)
    try:
        return await _write(rt, event, lambda case: consumption.settle(case, input.reservation_id, actual))
    except NotFoundError as error:
        raise _closed(rt, reserved) from error


async def release(rt: Runtime, principal: Principal, input: ReleaseInput) -> Used:
    """Give all of a reservation back; see `settle`."""
    refuse(idempotency_key_faults(input.idempotency_key))
    reserved = await _reserved(rt, input.reservation_id)
    event = entry_of(rt, principal, reserved.workspace_id, UsageKind.RELEASE, input)
    event = msgspec.structs.replace(event, reservation_id=input.reservation_id)
    try:
        return await _write(rt, event, lambda case: consumption.release(case, input.reservation_id))
    except NotFoundError as error:
        raise _closed(rt, reserved) from error


async def record_usage(rt: Runtime, principal: Principal, input: RecordUsageInput) -> Used:
    """Record what has already happened, also beyond a HARD limit; once per principal, workspace and idempotency key."""
    now = rt.clock.now_at()
    refuse(
        idempotency_key_faults(input.idempotency_key),
        quantity_faults((*INPUT, "amount"), input.amount, lowest=None),
        property_faults(input.properties),
        occurrence_faults(input.occurred_at, now, backdate_ms=rt.backdate_ms),
    )
    state = await load_state(rt, input.workspace_id)
    feature = await load_feature(rt, input.feature_key)
    refuse(amount_faults(INPUT, feature, input.amount, signed=True))
    line = Wanted(input.feature_key, input.amount)
    occurred_at = now if input.occurred_at is None else min(input.occurred_at, now)
    event = entry_of(rt, principal, state.workspace.id, UsageKind.RECORD, input)
    event = msgspec.structs.replace(event, occurred_at=occurred_at, properties=input.properties)

    def decide(case: Case) -> Taken:
        refuse_archived(case.state.workspace)
        return consumption.record(case, line, occurred_at=occurred_at)

    return await _write(rt, event, decide)


async def set_usage(rt: Runtime, principal: Principal, input: SetUsageInput) -> Used:
    """Say what level a FLUCTUATING feature stands at, also beyond a HARD limit."""
    refuse(idempotency_key_faults(input.idempotency_key), quantity_faults((*INPUT, "level"), input.level))
    state = await load_state(rt, input.workspace_id)
    feature = await load_feature(rt, input.feature_key)
    if not feature.is_level:
        problem = f"names {feature.key!r}, which is not FLUCTUATING; use recordUsage"
        refuse([fault((*INPUT, "featureKey"), "NOT_ALLOWED", problem)])
    line = Wanted(input.feature_key, input.level)

    def decide(case: Case) -> Taken:
        refuse_archived(case.state.workspace)
        return consumption.set_level(case, line)

    return await _write(rt, entry_of(rt, principal, state.workspace.id, UsageKind.SET, input), decide)


async def correct_usage(rt: Runtime, principal: Principal, input: CorrectUsageInput) -> Used:
    """Make the amount of an earlier entry what it should have been; the entry stays, the difference is a new one."""
    refuse(
        idempotency_key_faults(input.idempotency_key),
        quantity_faults((*INPUT, "amount"), input.amount, lowest=None),
        text_faults((*INPUT, "reason"), input.reason, longest=REASON_MAX),
    )
    state = await load_state(rt, input.workspace_id)
    original = (await rt.ledger.events((input.event_id,))).get(input.event_id)
    if original is None or original.workspace_id != state.workspace.id:
        raise NotFoundError("usage event", input.event_id)
    first = _lines_of(original, input.feature_key)
    feature = await load_feature(rt, input.feature_key)
    if not (feature.is_level and original.kind is UsageKind.RECORD):
        refuse(quantity_faults((*INPUT, "amount"), input.amount))
    corrections: list[UsageLine] = []
    event = entry_of(rt, principal, original.workspace_id, UsageKind.CORRECT, input)
    event = msgspec.structs.replace(event, occurred_at=original.occurred_at, corrects=original.id, reason=input.reason)

    async def prepare() -> None:
        entries = await rt.ledger.corrections(original.id)
        lines = (line for entry in entries for line in entry.lines)
        corrections[:] = (line for line in lines if line.feature_key == input.feature_key)

    def decide(case: Case) -> Taken:
        return consumption.correct(case, first, corrections, input.amount, occurred_at=original.occurred_at)

    return await _write(rt, event, decide, prepare=prepare)


async def _write(rt: Runtime, event: UsageEvent, decide: Decide, *, prepare: Prepare | None = None) -> Used:
    outcome = await rt.usage.write(UsageRequest(event=event, decide=decide, prepare=prepare))
    if isinstance(outcome, Refused):
        rt.metrics.count("usage", "refused")
        raise LimitExceededError(outcome)
    rt.metrics.count("usage", "replayed" if outcome.replayed else "accepted")
    asked = [outcome.answer(line.feature_key) for line in outcome.event.lines]
    questions, answers = tuple(question for question, _ in asked), tuple(answer for _, answer in asked)
    return Used(outcome.event, questions, answers, outcome.replayed)


async def _reserved(rt: Runtime, reservation_id: str) -> UsageEvent:
    """Return the entry that made the reservation, with its workspace in RAM."""
    made_by = ids.of_reserving(reservation_id)
    event = (await rt.ledger.events((made_by,))).get(made_by) if is_storable(made_by) else None
    if event is None:
        raise NotFoundError("reservation", reservation_id)
    await load_state(rt, event.workspace_id)
    return event


def _closed(rt: Runtime, reserved: UsageEvent) -> ConflictError:
    if reserved.expires_at is not None and reserved.expires_at <= rt.clock.now_at():
        return ConflictError("the reservation has expired and was given back; report what was used by recordUsage")
    return ConflictError("the reservation was settled or released already")


def _lines_of(event: UsageEvent, feature_key: str) -> tuple[UsageLine, ...]:
    lines = tuple(line for line in event.lines if line.feature_key == feature_key)
    if event.kind not in _MEASURED:
        problem = f"names an entry of the kind {event.kind}; only RECORD, CONSUME and SETTLE can be corrected"
        raise ValidationError((fault((*INPUT, "eventId"), "NOT_ALLOWED", problem),))
    if not lines:
        problem = f"names {feature_key!r}, which the entry has no line of"
        raise ValidationError((fault((*INPUT, "featureKey"), "NOT_ALLOWED", problem),))
    return lines


def entry_of(rt: Runtime, principal: Principal, workspace_id: str, kind: UsageKind, input: Request) -> UsageEvent:
    """Return the ledger entry of a request, without its lines."""
    now = rt.clock.now_at()
    named = f"{principal.id}\n{workspace_id}\n{input.idempotency_key}"
    content: dict[str, Any] = msgspec.to_builtins(input, builtin_types=(Decimal,))
    asked = {name: value for name, value in content.items() if name not in ("idempotency_key", "workspace_id")}
    return UsageEvent(
        id=f"{ids.USAGE_EVENT}_{_digest(named.encode())[:32]}",
        workspace_id=workspace_id,
        kind=kind,
        lines=(),
        occurred_at=now,
        recorded_at=now,
        principal=principal.id,
        input_digest=_digest(msgspec.json.encode([kind, _plain(asked)], order="sorted")),
    )


def _plain(value: Any) -> Any:
    """Write equal amounts alike: 4.50 is 4.5."""
    if isinstance(value, Decimal):
        return str(value.normalize())
    if isinstance(value, dict):
        parts = cast("dict[str, Any]", value)  # of a struct: the names are its fields'
        return {name: _plain(part) for name, part in parts.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in cast("list[Any]", value)]  # of a struct: its items
    return value


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
