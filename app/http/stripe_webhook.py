"""POST /webhooks/stripe: verify, accept into the inbox, wake the worker; nothing else happens in the request."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.domain.errors import UnavailableError
from app.domain.stripe_event import StripeEvent, StripeEventStatus
from app.domain.stripe_object import SYNCED_TYPES
from app.domain.stripe_subject import subject_of
from app.ports.stripe import Inbox, SignatureError, WebhookVerifier
from app.ports.system import Clock
from app.telemetry import Metrics, logger

PATH: Final = "/webhooks/stripe"
LIMIT_BYTES: Final = 512 * 1024

_BODY_TIMEOUT_S: Final = 10
_MAX_SECONDS: Final = 253_402_300_799
_TOLD_EVERY_MS: Final = 60_000

_log = logger(__name__)
_Word = Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern=r"^[^\x00-\x20]+$")]


class _Named(msgspec.Struct, gc=False):
    object: str


class _Object(msgspec.Struct, gc=False):
    object: _Word | None = None
    id: _Word | None = None


class _Data(msgspec.Struct, gc=False):
    object: dict[str, Any]


class _Snapshot(msgspec.Struct, gc=False):
    id: _Word
    type: _Word
    created: Annotated[int, msgspec.Meta(ge=0, le=_MAX_SECONDS)]
    data: _Data
    livemode: bool
    api_version: _Word | None = None
    account: _Word | None = None


class _Related(msgspec.Struct, gc=False):
    id: _Word
    type: _Word


class _Thin(msgspec.Struct, gc=False):
    id: _Word
    type: _Word
    created: datetime
    livemode: bool
    context: str | None = None
    related_object: _Related | None = None


class EventRefusedError(Exception):
    """What came cannot become an event; `status` is what HTTP calls it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def webhook_route(
    inbox: Inbox,
    verifier: WebhookVerifier | None,
    *,
    clock: Clock,
    wake: Callable[[], None],
    metrics: Metrics,
    livemode: bool | None = None,
) -> Route:
    """Build the route. Without a `verifier` it answers 503.

    `livemode` is the mode of our API key: events of the other mode are stored and not used; None takes both.
    Those of a connected account are not used either: our key would look for their objects in our own account.
    """
    refusals = _Refusals(clock, metrics)

    async def receive(request: Request) -> Response:
        if verifier is None:
            return _answer(503, "no webhook secret is configured: set STRIPE_WEBHOOK_SECRET")
        try:
            body = await _read_body(request)
            verifier.verify(body, request.headers.get("stripe-signature"))
            event = read_event(body, received_at=clock.now_at(), livemode=livemode)
            accepted = await inbox.accept(event)
        except SignatureError as error:
            refusals.tell(str(error))
            return _answer(400, str(error))
        except EventRefusedError as error:
            refusals.tell(str(error))
            return _answer(error.status, str(error))
        except UnavailableError as error:
            _log.warning("stripe_event_not_stored", error=error.message)
            return _answer(503, "the event could not be stored; send it again")
        return _acknowledge(event, accepted=accepted, wake=wake, metrics=metrics)

    return Route(PATH, receive, methods=["POST"])


class _Refusals:
    """Count what is refused, and log the first of every minute: anybody can send here, and fill a log."""

    def __init__(self, clock: Clock, metrics: Metrics) -> None:
        self._clock = clock
        self._metrics = metrics
        self._told_at: int | None = None  # milliseconds

    def tell(self, reason: str) -> None:
        self._metrics.count("stripe_events", "refused")
        at = self._clock.now_at()
        if self._told_at is None or at - self._told_at >= _TOLD_EVERY_MS:
            self._told_at = at
            _log.warning("stripe_event_refused", reason=reason)


def _acknowledge(event: StripeEvent, *, accepted: bool, wake: Callable[[], None], metrics: Metrics) -> Response:
    if not accepted:
        outcome = "duplicate"
    elif event.status is StripeEventStatus.IGNORED:
        outcome = "ignored"
    else:
        outcome = "accepted"
        wake()
    metrics.count("stripe_events", outcome)
    return JSONResponse({"received": True, "outcome": outcome})


async def _read_body(request: Request) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_TIMEOUT_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > LIMIT_BYTES:
                    raise EventRefusedError(413, f"the body is larger than {LIMIT_BYTES} bytes")
    except TimeoutError as error:
        raise EventRefusedError(408, f"the body did not arrive within {_BODY_TIMEOUT_S} s") from error
    except ClientDisconnect as error:
        raise EventRefusedError(400, "the client went away") from error
    return bytes(body)


def read_event(body: bytes, *, received_at: int, livemode: bool | None) -> StripeEvent:
    """Read an event as Stripe sends it, or lists it. Raises `EventRefusedError`; see `webhook_route` for `livemode`."""
    try:
        raw: Any = orjson.loads(
            body
        )  # strict about all of it, unlike a typed decoder, which skips what it does not need
        named = msgspec.convert(raw, _Named)
        if named.object == "v2.core.event":
            return _from_thin(msgspec.convert(raw, _Thin), body, received_at=received_at, livemode=livemode)
        if named.object != "event":
            raise EventRefusedError(400, "the body is not a Stripe event")
        snapshot = msgspec.convert(raw, _Snapshot)
        return _from_snapshot(snapshot, body, received_at=received_at, livemode=livemode)
    except ValueError as error:
        raise EventRefusedError(400, f"the body is not a Stripe event as we know it: {error}"[:300]) from error


def _from_snapshot(snapshot: _Snapshot, body: bytes, *, received_at: int, livemode: bool | None) -> StripeEvent:
    told = msgspec.convert(snapshot.data.object, _Object)
    subject = subject_of(snapshot.type, snapshot.data.object)
    is_foreign = _is_foreign(snapshot.account, is_live=snapshot.livemode, livemode=livemode)
    reason = _foreign_reason(snapshot.account, is_live=snapshot.livemode) if is_foreign else None
    if subject is None and reason is None:
        reason = f"no object that is used is told of by {told.object} {told.id or ''}".rstrip()
    return StripeEvent(
        id=snapshot.id,
        type=snapshot.type,
        occurred_at=snapshot.created * 1000,
        received_at=received_at,
        payload=body.decode(),
        status=StripeEventStatus.IGNORED if reason else StripeEventStatus.RECEIVED,
        livemode=snapshot.livemode,
        api_version=snapshot.api_version,
        object_type=subject.type if subject else told.object,
        object_id=msgspec.convert(subject.id, _Word) if subject else told.id,
        reason=reason,
        foreign=is_foreign,
    )


def _is_foreign(account: str | None, *, is_live: bool, livemode: bool | None) -> bool:
    """Tell whether our API key cannot ask for the event's object."""
    return account is not None or (livemode is not None and is_live != livemode)


def _foreign_reason(account: str | None, *, is_live: bool) -> str:
    if account is not None:
        return (
            f"it is of the connected account {account}, which is not synced; "
            "let the webhook endpoint listen to events of your own account only"
        )
    theirs, ours = ("live", "test") if is_live else ("test", "live")
    return (
        f"it is of Stripe's {theirs} mode and STRIPE_SECRET_KEY of {ours} mode; "
        f"remove this endpoint in {theirs} mode, or set a key and a webhook secret of that mode"
    )


def _from_thin(thin: _Thin, body: bytes, *, received_at: int, livemode: bool | None) -> StripeEvent:
    """Read an event that only names its object; so it is of use where the object can be asked for."""
    about = thin.related_object
    is_foreign = _is_foreign(thin.context or None, is_live=thin.livemode, livemode=livemode)
    if is_foreign:
        reason = _foreign_reason(thin.context or None, is_live=thin.livemode)
    elif about is None or about.type not in SYNCED_TYPES:
        reason = f"objects of type {about.type} are not used" if about else "it names no object"
    else:
        reason = "a thin event says nothing of its object: set STRIPE_SECRET_KEY" if livemode is None else None
    return StripeEvent(
        id=thin.id,
        type=thin.type,
        occurred_at=int(thin.created.timestamp() * 1000),
        received_at=received_at,
        payload=body.decode(),
        status=StripeEventStatus.IGNORED if reason else StripeEventStatus.RECEIVED,
        livemode=thin.livemode,
        object_type=about.type if about else None,
        object_id=about.id if about else None,
        reason=reason,
        foreign=is_foreign,
    )


def _answer(status: int, message: str) -> Response:
    return JSONResponse({"error": message}, status_code=status)
