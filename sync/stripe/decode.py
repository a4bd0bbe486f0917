"""Stripe's JSON, of either API shape, to our records: pure, and on any input raises nothing but DecodeError."""

from typing import TypeVar

import msgspec

from app.domain.subscription import PAST_DUE, Subscription, SubscriptionItem, SubscriptionStatus
from sync.stripe.wire import (
    DecodeError,
    Id,
    Priced,
    Quantity,
    Ref,
    Reference,
    Seconds,
    clean,
    id_of,
    ms,
    read,
    ref_id,
    workspace_ref,
)

_T = TypeVar("_T")


class Links(msgspec.Struct, frozen=True, gc=False):
    """The names by which a workspace may be found, and the object's status where it has one."""

    customer_id: str | None
    workspace_ref: str | None
    status: str | None


class _Linked(msgspec.Struct, gc=False):
    customer: Reference = None
    client_reference_id: str | None = None
    metadata: dict[str, str] | None = None
    status: str | None = None


class _Data(msgspec.Struct, gc=False):
    object: msgspec.Raw


class _Event(msgspec.Struct, gc=False):
    data: _Data


class _Attempts(msgspec.Struct, gc=False):
    attempt_count: int | None = None


class _InvoiceData(msgspec.Struct, gc=False):
    object: _Attempts


class _InvoiceEvent(msgspec.Struct, gc=False):
    data: _InvoiceData


class _Typed(msgspec.Struct, gc=False):
    object: str


class _Item(msgspec.Struct, gc=False):
    id: Id
    price: Id | Priced | None = None
    plan: Id | Priced | None = None
    """What stood in the price's place before 2020."""
    created: Seconds | None = None
    current_period_start: Seconds | None = None
    current_period_end: Seconds | None = None
    quantity: Quantity | None = None


class _Items(msgspec.Struct, gc=False):
    data: list[_Item]


class _Subscription(msgspec.Struct, gc=False):
    id: Id
    customer: Id | Ref
    status: str
    created: Seconds
    items: _Items
    start_date: Seconds | None = None
    billing_cycle_anchor: Seconds | None = None
    current_period_start: Seconds | None = None
    current_period_end: Seconds | None = None
    trial_start: Seconds | None = None
    trial_end: Seconds | None = None
    cancel_at: Seconds | None = None
    cancel_at_period_end: bool = False
    canceled_at: Seconds | None = None
    ended_at: Seconds | None = None
    metadata: dict[str, str] | None = None


def decode_links(raw: str) -> Links:
    """Read what a customer, a subscription or a checkout is linked by."""
    linked = read(raw, _Linked)
    named = (linked.client_reference_id or "").strip() or workspace_ref(linked.metadata)
    return Links(ref_id(linked.customer), named, linked.status)


def decode_payload(payload: str) -> str:
    """Return the object in an event's payload, as JSON."""
    return bytes(_decode_json(payload, _Event).data.object).decode()


def decode_attempts(payload: str) -> int | None:
    """Return how often the invoice in an event's payload had been tried. Raises `DecodeError`."""
    return _decode_json(payload, _InvoiceEvent).data.object.attempt_count


def decode_type(raw: str) -> str:
    """Return Stripe's name of the object's type."""
    return read(raw, _Typed).object


def decode_subscription(raw: str, *, stored: Subscription | None, at: int, provisional: bool) -> Subscription:
    """Read a subscription into a record that continues `stored`; a new one has no workspace yet.

    `at` is when Stripe said so: of a price that replaced another it becomes the start.
    """
    sub = read(raw, _Subscription)
    status = _status(sub.status)
    before = {item.id: item for item in stored.items} if stored else {}
    items = tuple(_item(item, sub, before.get(item.id), at) for item in sub.items.data)
    started = sub.created if sub.start_date is None else sub.start_date
    record = Subscription(
        id=sub.id,
        workspace_id=stored.workspace_id if stored else "",
        stripe_customer_id=id_of(sub.customer),
        status=status,
        started_at=started * 1000,
        subscribed_at=sub.created * 1000,
        billing_anchor_at=(started if sub.billing_cycle_anchor is None else sub.billing_cycle_anchor) * 1000,
        items=items,
        trial_start_at=ms(sub.trial_start),
        trial_end_at=ms(sub.trial_end),
        cancel_at_period_end=sub.cancel_at_period_end,
        cancel_at=ms(sub.cancel_at),
        canceled_at=ms(sub.canceled_at),
        ended_at=ms(sub.ended_at),
        metadata=clean(sub.metadata),
        provisional=provisional,
    )
    record = _past_due(record, stored)
    return record if stored is None else _continue(record, stored)


def _decode_json(text: str, type: type[_T]) -> _T:
    try:
        return msgspec.json.decode(text, type=type)
    except (ValueError, RecursionError) as error:
        raise DecodeError(f"not a Stripe event as we know it: {error}") from error


def _status(word: str) -> SubscriptionStatus:
    try:
        return SubscriptionStatus(word)
    except ValueError as error:
        raise DecodeError(f"unknown subscription status {word[:40]!r}; the last known state stays") from error


def _item(item: _Item, sub: _Subscription, before: SubscriptionItem | None, at: int) -> SubscriptionItem:
    start = sub.current_period_start if item.current_period_start is None else item.current_period_start
    end = sub.current_period_end if item.current_period_end is None else item.current_period_end
    if start is None or end is None:
        raise DecodeError(f"item {item.id} has no period, neither has the subscription")
    priced = item.price or item.plan
    if priced is None:
        raise DecodeError(f"item {item.id} has no price")
    price = priced if isinstance(priced, Priced) else Priced(id=priced)
    return SubscriptionItem(
        id=item.id,
        price_id=price.id,
        price_since_at=_price_since_at(price.id, sub.created if item.created is None else item.created, before, at),
        current_period_start_at=start * 1000,
        current_period_end_at=end * 1000,
        lookup_key=price.lookup_key or _lookup_key_before(price.id, before),
        product_id=ref_id(price.product),
        quantity=1 if item.quantity is None else item.quantity,
    )


def _lookup_key_before(price_id: str, before: SubscriptionItem | None) -> str | None:
    """Keep the key that the price was bought under: Stripe takes it away when it is transferred to a newer price."""
    return before.lookup_key if before is not None and before.price_id == price_id else None


def _price_since_at(price_id: str, created: int, before: SubscriptionItem | None, at: int) -> int:
    # Stripe tells whole seconds: to the last millisecond of its first second, so that a plan published
    # earlier in that second counts as published before.
    first_at = created * 1000 + 999
    if before is None:
        return first_at
    return before.price_since_at if before.price_id == price_id else max(first_at, at)


def _past_due(record: Subscription, stored: Subscription | None) -> Subscription:
    """Keep since when it is past due; at first, the start of the period: its invoice tells better."""
    if record.status not in PAST_DUE:
        return record
    at, period_start_at = record.current_period_start_at, record.current_period_start_at
    if stored and stored.status in PAST_DUE and stored.past_due_at is not None:
        at, period_start_at = stored.past_due_at, stored.unpaid_period_start_at or period_start_at
    return msgspec.structs.replace(record, past_due_at=at, unpaid_period_start_at=period_start_at)


def _continue(record: Subscription, stored: Subscription) -> Subscription:
    return msgspec.structs.replace(
        record,
        version=stored.version,
        incarnation=stored.incarnation,
        created_at=stored.created_at,
        updated_at=stored.updated_at,
    )
