"""Start a backfill from Stripe, and tell how far it is; `sync.jobs.stripe_backfill` does the work."""

from collections.abc import Sequence
from typing import Final

import msgspec

from app.domain import ids
from app.domain.api_key import Principal
from app.domain.change import Record
from app.domain.errors import ConflictError
from app.domain.faults import idempotency_key_faults, refuse
from app.domain.stripe_backfill import Backfill, BackfillStatus
from app.runtime import Runtime
from app.services.idempotency import once
from app.services.stripe_access import require_stripe
from app.telemetry import logger

JOB: Final = "stripe_backfill"
OPERATION: Final = "backfillStripe"

_TRIES: Final = 3
_SHORTEST_RETENTION_MS: Final = 3_600_000  # of answers by key: later the same key is another request

_log = logger(__name__)


class BackfillStripeInput(msgspec.Struct, frozen=True, kw_only=True):
    idempotency_key: str
    dry_run: bool = False


class StartedBackfill(msgspec.Struct, frozen=True):
    """The backfill as it was started; `replayed` where this request had been answered before."""

    backfill: Backfill
    replayed: bool


async def start_backfill(rt: Runtime, principal: Principal, input: BackfillStripeInput) -> StartedBackfill:
    """Start to read all that Stripe has and to store what differs; with `dry_run` only to count what would.

    Raises `ConflictError` while one runs, in whichever process; `StripeRefusedError` without a key to ask Stripe with.
    """
    refuse(idempotency_key_faults(input.idempotency_key))
    require_stripe(rt)
    request = f"{principal.id}:{input.idempotency_key}"
    begun: list[Backfill] = []

    async def decide() -> Sequence[Record]:
        begun.append(await _begin(rt, request, dry_run=input.dry_run))
        _log.info("backfill started", backfill=begun[-1].id, principal=principal.id, dry_run=input.dry_run)
        return ()

    done = await once(
        rt,
        principal,
        OPERATION,
        input.idempotency_key,
        input,
        decide,
        answer=lambda: msgspec.json.encode(begun[-1]).decode(),
    )
    rt.sync.wake_backfill()
    return StartedBackfill(msgspec.json.decode(done.answer, type=Backfill), done.replayed)


async def current_backfill(rt: Runtime) -> Backfill | None:
    """Return the backfill that runs, else the last one; None where there never was one."""
    return (await rt.jobs.read(JOB, Backfill))[0]


async def _begin(rt: Runtime, request: str, *, dry_run: bool) -> Backfill:
    for _ in range(_TRIES):
        current, revision = await rt.jobs.read(JOB, Backfill)
        if current is not None and current.request == request and _is_recent(rt, current):
            return current  # a process began it, and died before it could note that it had
        if current is not None and current.status is BackfillStatus.RUNNING:
            raise ConflictError(f"{current.id} runs already; `entitled stripe backfill` follows it")
        run = Backfill(id=rt.ids.new(ids.BACKFILL), request=request, dry_run=dry_run, started_at=rt.clock.now_at())
        if await rt.jobs.write(JOB, run, revision=revision):
            return run
    raise ConflictError("another request started or ended a backfill at the same time; ask again")


def _is_recent(rt: Runtime, run: Backfill) -> bool:
    is_running = run.status is BackfillStatus.RUNNING
    return is_running or run.started_at > rt.clock.now_at() - _SHORTEST_RETENTION_MS
