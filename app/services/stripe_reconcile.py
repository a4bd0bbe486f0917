"""Ask for a reconciliation with Stripe, and tell what reconciling found; `sync.jobs.stripe_reconcile` does the work."""

from collections.abc import Sequence
from typing import Final

import msgspec

from app.domain.api_key import Principal
from app.domain.change import Record
from app.domain.errors import ConflictError, ValidationError
from app.domain.faults import idempotency_key_faults, refuse
from app.domain.stripe_reconcile import Asked, StripeReconcile
from app.runtime import Runtime
from app.services.idempotency import once
from app.services.stripe_access import require_stripe
from app.telemetry import logger

JOB: Final = "stripe_reconcile"
OPERATION: Final = "reconcileStripe"
REACH_MS: Final = 30 * 86_400_000
"""How far back Stripe lists events."""

_TRIES: Final = 6

_log = logger(__name__)


class ReconcileStripeInput(msgspec.Struct, frozen=True, kw_only=True):
    idempotency_key: str
    since_at: int


async def ask_reconcile(rt: Runtime, principal: Principal, input: ReconcileStripeInput) -> bool:
    """Have every event since then brought to the inbox; tell whether this request had been answered before.

    Raises `ValidationError` for a time that Stripe lists no events of, `StripeRefusedError` without a key to ask with.
    """
    refuse(idempotency_key_faults(input.idempotency_key))
    require_stripe(rt)
    asked = Asked(f"{principal.id}:{input.idempotency_key}", input.since_at)

    async def decide() -> Sequence[Record]:
        _refuse_unreachable(input.since_at, rt.clock.now_at())
        await _ask(rt, asked)
        _log.info("reconciliation asked for", since_at=input.since_at, principal=principal.id)
        return ()

    done = await once(rt, principal, OPERATION, input.idempotency_key, input, decide)
    rt.sync.wake_reconcile()
    return done.replayed


async def current_reconcile(rt: Runtime) -> StripeReconcile | None:
    """Return what reconciling remembers; None where it never ran."""
    return (await rt.jobs.read(JOB, StripeReconcile))[0]


def first_state(now_at: int) -> StripeReconcile:
    """Return what is remembered before the first time: what happened until now was seen by nobody."""
    return StripeReconcile(watching_since_at=now_at, seen_at=now_at)


async def _ask(rt: Runtime, asked: Asked) -> None:
    for _ in range(_TRIES):
        state, revision = await rt.jobs.read(JOB, StripeReconcile)
        before = state or first_state(rt.clock.now_at())
        since_at = min(asked.since_at, before.asked.since_at) if before.asked else asked.since_at
        after = msgspec.structs.replace(before, asked=Asked(asked.request, since_at))
        if await rt.jobs.write(JOB, after, revision=revision):
            return
    raise ConflictError("reconciling goes on at the same time; ask again")


def _refuse_unreachable(since_at: int, now_at: int) -> None:
    if since_at > now_at:
        raise ValidationError.of("input.since", "OUT_OF_RANGE", "since lies in the future")
    if since_at < now_at - REACH_MS:
        problem = "Stripe lists the events of the last 30 days; a backfill reads what is older"
        raise ValidationError.of("input.since", "OUT_OF_RANGE", problem)
