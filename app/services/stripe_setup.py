"""Set our webhook endpoint up at Stripe: look what is there, plan, change."""

from collections.abc import Iterator, Sequence
from typing import Final
from urllib.parse import urlsplit

import msgspec

from app.domain.api_key import Principal
from app.domain.change import Record
from app.domain.errors import FieldError
from app.domain.faults import INPUT, fault, idempotency_key_faults, refuse, text_faults
from app.domain.stripe_object import SYNCED_TYPES
from app.domain.stripe_setup import (
    SetupAction,
    SetupChange,
    SetupFinding,
    SetupPlan,
    WebhookEndpoint,
    access_findings,
    events_about,
    plan_endpoint,
)
from app.ports.stripe import StripeAccount
from app.runtime import Runtime
from app.services.idempotency import once
from app.services.stripe_access import asking_stripe, require_stripe
from app.telemetry import logger

OPERATION: Final = "setUpStripe"
EVENTS: Final = events_about(SYNCED_TYPES)
"""The types of events that we use."""

_URL_MAX: Final = 2000

_log = logger(__name__)


class SetUpStripeInput(msgspec.Struct, frozen=True, kw_only=True):
    """`url` is where Stripe reaches this service's webhook."""

    idempotency_key: str
    url: str
    dry_run: bool = False


class StripeSetup(msgspec.Struct, frozen=True, kw_only=True):
    """How it is now, with the changes that were made; in a dry run, how it was and what would be changed.

    `secret` is known to whoever created the endpoint, once, and never stored.
    """

    livemode: bool
    api_version: str
    endpoint: WebhookEndpoint | None
    changes: tuple[SetupChange, ...] = ()
    findings: tuple[SetupFinding, ...] = ()
    replayed: bool = False
    secret: str | None = None


async def set_up_stripe(rt: Runtime, principal: Principal, input: SetUpStripeInput) -> StripeSetup:
    """Make or update the one endpoint that sends the events that we use to the address; nothing is ever deleted.

    Where the key is of another mode or may not read all that we need, nothing is changed. Doing it twice does no harm.
    Raises `StripeRefusedError`, `UnavailableError`.
    """
    refuse(idempotency_key_faults(input.idempotency_key), _url_faults(input.url))
    account = require_stripe(rt)
    if input.dry_run:
        with asking_stripe():
            return _told(account, await _plan(account, input.url))
    done: list[StripeSetup] = []

    async def decide() -> Sequence[Record]:
        with asking_stripe():
            request = f"{principal.id}:{OPERATION}:{input.idempotency_key}"
            done.append(await _apply(account, await _plan(account, input.url), input.url, request))
        actions = [change.action.value for change in done[-1].changes]
        _log.info("stripe set up", principal=principal.id, url=input.url, changes=actions)
        return ()

    def answer() -> str:
        return msgspec.json.encode(msgspec.structs.replace(done[-1], secret=None)).decode()

    told = await once(rt, principal, OPERATION, input.idempotency_key, input, decide, answer=answer)
    if not told.replayed:
        return done[-1]
    return msgspec.structs.replace(msgspec.json.decode(told.answer, type=StripeSetup), replayed=True)


async def _plan(account: StripeAccount, url: str) -> SetupPlan:
    if problems := access_findings(await account.access(), livemode=account.livemode):
        return SetupPlan(findings=problems)
    return plan_endpoint(await account.endpoints(), url, EVENTS, api_version=account.api_version)


async def _apply(account: StripeAccount, plan: SetupPlan, url: str, request: str) -> StripeSetup:
    if not plan.changes:
        return _told(account, plan)
    if plan.endpoint is not None:
        return _told(account, plan, endpoint=await account.update_endpoint(plan.endpoint.id, EVENTS))
    made = await account.create_endpoint(url, EVENTS, idempotency_key=request)
    created = SetupChange(action=SetupAction.CREATE, endpoint_id=made.endpoint.id, added=EVENTS)
    plan = msgspec.structs.replace(plan, changes=(created,))
    return _told(account, plan, endpoint=made.endpoint, secret=made.secret)


def _told(
    account: StripeAccount, plan: SetupPlan, *, endpoint: WebhookEndpoint | None = None, secret: str | None = None
) -> StripeSetup:
    return StripeSetup(
        livemode=account.livemode,
        api_version=account.api_version,
        endpoint=endpoint or plan.endpoint,
        changes=plan.changes,
        findings=plan.findings,
        secret=secret,
    )


def _url_faults(url: str) -> Iterator[FieldError]:
    path = (*INPUT, "url")
    yield from text_faults(path, url, longest=_URL_MAX)
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        is_address, parts = False, None
    if not is_address or parts is None:
        yield fault(path, "INVALID_FORMAT", "must be an address that Stripe can reach: https://…/webhooks/stripe")
    elif parts.path in ("", "/"):
        yield fault(path, "INVALID_FORMAT", "lacks its path, which is /webhooks/stripe unless a proxy maps another")
