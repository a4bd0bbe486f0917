"""Usage: consume, reserve, settle, release, record, set and correct."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any, Final

import strawberry

from app.domain.consumption import Wanted
from app.domain.errors import BillingError, NotReadyError, UnavailableError
from app.graphql.context import Context, Info
from app.graphql.errors import bad_input
from app.graphql.limits import BODY_LIMIT_BYTES
from app.graphql.mutations.inputs import REPLAYED, WORKSPACE, to_texts
from app.graphql.permissions import WRITES_USAGE, follows, requires
from app.graphql.scalars import DateTime, Json
from app.graphql.types.entitlement import Entitlement, EntitlementDecision
from app.graphql.types.errors import (
    ConflictError,
    IdempotencyConflictError,
    LimitExceededError,
    NotFoundError,
    ValidationError,
    refusal_of,
)
from app.services import usage

BATCH_MAX: Final = 1_000

_KEY: Final = (
    "Your name for this request, unique per API key and workspace among all requests of usage, for as long as the "
    "ledger keeps its entry: the same input again replays the stored answer, another input is refused. One that was "
    "refused may be sent again."
)
_EVENT: Final = "Our id of the ledger's entry."
_DECISIONS: Final = "Per line, in their order: the entitlement as it is now, a check for one more unit."
_RESERVATION: Final = "As `reserve` gave it."
_COUNTED: Final = "A METERED or CREDIT feature."


@strawberry.input(description="So much of one feature.")
class UsageLineInput:
    feature_key: str = strawberry.field(description=_COUNTED)
    amount: Decimal = strawberry.field(
        description="In the feature's own unit, also where it draws on credits. Up to 9 decimal places, as a string."
    )


@strawberry.input(description="Lines to be used: all of them or none.")
class ConsumeInput:
    idempotency_key: str = strawberry.field(description=_KEY)
    workspace_id: strawberry.ID = strawberry.field(description=WORKSPACE)
    lines: list[UsageLineInput] = strawberry.field(description="1 to 100; a feature may stand several times.")


@strawberry.input(description="Lines to be held back: all of them or none.")
class ReserveInput:
    idempotency_key: str = strawberry.field(description=_KEY)
    workspace_id: strawberry.ID = strawberry.field(description=WORKSPACE)
    lines: list[UsageLineInput] = strawberry.field(description="1 to 100; a feature may stand several times.")
    ttl_seconds: int = strawberry.field(
        default=300, description="After so many seconds all of it returns by itself; 1 to 604,800."
    )


@strawberry.input(description="What was really used of a reservation.")
class SettleInput:
    idempotency_key: str = strawberry.field(description=_KEY)
    reservation_id: strawberry.ID = strawberry.field(description=_RESERVATION)
    actual: list[UsageLineInput] | None = strawberry.field(
        default=None,
        description=(
            "Null is all that was reserved. Otherwise a feature left out was not used, and an amount may be 0, or more "
            "than was reserved: it has happened."
        ),
    )


@strawberry.input(description="A reservation of which nothing was used.")
class ReleaseInput:
    idempotency_key: str = strawberry.field(description=_KEY)
    reservation_id: strawberry.ID = strawberry.field(description=_RESERVATION)


@strawberry.input(description="What has already been used.")
class RecordUsageInput:
    idempotency_key: str = strawberry.field(description=_KEY)
    workspace_id: strawberry.ID = strawberry.field(description=WORKSPACE)
    feature_key: str = strawberry.field(description=_COUNTED)
    amount: Decimal = strawberry.field(
        description="How much. Negative only for FLUCTUATING features, whose level it lowers."
    )
    occurred_at: DateTime | None = strawberry.field(
        default=None, description="When; null is now. At most USAGE_BACKDATE_HOURS ago (72 unless set otherwise)."
    )
    properties: Json | None = strawberry.field(
        default=None, description="For your own records: an object of up to 20 strings."
    )


@strawberry.input(description="Reports of usage, each of which is recorded, or refused, on its own.")
class RecordUsageBatchInput:
    records: list[RecordUsageInput] = strawberry.field(
        description="1 to 1,000, each with its own idempotencyKey, in a request of at most "
        f"{BODY_LIMIT_BYTES // 1024} kB: with long properties that are fewer."
    )


@strawberry.input(description="What level a FLUCTUATING feature stands at.")
class SetUsageInput:
    idempotency_key: str = strawberry.field(description=_KEY)
    workspace_id: strawberry.ID = strawberry.field(description=WORKSPACE)
    feature_key: str = strawberry.field(description="A FLUCTUATING feature, such as seats or storage.")
    level: Decimal = strawberry.field(description="How much there is now, in all.")


@strawberry.input(description="What an earlier entry should have said.")
class CorrectUsageInput:
    idempotency_key: str = strawberry.field(description=_KEY)
    workspace_id: strawberry.ID = strawberry.field(description=WORKSPACE)
    event_id: strawberry.ID = strawberry.field(description="The entry: one that recorded, consumed or settled.")
    feature_key: str = strawberry.field(description="Which of its features.")
    amount: Decimal = strawberry.field(
        description=(
            "The right amount of the feature in all; 0 takes it back. It counts when the entry did, at its cost. A "
            "level moves now, by the difference, whatever it was set to since; below 0 only where a fall was recorded."
        )
    )
    reason: str = strawberry.field(description="Why; it stays in the ledger.")


@strawberry.interface(description="What a change of usage came to.")
class UsagePayload:
    event_id: strawberry.ID = strawberry.field(description=_EVENT)
    decisions: list[EntitlementDecision] = strawberry.field(description=_DECISIONS)
    replayed: bool = strawberry.field(description=REPLAYED)


@strawberry.type(directives=follows(), description="All lines were used.")
class ConsumePayload(UsagePayload):
    pass


@strawberry.type(directives=follows(), description="All lines are held back.")
class ReservationPayload(UsagePayload):
    reservation_id: strawberry.ID = strawberry.field(description="Give it to `settle` or `release`.")
    expires_at: DateTime = strawberry.field(description="When all of it returns by itself.")


@strawberry.type(directives=follows(), description="What was used is counted, the rest has returned.")
class SettlePayload(UsagePayload):
    pass


@strawberry.type(directives=follows(), description="All of it has returned.")
class ReleasePayload(UsagePayload):
    pass


@strawberry.type(directives=follows(), description="The entitlement after the usage.")
class RecordUsagePayload:
    event_id: strawberry.ID = strawberry.field(description=_EVENT)
    entitlement: Entitlement = strawberry.field(description="As it is now: a check for one more unit.")
    replayed: bool = strawberry.field(description=REPLAYED)


ConsumeResult = Annotated[
    ConsumePayload | LimitExceededError | ValidationError | NotFoundError | ConflictError | IdempotencyConflictError,
    strawberry.union("ConsumeResult", description="The entitlements, or which line was refused and why."),
]
ReserveResult = Annotated[
    ReservationPayload
    | LimitExceededError
    | ValidationError
    | NotFoundError
    | ConflictError
    | IdempotencyConflictError,
    strawberry.union("ReserveResult", description="The reservation, or which line was refused and why."),
]
SettleResult = Annotated[
    SettlePayload | ValidationError | NotFoundError | ConflictError | IdempotencyConflictError,
    strawberry.union("SettleResult", description="The entitlements, or why nothing was settled."),
]
ReleaseResult = Annotated[
    ReleasePayload | ValidationError | NotFoundError | ConflictError | IdempotencyConflictError,
    strawberry.union("ReleaseResult", description="The entitlements, or why nothing was released."),
]
RecordUsageResult = Annotated[
    RecordUsagePayload | ValidationError | NotFoundError | ConflictError | IdempotencyConflictError,
    strawberry.union("RecordUsageResult", description="The entitlement, or why nothing was recorded."),
]


@strawberry.type(directives=follows(), description="What became of each report.")
class RecordUsageBatchPayload:
    results: list[RecordUsageResult] = strawberry.field(description="In the order of `records`.")


@strawberry.type
class UsageMutations:
    @strawberry.mutation(
        directives=requires(*WRITES_USAGE),
        description="Use several features and credits, all or none, within their limits. Decided by the database.",
    )
    async def consume(self, info: Info, input: ConsumeInput) -> ConsumeResult:
        command = usage.ConsumeInput(
            idempotency_key=input.idempotency_key, workspace_id=input.workspace_id, lines=_lines(input.lines)
        )
        return ConsumePayload(**_used(await usage.consume(info.context.loaded(), info.context.principal, command)))

    @strawberry.mutation(
        directives=requires(*WRITES_USAGE),
        description="Hold back several features and credits, all or none, for work whose cost is not known yet. "
        "The open reservations of a workspace have at most 1,000 lines.",
    )
    async def reserve(self, info: Info, input: ReserveInput) -> ReserveResult:
        command = usage.ReserveInput(
            idempotency_key=input.idempotency_key,
            workspace_id=input.workspace_id,
            lines=_lines(input.lines),
            ttl_s=input.ttl_seconds,
        )
        done = await usage.reserve(info.context.loaded(), info.context.principal, command)
        return ReservationPayload(
            **_used(done),
            reservation_id=strawberry.ID(done.event.reservation_id or ""),
            expires_at=DateTime(done.event.expires_at or 0),
        )

    @strawberry.mutation(
        directives=requires(*WRITES_USAGE),
        description="Use what was really used of a reservation; the rest returns to the very grants it came from.",
    )
    async def settle(self, info: Info, input: SettleInput) -> SettleResult:
        command = usage.SettleInput(
            idempotency_key=input.idempotency_key,
            reservation_id=input.reservation_id,
            actual=None if input.actual is None else _lines(input.actual),
        )
        return SettlePayload(**_used(await usage.settle(info.context.loaded(), info.context.principal, command)))

    @strawberry.mutation(
        directives=requires(*WRITES_USAGE), description="Give all of a reservation back to where it came from."
    )
    async def release(self, info: Info, input: ReleaseInput) -> ReleaseResult:
        command = usage.ReleaseInput(idempotency_key=input.idempotency_key, reservation_id=input.reservation_id)
        return ReleasePayload(**_used(await usage.release(info.context.loaded(), info.context.principal, command)))

    @strawberry.mutation(
        directives=requires(*WRITES_USAGE),
        description="Record what has already happened, also beyond a HARD limit: `remaining` is 0 then.",
    )
    async def record_usage(self, info: Info, input: RecordUsageInput) -> RecordUsageResult:
        return await _record(info.context, input)

    @strawberry.mutation(
        directives=requires(*WRITES_USAGE),
        description="Record up to 1,000 reports at once. One that is refused does not hold up the others.",
    )
    async def record_usage_batch(self, info: Info, input: RecordUsageBatchInput) -> RecordUsageBatchPayload:
        if not 1 <= len(input.records) <= BATCH_MAX:
            raise bad_input(f"`records` has 1 to {BATCH_MAX} entries, and not {len(input.records)}")
        recording = (_record_or_refuse(info.context, record) for record in input.records)
        # All have ended before the failure of one is told: none is counted behind the answer's back.
        results: list[Any] = await asyncio.gather(*recording, return_exceptions=True)
        for failure in results:
            if isinstance(failure, BaseException):
                raise failure
        return RecordUsageBatchPayload(results=results)

    @strawberry.mutation(
        directives=requires(*WRITES_USAGE),
        description="Say what level a FLUCTUATING feature stands at, also beyond a HARD limit.",
    )
    async def set_usage(self, info: Info, input: SetUsageInput) -> RecordUsageResult:
        command = usage.SetUsageInput(
            idempotency_key=input.idempotency_key,
            workspace_id=input.workspace_id,
            feature_key=input.feature_key,
            level=input.level,
        )
        return _recorded(await usage.set_usage(info.context.loaded(), info.context.principal, command))

    @strawberry.mutation(
        directives=requires(*WRITES_USAGE),
        description="Correct an earlier entry. It stays as it was; a new one holds the difference and the reason.",
    )
    async def correct_usage(self, info: Info, input: CorrectUsageInput) -> RecordUsageResult:
        command = usage.CorrectUsageInput(
            idempotency_key=input.idempotency_key,
            workspace_id=input.workspace_id,
            event_id=input.event_id,
            feature_key=input.feature_key,
            amount=input.amount,
            reason=input.reason,
        )
        return _recorded(await usage.correct_usage(info.context.loaded(), info.context.principal, command))


async def _record(context: Context, input: RecordUsageInput) -> RecordUsagePayload:
    command = usage.RecordUsageInput(
        idempotency_key=input.idempotency_key,
        workspace_id=input.workspace_id,
        feature_key=input.feature_key,
        amount=input.amount,
        occurred_at=input.occurred_at,
        properties=to_texts(input.properties, "properties"),
    )
    return _recorded(await usage.record_usage(context.loaded(), context.principal, command))


async def _record_or_refuse(context: Context, input: RecordUsageInput) -> Any:
    """Record, or return the refusal as the member of the union. What is nobody's fault fails the whole batch."""
    try:
        return await _record(context, input)
    except (NotReadyError, UnavailableError):
        raise
    except BillingError as error:
        return refusal_of(error)


def _lines(lines: Sequence[UsageLineInput]) -> tuple[Wanted, ...]:
    return tuple(Wanted(line.feature_key, line.amount) for line in lines)


def _used(done: usage.Used) -> dict[str, Any]:
    decisions = [
        EntitlementDecision.of(answer, question)
        for question, answer in zip(done.questions, done.entitlements, strict=True)
    ]
    return {"event_id": strawberry.ID(done.event.id), "decisions": decisions, "replayed": done.replayed}


def _recorded(done: usage.Used) -> RecordUsagePayload:
    return RecordUsagePayload(
        event_id=strawberry.ID(done.event.id),
        entitlement=Entitlement.from_domain(done.entitlements[0]),
        replayed=done.replayed,
    )
