"""Our webhook endpoint at Stripe: which events it is to be sent, and what is to change there for that."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Final

import msgspec

EVENTS_ABOUT: Final[Mapping[str, tuple[str, ...]]] = {
    "customer": ("customer.created", "customer.updated", "customer.deleted"),
    "product": ("product.created", "product.updated", "product.deleted"),
    "price": ("price.created", "price.updated", "price.deleted"),
    "coupon": ("coupon.created", "coupon.updated", "coupon.deleted"),
    "promotion_code": ("promotion_code.created", "promotion_code.updated"),
    "checkout.session": (
        "checkout.session.completed",
        "checkout.session.async_payment_succeeded",
        "checkout.session.async_payment_failed",
        "checkout.session.expired",
    ),
    "subscription": (
        "customer.subscription.created",
        "customer.subscription.updated",
        "customer.subscription.deleted",
        "customer.subscription.paused",
        "customer.subscription.resumed",
        "customer.subscription.pending_update_applied",
        "customer.subscription.pending_update_expired",
        "customer.subscription.trial_will_end",
    ),
    "subscription_schedule": (
        "subscription_schedule.created",
        "subscription_schedule.updated",
        "subscription_schedule.expiring",
        "subscription_schedule.released",
        "subscription_schedule.completed",
        "subscription_schedule.canceled",
        "subscription_schedule.aborted",
    ),
    "invoice": (
        "invoice.created",
        "invoice.updated",
        "invoice.deleted",
        "invoice.finalized",
        "invoice.finalization_failed",
        "invoice.sent",
        "invoice.paid",
        "invoice.payment_succeeded",
        "invoice.payment_failed",
        "invoice.payment_action_required",
        "invoice.marked_uncollectible",
        "invoice.voided",
        "invoice.upcoming",
    ),
    "payment_intent": (
        "payment_intent.created",
        "payment_intent.processing",
        "payment_intent.requires_action",
        "payment_intent.succeeded",
        "payment_intent.payment_failed",
        "payment_intent.canceled",
    ),
    "charge": (
        "charge.succeeded",
        "charge.pending",
        "charge.failed",
        "charge.captured",
        "charge.expired",
        "charge.refunded",
        "charge.updated",
    ),
    "refund": ("refund.created", "refund.updated", "refund.failed", "charge.refund.updated"),
    "dispute": (
        "charge.dispute.created",
        "charge.dispute.updated",
        "charge.dispute.closed",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.funds_reinstated",
    ),
    "entitlements.active_entitlement_summary": ("entitlements.active_entitlement_summary.updated",),
    "billing.meter": (
        "billing.meter.created",
        "billing.meter.updated",
        "billing.meter.deactivated",
        "billing.meter.reactivated",
    ),
}
"""The events about each type of object."""


class WebhookEndpoint(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint as Stripe has it. `api_version` None is the account's default."""

    id: str
    url: str
    enabled_events: tuple[str, ...]
    is_enabled: bool
    api_version: str | None
    created_at: int


class CreatedEndpoint(msgspec.Struct, frozen=True):
    """A new endpoint and the secret that it signs with, which Stripe's API tells only now."""

    endpoint: WebhookEndpoint
    secret: str


class AccountAccess(msgspec.Struct, frozen=True):
    """What an API key may read. `missing` names the permissions that a restricted key lacks.

    `livemode` is what the account's objects say of themselves, None where there are none yet.
    """

    livemode: bool | None
    missing: tuple[str, ...]


class SetupAction(StrEnum):
    """CREATE a new endpoint; SET_EVENTS that it is sent; ENABLE one that is disabled."""

    CREATE = "CREATE"
    SET_EVENTS = "SET_EVENTS"
    ENABLE = "ENABLE"


class SetupChange(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to change. `added` and `removed` are types of events."""

    action: SetupAction
    endpoint_id: str | None = None
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


class SetupFindingCode(StrEnum):
    """MISSING_PERMISSION and OTHER_MODE keep everything from being changed."""

    MISSING_PERMISSION = "MISSING_PERMISSION"
    OTHER_MODE = "OTHER_MODE"
    OTHER_API_VERSION = "OTHER_API_VERSION"
    DUPLICATE_ENDPOINT = "DUPLICATE_ENDPOINT"


class SetupFinding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is not ours to change, and what to do about it."""

    code: SetupFindingCode
    message: str
    endpoint_id: str | None = None


class SetupPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What there is, what is to change, and what is to be known. `endpoint` None has to be created."""

    endpoint: WebhookEndpoint | None = None
    changes: tuple[SetupChange, ...] = ()
    findings: tuple[SetupFinding, ...] = ()


def events_about(types: Collection[str]) -> tuple[str, ...]:
    """Return the events about objects of these types, each once. Raises `KeyError` for a type without events."""
    return tuple(dict.fromkeys(event for name in types for event in EVENTS_ABOUT[name]))


def access_findings(access: AccountAccess, *, livemode: bool) -> tuple[SetupFinding, ...]:
    """Return what keeps us from working with this key of the given mode."""
    return tuple(_access_findings(access, livemode=livemode))


def plan_endpoint(there: Sequence[WebhookEndpoint], url: str, events: Sequence[str], *, api_version: str) -> SetupPlan:
    """Return what it takes for exactly one of the account's endpoints to send these events to the address."""
    ours = sorted(
        (endpoint for endpoint in there if endpoint.url == url),
        key=lambda one: (not one.is_enabled, one.api_version != api_version, one.created_at, one.id),
    )
    if not ours:
        return SetupPlan(changes=(SetupChange(action=SetupAction.CREATE, added=tuple(events)),))
    endpoint, *others = ours
    return SetupPlan(
        endpoint=endpoint,
        changes=tuple(_changes(endpoint, events)),
        findings=(*_version_findings(endpoint, api_version), *map(_duplicate, others)),
    )


def _access_findings(access: AccountAccess, *, livemode: bool) -> Iterator[SetupFinding]:
    if access.livemode not in (None, livemode):
        said, found = ("live", "test") if livemode else ("test", "live")
        problem = f"the key is of the {said} mode and the account answers in the {found} mode: use the other key"
        yield SetupFinding(code=SetupFindingCode.OTHER_MODE, message=f"{problem} in STRIPE_SECRET_KEY")
    for permission in access.missing:
        advice = f"the restricted key lacks {permission}: add it to the key in the Dashboard, under API keys"
        yield SetupFinding(code=SetupFindingCode.MISSING_PERMISSION, message=advice)


def _changes(endpoint: WebhookEndpoint, events: Sequence[str]) -> Iterator[SetupChange]:
    added = tuple(event for event in events if event not in endpoint.enabled_events)
    removed = tuple(event for event in endpoint.enabled_events if event not in events)
    if added or removed:
        yield SetupChange(action=SetupAction.SET_EVENTS, endpoint_id=endpoint.id, added=added, removed=removed)
    if not endpoint.is_enabled:
        yield SetupChange(action=SetupAction.ENABLE, endpoint_id=endpoint.id)


def _version_findings(endpoint: WebhookEndpoint, api_version: str) -> Iterator[SetupFinding]:
    if endpoint.api_version != api_version:
        told = endpoint.api_version or "the account's default version"
        advice = f"it is sent events of {told}, which are read as well; to get {api_version}, delete it and set up anew"
        yield SetupFinding(code=SetupFindingCode.OTHER_API_VERSION, message=advice, endpoint_id=endpoint.id)


def _duplicate(endpoint: WebhookEndpoint) -> SetupFinding:
    advice = "another endpoint has the same address, so every event comes twice: delete it in the Dashboard"
    if not endpoint.is_enabled:
        advice = "another endpoint has the same address; it is disabled: delete it in the Dashboard"
    return SetupFinding(code=SetupFindingCode.DUPLICATE_ENDPOINT, message=advice, endpoint_id=endpoint.id)
