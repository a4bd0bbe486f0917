"""The events that a record's transition tells of. Pure: the same transition always gives the same events."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from app.domain.billing_event import NEWS_MS, BillingEvent, BillingEventType, event_id
from app.domain.change import Record
from app.domain.shown import difference, shown
from app.domain.stripe_effects import events_of_mirror
from app.domain.stripe_object import StripeObject
from app.domain.subscription import TERMINAL, Subscription, SubscriptionStatus
from app.domain.workspace import Workspace

_S = SubscriptionStatus
_T = BillingEventType

_ENTERED: Final[Mapping[SubscriptionStatus, BillingEventType]] = MappingProxyType(
    {
        _S.PAST_DUE: _T.SUBSCRIPTION_PAST_DUE,
        _S.UNPAID: _T.SUBSCRIPTION_UNPAID,
        _S.PAUSED: _T.SUBSCRIPTION_PAUSED,
        _S.CANCELED: _T.SUBSCRIPTION_CANCELED,
        _S.INCOMPLETE_EXPIRED: _T.SUBSCRIPTION_EXPIRED,
    }
)
_BROKEN_OFF: Final = TERMINAL | {_S.PAST_DUE, _S.UNPAID}
_NOT_SHOWN: Final = frozenset({"past_due_at", "unpaid_period_start_at", "provisional"})


def events_of(before: Record | None, after: Record, at: int) -> tuple[BillingEvent, ...]:
    """Return what happened between the stored record and the one that replaces it at `at`, in order.

    What is stored for the first time tells only of what is no further back than `NEWS_MS`: an account that is
    adopted does not repeat its history. The ids of events are those of the version that is written, or of the fact.
    """
    match after:
        case Subscription():
            return _of_subscription(before if isinstance(before, Subscription) else None, after, at)
        case Workspace():
            return _of_workspace(before if isinstance(before, Workspace) else None, after, at)
        case StripeObject():
            return events_of_mirror(before if isinstance(before, StripeObject) else None, after, at)
        case _:
            return ()


def _of_subscription(before: Subscription | None, after: Subscription, at: int) -> tuple[BillingEvent, ...]:
    if before is None and after.subscribed_at < at - NEWS_MS:
        return ()
    data = difference(before and _shown(before), _shown(after))
    types = tuple(_transitions(before, after))
    if not types and data["before"]:
        types = (_T.SUBSCRIPTION_UPDATED,)
    happened = {
        _T.SUBSCRIPTION_CREATED: after.subscribed_at,
        _T.SUBSCRIPTION_TRIAL_STARTED: after.trial_start_at,
        _T.SUBSCRIPTION_TRIAL_ENDED: after.trial_end_at,
        _T.SUBSCRIPTION_CANCELED: after.ended_at or after.canceled_at,
        _T.SUBSCRIPTION_EXPIRED: after.ended_at,
    }
    return tuple(
        BillingEvent(
            id=event_id(f"{after.id}:{after.incarnation}:{after.version}", place),
            type=what,
            occurred_at=min(happened.get(what) or at, at),
            recorded_at=at,
            workspace_id=after.workspace_id,
            customer_id=after.stripe_customer_id,
            object_type="subscription",
            object_id=after.id,
            data=data,
        )
        for place, what in enumerate(types)
    )


def _transitions(before: Subscription | None, after: Subscription) -> Iterator[BillingEventType]:
    """Yield what happened, in the order in which it makes sense, whatever steps in between were never seen."""
    was = before.status if before else None
    if before is None:
        yield _T.SUBSCRIPTION_CREATED
    elif _prices(before) != _prices(after):
        yield _T.SUBSCRIPTION_PLAN_CHANGED
    if was is _S.TRIALING and after.status is not was:
        yield _T.SUBSCRIPTION_TRIAL_ENDED
    if after.status is not was and (entered := _entered(was, after.status)):
        yield entered
    was_ending, is_ending = before is not None and _is_ending(before), _is_ending(after)
    if is_ending != was_ending and after.status not in TERMINAL:
        yield _T.SUBSCRIPTION_CANCEL_SCHEDULED if is_ending else _T.SUBSCRIPTION_CANCEL_UNSCHEDULED


def _entered(was: SubscriptionStatus | None, now: SubscriptionStatus) -> BillingEventType | None:
    if now is _S.INCOMPLETE:
        return None
    if now in _ENTERED:
        return _ENTERED[now]
    if was is _S.PAUSED:
        return _T.SUBSCRIPTION_RESUMED
    if was in _BROKEN_OFF:
        return _T.SUBSCRIPTION_REACTIVATED
    return _T.SUBSCRIPTION_TRIAL_STARTED if now is _S.TRIALING else _T.SUBSCRIPTION_ACTIVATED


def _is_ending(sub: Subscription) -> bool:
    return sub.cancel_at_period_end or sub.cancel_at is not None


def _prices(sub: Subscription) -> list[str]:
    return sorted(item.price_id for item in sub.items)


def _shown(sub: Subscription) -> dict[str, Any]:
    items = [{"id": item.id, "priceId": item.price_id, "quantity": item.quantity} for item in sub.items]
    periods = {"start": sub.current_period_start_at, "end": sub.paid_through_at}
    return {**shown(sub, without=_NOT_SHOWN), "items": items, "currentPeriod": periods}


def _of_workspace(before: Workspace | None, after: Workspace, at: int) -> tuple[BillingEvent, ...]:
    was, customer_id = before and before.stripe_customer_id, after.stripe_customer_id
    if customer_id == was:
        return ()
    return (
        BillingEvent(
            id=event_id(f"{after.id}:{after.incarnation}:{after.version}"),
            type=_T.CUSTOMER_LINKED if customer_id else _T.CUSTOMER_UNLINKED,
            occurred_at=at,
            recorded_at=at,
            workspace_id=after.id,
            customer_id=customer_id or was,
            object_type="customer",
            object_id=customer_id or was or "",
            data=difference({"stripeCustomerId": was}, {"stripeCustomerId": customer_id}),
        ),
    )
