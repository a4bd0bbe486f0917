"""Compose the process: the only module that knows every other one."""

import asyncio
import secrets
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from inspect import isawaitable
from typing import Final

from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.routing import Route

from app.cache.cache import BillingCache
from app.cache.feed import Feed
from app.domain.change import Kind
from app.domain.stripe_event import StripeEvent
from app.gateways.clock import SystemClock, Uuid7Ids
from app.gateways.stripe import StripeProcessor, is_livemode
from app.gateways.stripe_signatures import StripeSignatures
from app.graphql.endpoint import graphql_routes
from app.graphql.graphiql.routes import graphiql_routes
from app.http.auth import authenticate
from app.http.routes import build_app
from app.http.server import serve_until_told, url_of
from app.http.stripe_webhook import EventRefusedError, read_event, webhook_route
from app.runtime import Runtime
from app.services.group_commit import GroupCommit
from app.services.lookup import Lookup
from app.settings import Settings
from app.store.audit import MongoAuditTrail
from app.store.billing_events import MongoBillingEvents
from app.store.inbox import MongoInbox
from app.store.jobs import MongoJobStates
from app.store.ledger import MongoLedger
from app.store.mirrors import MongoMirrors
from app.store.mongo import Mongo, Retention
from app.store.rates import MongoRates
from app.store.records import MongoStore
from app.telemetry import Metrics, configure_logging, logger
from sync.control import SyncControl
from sync.stripe.backoff import Backoff, PatientProcessor
from sync.supervisor import SyncService

OnReady = Callable[[str], Awaitable[None] | None]

_DAY_S: Final = 86_400
_POLL_S: Final = 1.0
_ALONE_POLL_S: Final = 0.2  # no webhook wakes a process that takes none

log = logger(__name__)


async def run(settings: Settings, *, sockets: Sequence[socket.socket], on_ready: OnReady | None = None) -> None:
    """Serve on the bound `sockets` until SIGTERM or SIGINT; `on_ready` gets the base URL once RAM is loaded and live.

    Raises `SetupError` or `UnavailableError` where MongoDB cannot serve us, before anything is listened to.
    """
    configure_logging(level=settings.log_level, format=settings.log_format)
    mongo = Mongo(_revealed(settings.mongodb_uri), settings.mongodb_database, timeout_s=settings.mongodb_timeout_s)
    try:
        await mongo.open(retention=_retention(settings))
        async with _composed(settings, mongo) as (app, sync), asyncio.TaskGroup() as group:
            announcement = group.create_task(_announce(sync, url_of(sockets[0]), on_ready))
            await serve_until_told(app, sockets)
            announcement.cancel()
    finally:
        await mongo.close()


@asynccontextmanager
async def _composed(settings: Settings, mongo: Mongo) -> AsyncGenerator[tuple[Starlette, SyncControl]]:
    """Build everything, and keep RAM true while the block runs."""
    processor = _processor(settings, mongo)
    rt, sync = _runtime(settings, mongo, processor)
    sync.service = SyncService(
        mongo=mongo,
        store=rt.store,
        cache=rt.cache,
        metrics=rt.metrics,
        clock=rt.clock,
        reconcile_interval_s=settings.reconcile_interval_s,
        workers=sync.workers(),
        jobs=sync.jobs(rt),
    )
    try:
        async with sync.service.running():
            yield _app(settings, rt), sync
    finally:
        if processor is not None:
            await processor.close()


def _runtime(settings: Settings, mongo: Mongo, processor: StripeProcessor | None) -> tuple[Runtime, SyncControl]:
    """Build what every use case is given, and the workers that are given it."""
    clock, ids = SystemClock(), Uuid7Ids()
    cache = BillingCache(feed=Feed(), clock=clock, default_plan_key=settings.default_plan)
    store = MongoStore(mongo, on_malformed=lambda e: cache.note_malformed(Kind(e.kind), e.id, e.problem))
    inbox, ledger = MongoInbox(mongo, clock), MongoLedger(mongo)
    jobs = MongoJobStates(mongo, clock)
    jitter = secrets.SystemRandom().random
    backoff = Backoff(jobs, clock, jitter=jitter)
    patient = PatientProcessor(processor, backoff) if processor else None
    sync = SyncControl(cache, inbox, jobs, clock, backoff, works=settings.role != "api")
    rt = Runtime(
        clock=clock,
        ids=ids,
        store=store,
        mirrors=MongoMirrors(mongo),
        audit=MongoAuditTrail(mongo, retention_ms=_retention(settings).audit_s * 1000),
        billing_events=MongoBillingEvents(mongo),
        ledger=ledger,
        usage=GroupCommit(store, ledger, cache, clock=clock, ids=ids),
        cache=cache,
        inbox=inbox,
        jobs=jobs,
        lookup=Lookup(store, cache, clock),
        sync=sync,
        metrics=Metrics(),
        backdate_ms=settings.usage_backdate_hours * 3_600_000,
        stripe=processor,
        creates_workspaces=settings.stripe_unlinked_customers == "create",
    )
    sync.compose(
        rt,
        inbox,
        patient,
        read_event=partial(_read_listed, livemode=_livemode(settings)),
        accepts_payloads=bool(settings.stripe_webhook_secrets),
        concurrency=settings.stripe_workers,
        poll_s=_ALONE_POLL_S if settings.role == "worker" else _POLL_S,
        reconcile_interval_s=settings.stripe_reconcile_interval_s,
        relist_hour=settings.stripe_relist_hour,
        jitter=jitter,
    )
    return rt, sync


def _app(settings: Settings, rt: Runtime) -> Starlette:
    cursor_secret = _revealed(settings.cursor_secret).encode() or secrets.token_bytes(32)
    api = graphql_routes(rt, authenticate=partial(authenticate, rt), cursor_secret=cursor_secret)
    page = graphiql_routes(rt, authenticate=partial(authenticate, rt))
    webhooks = [_webhook(settings, rt)] if settings.role != "worker" else []
    return build_app(rt, routes=[*api, *page, *webhooks])


def _webhook(settings: Settings, rt: Runtime) -> Route:
    secrets_of_webhook = settings.stripe_webhook_secrets
    return webhook_route(
        rt.inbox,
        StripeSignatures(secrets_of_webhook, rt.clock) if secrets_of_webhook else None,
        clock=rt.clock,
        wake=rt.sync.wake,
        metrics=rt.metrics,
        livemode=_livemode(settings),
    )


async def _announce(sync: SyncControl, url: str, on_ready: OnReady | None) -> None:
    """Say where the service is, once it can answer."""
    log.info("listening", url=url)
    await sync.service.until_ready()
    log.info("ready", url=url)
    if on_ready is not None and isawaitable(told := on_ready(url)):
        await told


def _livemode(settings: Settings) -> bool | None:
    key = _revealed(settings.stripe_secret_key)
    return is_livemode(key) if key else None


def _read_listed(body: bytes, received_at: int, *, livemode: bool | None) -> StripeEvent | None:
    """Read an event that Stripe lists; one that the webhook would refuse is left out."""
    try:
        return read_event(body, received_at=received_at, livemode=livemode)
    except EventRefusedError as error:
        log.warning("stripe_event_refused", reason=str(error))
        return None


def _processor(settings: Settings, mongo: Mongo) -> StripeProcessor | None:
    if settings.stripe_secret_key is None:
        return None
    return StripeProcessor(
        _revealed(settings.stripe_secret_key),
        api_base=settings.stripe_api_base,
        timeout_s=settings.stripe_timeout_s,
        rate_per_s=settings.stripe_rate_per_s,
        endpoint_rate_per_s=settings.stripe_endpoint_rate_per_s,
        rates=MongoRates(mongo),
    )


def _retention(settings: Settings) -> Retention:
    return Retention(
        audit_s=settings.audit_retention_days * _DAY_S,
        idempotency_s=settings.idempotency_retention_hours * 3600,
        stripe_events_s=settings.inbox_retention_days * _DAY_S,
        billing_events_s=settings.billing_event_retention_days * _DAY_S,
    )


def _revealed(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""
