"""What a one-time checkout bought: the add-ons of its prices, as grants that stay. Pure."""

from collections.abc import Iterator

from app.domain.grant import Grant, GrantSource
from app.domain.plan import Catalogue, Plan, PlanFeature, PlanKind, ResetPeriod
from app.domain.stripe_facts import CheckoutSessionFacts, SessionLine
from sync.stripe.entitlements import grant_id


def bought(
    session_id: str, session: CheckoutSessionFacts, workspace_id: str, catalogue: Catalogue, at: int
) -> Iterator[Grant]:
    """Yield the grants of a paid checkout, effective from `at`; nothing while it is not paid, or buys what renews.

    Their ids are made of the session's and the line's, so that each is there once, however often this is told. The
    version of an add-on is the one of when the checkout began; of a feature that it limits in several periods the first
    counts.
    """
    if session.mode != "payment" or not session.is_paid:
        return
    for line in session.lines:
        add_on = _add_on(line, catalogue, session.created_at)
        rows = {row.feature_key: row for row in reversed(add_on.features)} if add_on else {}
        for key, row in rows.items():
            is_counted = key in catalogue.features and catalogue.features[key].is_counted
            yield Grant(
                id=grant_id(session_id, line.id, key),
                workspace_id=workspace_id,
                feature_key=key,
                source=GrantSource.TOP_UP,
                effective_at=at,
                amount=row.limit * line.quantity if is_counted and row.limit is not None else None,
                unlimited=is_counted and row.limit is None,
                value=row.value,
                reset_period=_reset_period(row),
                reason=f"bought with {session_id}",
            )


def unsold(session: CheckoutSessionFacts, catalogue: Catalogue) -> tuple[str, ...]:
    """Return the prices of a one-time checkout that no add-on names: nothing is granted for them."""
    if session.mode != "payment":
        return ()
    lines = (line for line in session.lines if _add_on(line, catalogue, session.created_at) is None)
    return tuple(line.lookup_key or line.price_id or line.id for line in lines)


def _add_on(line: SessionLine, catalogue: Catalogue, since_at: int) -> Plan | None:
    plan = catalogue.plan_for_price(line.price_id, line.lookup_key, since_at) if line.price_id else None
    return plan if plan is not None and plan.kind is PlanKind.ADD_ON else None


def _reset_period(row: PlanFeature) -> ResetPeriod:
    # what is bought once has no billing cycle
    return ResetPeriod.NEVER if row.reset_period is ResetPeriod.BILLING_CYCLE else row.reset_period
