"""What would turn a denial into access: each remedy is tried on a copy of the state before it is named."""

from collections.abc import Generator, Iterator
from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from app.domain.change import Instant
from app.domain.denial import AccessDeniedReason
from app.domain.entitlement import Entitlement, evaluate
from app.domain.explanation import Question
from app.domain.grant import Grant, GrantSource
from app.domain.plan import Plan, PlanKind, PlanStatus
from app.domain.subscription import TERMINAL, Subscription, SubscriptionItem, SubscriptionStatus
from app.domain.usage import charge_of
from app.domain.workspace_state import WorkspaceState

_Reason = AccessDeniedReason

_TURNS_MAX: Final = 32
_QUANTITY_MAX: Final = 10_000
_MONTH_MS: Final = 30 * 86_400_000
_TOO_LITTLE: Final = frozenset({_Reason.USAGE_LIMIT_EXCEEDED, _Reason.INSUFFICIENT_CREDITS})
_UNPAID: Final = frozenset({SubscriptionStatus.PAST_DUE, SubscriptionStatus.UNPAID, SubscriptionStatus.INCOMPLETE})
_BEYOND_HELP: Final = frozenset(
    {
        _Reason.WORKSPACE_NOT_FOUND,
        _Reason.WORKSPACE_ARCHIVED,
        _Reason.FEATURE_NOT_FOUND,
        _Reason.FEATURE_TYPE_MISMATCH,
        _Reason.REVOKED,
        _Reason.STATE_UNKNOWN,
    }
)


class RemedyKind(StrEnum):
    """What is to be done about a denial."""

    PAY_INVOICE = "PAY_INVOICE"
    PLAN = "PLAN"
    ADD_ON = "ADD_ON"
    TOP_UP = "TOP_UP"
    WAIT_UNTIL = "WAIT_UNTIL"


class Remedy(msgspec.Struct, frozen=True, kw_only=True):
    """One way to access.

    `plan` is the plan to change to or the add-on to buy, `quantity` how many of the add-on, or how much to top up in
    units of the balance; `subscription_id` whose invoice is open; `at` until when to wait.
    """

    kind: RemedyKind
    plan: Plan | None = None
    quantity: Decimal | None = None
    subscription_id: str | None = None
    at: Instant | None = None


def remedies(question: Question, answer: Entitlement) -> tuple[Remedy, ...]:
    """Return what would help, the cheapest to do first; empty with access, and where nothing here helps."""
    return tuple(tried for tried in tries(question, answer) if tried is not None)


def tries(question: Question, answer: Entitlement) -> Iterator[Remedy | None]:
    """Yield the `remedies` as they are found, and None after each try that found none.

    A try is one evaluation; with many plans, add-ons and grants there are hundreds.
    """
    if answer.has_access or question.state is None or answer.access_denied_reason in _BEYOND_HELP:
        return
    yield from _payments(question, question.state)
    yield from _plans(question, question.state)
    yield from _add_ons(question, question.state)
    yield from _top_ups(question, question.state, answer)
    yield from _waits(question, answer)


def _helps(question: Question, state: WorkspaceState) -> bool:
    return _answer(question, state, question.at).has_access


def _answer(question: Question, state: WorkspaceState, at: int) -> Entitlement:
    return evaluate(
        question.feature_key,
        state,
        question.catalogue,
        at,
        requested_usage=question.requested_usage,
        requested_values=question.requested_values,
    )


def _payments(question: Question, state: WorkspaceState) -> Iterator[Remedy | None]:
    for sub in state.subscriptions:
        if sub.status not in _UNPAID:
            continue
        paid = msgspec.structs.replace(sub, status=SubscriptionStatus.ACTIVE)
        helps = _helps(question, _with(state, paid, instead_of=sub))
        yield Remedy(kind=RemedyKind.PAY_INVOICE, subscription_id=sub.id) if helps else None


def _plans(question: Question, state: WorkspaceState) -> Iterator[Remedy | None]:
    for plan in question.catalogue.plans(PlanKind.PLAN):
        if plan.status is PlanStatus.ACTIVE and plan.prices:
            before = _running(state)
            helps = _helps(question, _with(state, _on_plan(question, state, before, plan), instead_of=before))
            yield Remedy(kind=RemedyKind.PLAN, plan=plan) if helps else None


def _add_ons(question: Question, state: WorkspaceState) -> Iterator[Remedy | None]:
    sub = _running(state)
    for add_on in question.catalogue.plans(PlanKind.ADD_ON) if sub is not None else ():
        if sub is None or add_on.status is not PlanStatus.ACTIVE or not add_on.prices:
            continue
        most = min(add_on.max_quantity or _QUANTITY_MAX, _QUANTITY_MAX)
        if quantity := (yield from _least(question, state, sub, add_on, most)):
            yield Remedy(kind=RemedyKind.ADD_ON, plan=add_on, quantity=Decimal(quantity))


def _least(
    question: Question, state: WorkspaceState, sub: Subscription, add_on: Plan, most: int
) -> Generator[None, None, int | None]:
    """Return the least quantity that helps, yielding after each try; more of it never helps less."""

    def helps(quantity: int) -> bool:
        item = _item(question, add_on, sub, quantity=quantity)
        return _helps(question, _with(state, msgspec.structs.replace(sub, items=(*sub.items, item)), instead_of=sub))

    does_help = helps(most)
    yield
    if not does_help:
        return None
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if helps(middle) else (middle, high)
        yield
    return high


def _top_ups(question: Question, state: WorkspaceState, answer: Entitlement) -> Iterator[Remedy]:
    feature = answer.feature
    if feature is None or answer.access_denied_reason not in _TOO_LITTLE:
        return
    asked = Decimal(1) if question.requested_usage is None else question.requested_usage
    charge = charge_of(feature, asked)
    left = answer.usage.remaining if answer.usage is not None else None
    beyond = answer.usage.overage if answer.usage is not None and feature.is_level else Decimal(0)
    amount = charge - (left or Decimal(0)) + beyond
    grant = Grant(
        id="simulated",
        version=1,
        workspace_id=state.workspace.id,
        feature_key=feature.balance_key,
        source=GrantSource.TOP_UP,
        effective_at=question.at,
        amount=amount,
    )
    if amount > 0 and _helps(question, msgspec.structs.replace(state, grants=(*state.grants, grant))):
        yield Remedy(kind=RemedyKind.TOP_UP, quantity=amount)


def _waits(question: Question, answer: Entitlement) -> Iterator[Remedy | None]:
    """Yield the first instant at which the clock alone gives access, among the next turns."""
    turn_at = answer.valid_until_at
    for _ in range(_TURNS_MAX):
        if turn_at is None or question.state is None:
            return
        then = _answer(question, question.state, turn_at)
        if then.has_access:
            yield Remedy(kind=RemedyKind.WAIT_UNTIL, at=turn_at)
            return
        yield
        turn_at = then.valid_until_at


def _running(state: WorkspaceState) -> Subscription | None:
    """Return the subscription that a person would change: the first one that is not over."""
    live = (sub for sub in state.subscriptions if sub.status not in TERMINAL)
    return min(live, key=lambda sub: (sub.started_at, sub.id), default=None)


def _with(state: WorkspaceState, sub: Subscription, *, instead_of: Subscription | None) -> WorkspaceState:
    others = tuple(other for other in state.subscriptions if other is not instead_of)
    return msgspec.structs.replace(state, subscriptions=(*others, sub))


def _on_plan(question: Question, state: WorkspaceState, before: Subscription | None, plan: Plan) -> Subscription:
    """Return the subscription changed to the plan, its add-ons kept; a new one where there is none."""
    if before is None:
        at = question.at
        blank = Subscription(
            id="simulated",
            version=1,
            workspace_id=state.workspace.id,
            stripe_customer_id="",
            status=SubscriptionStatus.ACTIVE,
            started_at=at,
            billing_anchor_at=at,
        )
        return msgspec.structs.replace(blank, items=(_item(question, plan, blank),))
    kept = tuple(item for item in before.items if _is_add_on(question, item))
    return msgspec.structs.replace(before, items=(_item(question, plan, before), *kept))


def _is_add_on(question: Question, item: SubscriptionItem) -> bool:
    held = question.catalogue.plan_for_price(item.price_id, item.lookup_key, item.price_since_at)
    return held is not None and held.kind is PlanKind.ADD_ON


def _item(question: Question, plan: Plan, sub: Subscription, *, quantity: int = 1) -> SubscriptionItem:
    price = plan.prices[0]
    return SubscriptionItem(
        id=f"simulated_{plan.id}",
        price_id=price.stripe_price_id or "",
        lookup_key=price.lookup_key,
        price_since_at=max(question.at, plan.published_at),
        current_period_start_at=sub.current_period_start_at,
        current_period_end_at=sub.renews_at or question.at + _MONTH_MS,
        quantity=quantity,
    )
