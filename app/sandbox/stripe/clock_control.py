"""The clock's controls: read it, and advance it."""

import asyncio
import logging

import msgspec
from starlette.requests import Request

from app.sandbox.stripe.bodies import decode
from app.sandbox.stripe.errors import StripeError
from app.sandbox.stripe.life import run_due
from app.sandbox.stripe.sandbox import Sandbox
from app.sandbox.stripe.wire import JsonObject

_LONGEST_S = 5 * 366 * 86_400
_TICK_S = 0.5
_LOG = logging.getLogger(__name__)


class Advance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the clock goes: `to` an instant, or on `by` so many seconds."""

    to: int | None = None
    by: int | None = None


def show(sandbox: Sandbox, _request: Request, _body: bytes) -> JsonObject:
    return {"now": sandbox.now(), "offset": sandbox.clock.offset}


def advance(sandbox: Sandbox, _: Request, body: bytes) -> JsonObject:
    """Advance the clock; what becomes due on the way happens in order of time, each at its own instant."""
    happened = move(sandbox, _seconds(decode(body, Advance), sandbox.now()))
    return {"now": sandbox.now(), "offset": sandbox.clock.offset, "happened": happened}


def move(sandbox: Sandbox, seconds: int) -> int:
    """Advance the clock, and return how much happened on the way."""
    happened = run_due(sandbox, sandbox.now() + seconds)
    sandbox.clock.offset += seconds
    sandbox.deliveries.follow_clock()
    return happened


def _seconds(wanted: Advance, now: int) -> int:
    if wanted.to is not None and wanted.by is None:
        seconds, param = wanted.to - now, "to"
    elif wanted.by is not None and wanted.to is None:
        seconds, param = wanted.by, "by"
    else:
        raise StripeError("Name either `to`, an instant in epoch seconds, or `by`, a number of seconds.")
    if seconds < 0:
        raise StripeError(f"The clock stands at {now} and never goes back.", param=param)
    if seconds > _LONGEST_S:
        raise StripeError("The clock advances by at most five years at a time.", param=param)
    return seconds


async def follow(sandbox: Sandbox) -> None:
    """Let what becomes due happen as time passes, also while nobody asks."""
    while True:
        try:
            run_due(sandbox, sandbox.now())
        except Exception:  # noqa: BLE001 - an object was set to what cannot be billed; time goes on for the others
            _LOG.exception("what was due could not happen")
        await asyncio.sleep(_TICK_S)
