"""What stands in the way of archiving: everything that uses a plan, an add-on or a feature now."""

from collections.abc import Sequence
from typing import Final

from app.domain.change import Kind
from app.domain.errors import ConflictError
from app.domain.plan import Catalogue, PlanKind, PlanStatus
from app.domain.subscription import Subscription
from app.ports.store import Tally
from app.runtime import Runtime

_NAMED: Final = 3


async def uses_of_plan(rt: Runtime, key: str, catalogue: Catalogue, at: int) -> list[str]:
    """Say who has the plan or add-on, one kind of user after the other, in words that follow "is in use".

    The store is asked for subscriptions that are not over and for running trials; the catalogue, which may be one that
    is yet to be written, tells whose prices they hold and which plan is the default.
    """
    default = catalogue.default_plan()
    uses = ["as the default plan"] if default is not None and default.key == key else []
    versions = catalogue.versions(key)
    prices = {name for plan in versions for name in plan.price_names}
    count, first = 0, list[str]()
    async for batch in rt.store.holders(prices):
        held = [sub.id for sub in batch if _holds(sub, key, catalogue)]
        count += len(held)
        first = sorted([*first, *held])[:_NAMED]
    trials = await rt.store.running_trials([plan.id for plan in versions], at=at)
    return [*uses, *_by("subscription", Tally(count, tuple(first))), *_by("running trial", trials)]


async def uses_of_feature(rt: Runtime, key: str, catalogue: Catalogue, at: int) -> list[str]:
    """Say what names the feature, one kind of user after the other, in words that follow "is in use".

    Of plans and add-ons the latest version counts, where it is active; the store is asked for grants and overrides
    that are in force or will be.
    """
    offered = [plan for plan in catalogue.plans() if plan.status is PlanStatus.ACTIVE]
    naming = [plan for plan in offered if any(row.feature_key == key for row in plan.features)]
    drawing = [f.key for f in catalogue.features.values() if f.credit_key == key and f.archived_at is None]
    return [
        *_by("plan", _tallied([plan.key for plan in naming if plan.kind is PlanKind.PLAN])),
        *_by("add-on", _tallied([plan.key for plan in naming if plan.kind is PlanKind.ADD_ON])),
        *_by("drawing feature", _tallied(drawing)),
        *_by("grant", await rt.store.in_force(Kind.GRANT, key, at=at)),
        *_by("override", await rt.store.in_force(Kind.OVERRIDE, key, at=at)),
    ]


def refuse_in_use(what: str, key: str, uses: Sequence[str]) -> None:
    """Raise `ConflictError` that names what uses it, where something does."""
    if uses:
        raise ConflictError(f"{what} {key!r} is in use {', '.join(uses)}, and cannot be archived before that ends")


def _holds(sub: Subscription, key: str, catalogue: Catalogue) -> bool:
    plans = (catalogue.plan_for_price(item.price_id, item.lookup_key, item.price_since_at) for item in sub.items)
    return any(plan is not None and plan.key == key for plan in plans)


def _tallied(names: list[str]) -> Tally:
    return Tally(len(names), tuple(sorted(names)[:_NAMED]))


def _by(noun: str, tally: Tally) -> list[str]:
    """Give "by 4 grants (grant_1, grant_2, grant_3, …)", or nothing."""
    if not tally.count:
        return []
    more = ", …" if tally.count > len(tally.first) else ""
    return [f"by {tally.count} {noun}{'s' if tally.count > 1 else ''} ({', '.join(tally.first)}{more})"]
