"""What was agreed, as Stripe's JSON of any API version tells it: checkout sessions and subscription schedules."""

import msgspec

from app.domain.stripe_facts import CheckoutSessionFacts, ScheduleFacts, SchedulePhase, SessionLine, StripeFacts
from sync.stripe.wire import Amount, Id, Priced, Quantity, Reference, Seconds, ms, read, ref_id, workspace_ref


class _Line(msgspec.Struct, gc=False):
    id: Id
    price: Id | Priced | None = None
    quantity: Quantity | None = None


class _Lines(msgspec.Struct, gc=False):
    data: list[_Line]


class _Session(msgspec.Struct, gc=False):
    id: Id
    mode: str | None = None
    status: str | None = None
    payment_status: str | None = None
    customer: Reference = None
    client_reference_id: str | None = None
    metadata: dict[str, str] | None = None
    subscription: Reference = None
    invoice: Reference = None
    payment_intent: Reference = None
    amount_total: Amount | None = None
    currency: str | None = None
    line_items: _Lines | msgspec.UnsetType | None = msgspec.UNSET
    expires_at: Seconds | None = None
    created: Seconds = 0


class _PhaseItem(msgspec.Struct, gc=False):
    price: Id | Priced | None = None
    plan: Id | Priced | None = None


class _Phase(msgspec.Struct, gc=False):
    start_date: Seconds
    end_date: Seconds | None = None
    items: list[_PhaseItem] | None = None
    plans: list[_PhaseItem] | None = None


class _Schedule(msgspec.Struct, gc=False):
    id: Id
    status: str
    customer: Reference = None
    subscription: Reference = None
    released_subscription: Reference = None
    phases: list[_Phase] | None = None


def decode_checkout_session(raw: str, before: StripeFacts | None) -> CheckoutSessionFacts:
    """Read a checkout; its lines stay as they were where they are not expanded."""
    session = read(raw, _Session)
    if session.line_items is not msgspec.UNSET:
        lines = tuple(_line(line) for line in session.line_items.data) if session.line_items else ()
    else:
        lines = before.lines if isinstance(before, CheckoutSessionFacts) else ()
    return CheckoutSessionFacts(
        mode=session.mode,
        status=session.status,
        payment_status=session.payment_status,
        customer_id=ref_id(session.customer),
        workspace_ref=(session.client_reference_id or "").strip() or workspace_ref(session.metadata),
        subscription_id=ref_id(session.subscription),
        invoice_id=ref_id(session.invoice),
        payment_intent_id=ref_id(session.payment_intent),
        amount_total=session.amount_total,
        currency=session.currency,
        lines=lines,
        expires_at=ms(session.expires_at),
        created_at=session.created * 1000,
    )


def decode_schedule(raw: str, _before: StripeFacts | None) -> ScheduleFacts:
    """Read a schedule; one that was released names its subscription otherwise."""
    schedule = read(raw, _Schedule)
    return ScheduleFacts(
        status=schedule.status,
        customer_id=ref_id(schedule.customer),
        subscription_id=ref_id(schedule.subscription) or ref_id(schedule.released_subscription),
        phases=tuple(_phase(phase) for phase in schedule.phases or ()),
    )


def _line(line: _Line) -> SessionLine:
    price = line.price if isinstance(line.price, Priced) else None
    return SessionLine(
        id=line.id,
        price_id=_price_id(line.price),
        lookup_key=price.lookup_key if price else None,
        product_id=ref_id(price.product) if price else None,
        quantity=1 if line.quantity is None else line.quantity,
    )


def _phase(phase: _Phase) -> SchedulePhase:
    prices = [_price_id(item.price or item.plan) for item in phase.items or phase.plans or ()]
    return SchedulePhase(
        start_at=phase.start_date * 1000,
        end_at=ms(phase.end_date),
        price_ids=tuple(price for price in prices if price),
    )


def _price_id(price: Id | Priced | None) -> str | None:
    return price.id if isinstance(price, Priced) else price
