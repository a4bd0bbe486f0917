"""The events that a mirror's transition tells of: milestones, once per object, and changes, once per version."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from app.domain.billing_event import NEWS_MS, BillingEvent, BillingEventType, event_id
from app.domain.shown import difference, shown
from app.domain.stripe_facts import (
    ActiveEntitlementsFacts,
    ChargeFacts,
    CheckoutSessionFacts,
    CouponFacts,
    CustomerFacts,
    DisputeFacts,
    InvoiceFacts,
    PaymentIntentFacts,
    PriceFacts,
    ProductFacts,
    PromotionCodeFacts,
    RefundFacts,
    StripeFacts,
)
from app.domain.stripe_object import StripeObject, StripeSource

_T = BillingEventType

_NOT_SHOWN: Final = frozenset({"lines", "payments", "tiers", "phases"})
_ISSUED: Final = frozenset({"open", "paid", "void", "uncollectible"})
_NOTHING: Final = frozenset[tuple[str | None, int]]()
_NO_ATTEMPT: Final[tuple[str | None, ...]] = ()
_FREE_OF_MONEY: Final = (
    CustomerFacts,
    ProductFacts,
    PriceFacts,
    CouponFacts,
    PromotionCodeFacts,
    ActiveEntitlementsFacts,
)


class _Mark(msgspec.Struct, frozen=True):
    """What happened, and when where that is known.

    Of what happens once in a life the event's id is made of `place`, and of `key`: None is the object itself.
    """

    type: BillingEventType
    place: int
    at: int | None = None
    key: str | None = None


_PAYMENT_ENDS: Final[Mapping[str, _Mark]] = {
    "succeeded": _Mark(_T.PAYMENT_SUCCEEDED, 0),
    "canceled": _Mark(_T.PAYMENT_CANCELED, 1),
}
_CHARGE_ENDS: Final[Mapping[str, _Mark]] = {
    "succeeded": _Mark(_T.PAYMENT_SUCCEEDED, 0),
    "failed": _Mark(_T.PAYMENT_FAILED, 1),
}
_REFUND_ENDS: Final[Mapping[str, _Mark]] = {
    "succeeded": _Mark(_T.REFUND_SUCCEEDED, 1),
    "failed": _Mark(_T.REFUND_FAILED, 2),
    "canceled": _Mark(_T.REFUND_FAILED, 2),
}
_DISPUTE_ENDS: Final[Mapping[str, _Mark]] = dict.fromkeys(
    ("won", "lost", "warning_closed", "prevented"), _Mark(_T.DISPUTE_CLOSED, 1)
)


def events_of_mirror(before: StripeObject | None, after: StripeObject, at: int) -> tuple[BillingEvent, ...]:
    """Return what became of an object of Stripe's; see `effects.events_of`.

    What only a payload told (a provisional mirror) has no effect on money: what it changed is told once it is fetched.
    """
    facts = after.facts
    if facts is None or (after.source is StripeSource.EVENT and not isinstance(facts, _FREE_OF_MONEY)):
        return ()
    known = _known(before, facts)
    was = known.facts if known else None
    passed = {(mark.key, mark.place) for mark in _milestones(was, gone=known.gone)} if known and was else _NOTHING
    once = [mark for mark in _milestones(facts, gone=after.gone) if (mark.key, mark.place) not in passed]
    changes = [_Mark(what, place) for place, what in enumerate(_changes(known, after, was, facts))]
    told = [(mark, mark.key or f"{after.type}:{after.id}") for mark in once]
    told += [(mark, f"{after.id}:{after.incarnation}:{after.version}") for mark in changes]
    if was is None:
        told = [(mark, key) for mark, key in told if _is_news(mark, facts, at)]
    if not told:
        return ()
    data = difference(was and shown(was, without=_NOT_SHOWN), shown(facts, without=_NOT_SHOWN))
    return tuple(_event(after, facts, mark, id=event_id(key, mark.place), data=data, at=at) for mark, key in told)


def _known(before: StripeObject | None, facts: StripeFacts) -> StripeObject | None:
    """Return the mirror whose effects were told: of money only what was fetched."""
    if before is None or type(before.facts) is not type(facts):
        return None
    is_told = before.source is StripeSource.FETCH or isinstance(facts, _FREE_OF_MONEY)
    return before if is_told else None


def _is_news(mark: _Mark, facts: StripeFacts, at: int) -> bool:
    happened_at: int | None = getattr(facts, "created_at", None) if mark.at is None else mark.at
    return happened_at is None or happened_at >= at - NEWS_MS


def _event(
    mirror: StripeObject, facts: StripeFacts, mark: _Mark, *, id: str, data: dict[str, Any], at: int
) -> BillingEvent:
    customer_id = mirror.id if isinstance(facts, CustomerFacts) else getattr(facts, "customer_id", None)
    return BillingEvent(
        id=id,
        type=mark.type,
        occurred_at=min(mark.at or at, at),
        recorded_at=at,
        workspace_id=mirror.workspace_id,
        customer_id=customer_id,
        object_type=mirror.type,
        object_id=mirror.id,
        data=data,
    )


def _milestones(facts: StripeFacts, *, gone: bool) -> Iterator[_Mark]:
    """Yield what the object has reached, in the order of its life."""
    match facts:
        case CustomerFacts():
            yield _Mark(_T.CUSTOMER_CREATED, 0, facts.created_at)
            yield from [_Mark(_T.CUSTOMER_DELETED, 1)] if gone else []
        case InvoiceFacts():
            yield from _of_invoice(facts)
        case PaymentIntentFacts():
            yield from _reached(facts.status, _PAYMENT_ENDS)
        case ChargeFacts() if facts.payment_intent_id is None and facts.invoice_id is None:  # else these tell
            yield from _reached(facts.status, _CHARGE_ENDS)
        case RefundFacts():
            yield _Mark(_T.REFUND_CREATED, 0, facts.created_at)
            yield from _reached(facts.status, _REFUND_ENDS)
        case DisputeFacts():
            yield _Mark(_T.DISPUTE_CREATED, 0, facts.created_at)
            yield from _reached(facts.status, _DISPUTE_ENDS)
        case CheckoutSessionFacts():
            yield from _of_checkout(facts)
        case _:
            return


def _of_invoice(facts: InvoiceFacts) -> Iterator[_Mark]:
    yield _Mark(_T.INVOICE_CREATED, 0, facts.created_at)
    if facts.status in _ISSUED:
        yield _Mark(_T.INVOICE_FINALIZED, 1, facts.finalized_at)
    if facts.is_paid:
        yield _Mark(_T.INVOICE_PAID, 2, facts.paid_at)
        yield from _payments_of(facts)
    if facts.status == "void":
        yield _Mark(_T.INVOICE_VOIDED, 4, facts.voided_at)
    if facts.status == "uncollectible":
        yield _Mark(_T.INVOICE_UNCOLLECTIBLE, 5)


def _payments_of(facts: InvoiceFacts) -> Iterator[_Mark]:
    """Yield the payments of a paid invoice, as they themselves would: whichever is learned of first tells."""
    names = [
        f"payment_intent:{payment.payment_intent_id}" if payment.payment_intent_id else f"charge:{payment.charge_id}"
        for payment in facts.payments
        if payment.status == "paid" and (payment.payment_intent_id or payment.charge_id)
    ]
    yield from (_Mark(_T.PAYMENT_SUCCEEDED, 0, facts.paid_at, name) for name in names)
    if not names and facts.amount_paid > 0:
        yield _Mark(_T.PAYMENT_SUCCEEDED, 3, facts.paid_at)


def _reached(status: str | None, ends: Mapping[str, _Mark]) -> Iterator[_Mark]:
    if mark := ends.get(status or ""):
        yield mark


def _of_checkout(facts: CheckoutSessionFacts) -> Iterator[_Mark]:
    if facts.status == "complete":
        yield _Mark(_T.CHECKOUT_COMPLETED, 0)
    if facts.is_paid:
        yield _Mark(_T.CHECKOUT_PAID, 1)
    if facts.status == "expired":
        yield _Mark(_T.CHECKOUT_EXPIRED, 2, facts.expires_at)


def _changes(
    known: StripeObject | None, after: StripeObject, was: StripeFacts | None, facts: StripeFacts
) -> Iterator[BillingEventType]:
    """Yield what may happen to an object again and again."""
    toggled = known is not None and known.gone != after.gone
    if known is not None and known.raw == after.raw and not toggled:
        return  # we have learned to read more out of the same
    match facts:
        case CustomerFacts() if was is not None and was != facts and not after.gone:
            yield _T.CUSTOMER_UPDATED
        case ProductFacts() | PriceFacts() | CouponFacts() | PromotionCodeFacts() if toggled or _offer(was) != _offer(
            facts
        ):
            yield _T.CATALOG_CHANGED
        case ActiveEntitlementsFacts(is_complete=True) if _lookup_keys(was) != _lookup_keys(facts):
            yield _T.ENTITLEMENT_CHANGED
        case PaymentIntentFacts() if facts.invoice_id is None:  # else the invoice tells
            yield from _of_payment(was, facts)
        case ChargeFacts() if facts.amount_refunded > (was.amount_refunded if isinstance(was, ChargeFacts) else 0):
            yield _T.PAYMENT_REFUNDED
        case DisputeFacts() if isinstance(was, DisputeFacts) and was.status != facts.status not in _DISPUTE_ENDS:
            yield _T.DISPUTE_UPDATED
        case _:
            return


def _of_payment(was: StripeFacts | None, facts: PaymentIntentFacts) -> Iterator[BillingEventType]:
    before = was if isinstance(was, PaymentIntentFacts) else None
    if facts.status == "requires_payment_method" and _attempt(facts) not in (_NO_ATTEMPT, before and _attempt(before)):
        yield _T.PAYMENT_FAILED
    if facts.status == "requires_action" and (before is None or before.status != facts.status):
        yield _T.PAYMENT_ACTION_REQUIRED


def _attempt(facts: PaymentIntentFacts) -> tuple[str | None, ...]:
    """Return what tells one failed attempt from another."""
    if not (facts.failure_code or facts.decline_code or facts.failure_message):
        return _NO_ATTEMPT
    return facts.latest_charge_id, facts.failure_code, facts.decline_code


def _offer(facts: StripeFacts | None) -> StripeFacts | None:
    """Return what is offered; how often it was taken changes with every purchase."""
    if isinstance(facts, CouponFacts | PromotionCodeFacts):
        return msgspec.structs.replace(facts, times_redeemed=0)
    return facts


def _lookup_keys(facts: StripeFacts | None) -> frozenset[str]:
    return frozenset(facts.lookup_keys) if isinstance(facts, ActiveEntitlementsFacts) else frozenset()
