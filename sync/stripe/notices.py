"""What an event tells and no state does: from its payload, once, by a key, whoever tells it how often."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import msgspec

from app.domain.billing_event import NEWS_MS, BillingEvent, BillingEventType, event_id
from app.domain.change import Kind
from app.domain.shown import instant_text
from app.domain.stripe_event import StripeEvent
from app.domain.stripe_object import StripeObject
from app.domain.stripe_subject import UPCOMING
from app.runtime import Runtime
from app.services.billing_events import tell
from app.telemetry import logger
from sync.stripe.decode import decode_payload
from sync.stripe.wire import DecodeError

_T = BillingEventType
_Seconds = Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799)]
_THIN_PREFIX: Final = "v1."
_log = logger(__name__)


class _Ref(msgspec.Struct, gc=False):
    id: str


class _Details(msgspec.Struct, gc=False):
    subscription: str | _Ref | None = None


class _Parent(msgspec.Struct, gc=False):
    subscription_details: _Details | None = None


class _Told(msgspec.Struct, gc=False):
    """What any of these objects may say, in either API shape."""

    id: str | None = None
    customer: str | _Ref | None = None
    subscription: str | _Ref | None = None
    parent: _Parent | None = None
    status: str | None = None
    currency: str | None = None
    amount_due: int | None = None
    amount_total: int | None = None
    attempt_count: int | None = None
    next_payment_attempt: _Seconds | None = None
    period_end: _Seconds | None = None
    trial_end: _Seconds | None = None


class _Notice(msgspec.Struct, frozen=True):
    """`by` is what tells one notice about an object from the next; None where there is but one."""

    type: BillingEventType
    object_type: str
    by: str | None = None
    is_of_money: bool = True


_NOTICES: Final[Mapping[str, _Notice]] = {
    "customer.subscription.trial_will_end": _Notice(
        _T.SUBSCRIPTION_TRIAL_ENDING, "subscription", "trial_end", is_of_money=False
    ),
    UPCOMING: _Notice(_T.INVOICE_UPCOMING, "subscription", "period_end", is_of_money=False),
    "invoice.payment_failed": _Notice(_T.PAYMENT_FAILED, "invoice", "attempt_count"),
    "invoice.payment_action_required": _Notice(_T.PAYMENT_ACTION_REQUIRED, "invoice", "attempt_count"),
    "checkout.session.async_payment_failed": _Notice(_T.CHECKOUT_PAYMENT_FAILED, "checkout.session"),
}


async def tell_notices(rt: Runtime, events: Sequence[StripeEvent], *, provisional: bool) -> None:
    """Keep what these events tell that no state does, before they are noted: a crash between repeats it in vain.

    While provisional, nothing of money is told. Raises `UnavailableError`.
    """
    found = [notice for event in events if (notice := await _notice_of(rt, event, provisional=provisional))]
    await tell(rt, found)


async def _notice_of(rt: Runtime, event: StripeEvent, *, provisional: bool) -> BillingEvent | None:
    notice = _NOTICES.get(event.type.removeprefix(_THIN_PREFIX))
    is_history = event.received_at - event.occurred_at > NEWS_MS
    if notice is None or event.object_id is None or is_history or (provisional and notice.is_of_money):
        return None
    try:
        told = msgspec.json.decode(await _object_of(rt, event), type=_Told)
    except (DecodeError, ValueError, RecursionError) as error:
        _log.warning("stripe_notice_unread", stripe_event=event.id, error=str(error))
        return None
    sub_id = event.object_id if notice.object_type == "subscription" else _subscription_id(told)
    sub = rt.cache.subscription(sub_id) if sub_id else None
    return BillingEvent(
        id=event_id(f"{notice.type.value}:{event.object_id}:{getattr(told, notice.by) if notice.by else ''}"),
        type=notice.type,
        occurred_at=min(event.occurred_at, rt.clock.now_at()),
        recorded_at=rt.clock.now_at(),
        workspace_id=sub.workspace_id if sub else None,
        customer_id=_id(told.customer),
        object_type=notice.object_type,
        object_id=event.object_id,
        data={"before": None, "after": _shown(told, sub_id)},
    )


async def _object_of(rt: Runtime, event: StripeEvent) -> str:
    """Return the object as the event told it; a thin event tells nothing, so what was fetched for it has to do."""
    if event.type.startswith(_THIN_PREFIX):
        mirror = (await rt.store.read(Kind.STRIPE_OBJECT, [event.object_id or ""])).get(event.object_id or "")
        return mirror.raw if isinstance(mirror, StripeObject) else ""
    kept = event if event.payload else await rt.inbox.event(event.id)
    return decode_payload(kept.payload if kept else "")


def _subscription_id(told: _Told) -> str | None:
    details = told.parent.subscription_details if told.parent else None
    return _id(told.subscription or (details.subscription if details else None))


def _id(ref: str | _Ref | None) -> str | None:
    return ref.id if isinstance(ref, _Ref) else ref


def _shown(told: _Told, sub_id: str | None) -> dict[str, Any]:
    dates = {
        "trialEndAt": told.trial_end,
        "periodEndAt": told.period_end,
        "nextAttemptAt": told.next_payment_attempt,
    }
    plain: dict[str, Any] = {
        "subscriptionId": sub_id,
        "status": told.status,
        "currency": told.currency,
        "amountDue": told.amount_due,
        "amountTotal": told.amount_total,
        "attemptCount": told.attempt_count,
    }
    instants = {name: instant_text(at * 1000) for name, at in dates.items() if at is not None}
    return {name: value for name, value in plain.items() if value is not None} | instants
