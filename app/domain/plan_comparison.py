"""Plans side by side: a row per feature."""

from collections.abc import Sequence

import msgspec

from app.domain.plan import Catalogue, Plan, PlanFeature, PlanKind


class ComparisonRow(msgspec.Struct, frozen=True):
    """What each of the plans, in their order, says of a feature; nothing where it does not give it."""

    feature_key: str
    cells: tuple[tuple[PlanFeature, ...], ...]


class Comparison(msgspec.Struct, frozen=True):
    """`rows` are in the order of the features' keys, whichever plans are compared."""

    plans: tuple[Plan, ...]
    rows: tuple[ComparisonRow, ...]


def compare(catalogue: Catalogue, keys: Sequence[str]) -> Comparison:
    """Compare the latest versions of these plans, each once, in this order; keys of no plan are left out."""
    found = [catalogue.plan(key) for key in dict.fromkeys(keys)]
    plans = tuple(plan for plan in found if plan is not None and plan.kind is PlanKind.PLAN)
    features = sorted({said.feature_key for plan in plans for said in plan.features})
    return Comparison(
        plans, tuple(ComparisonRow(key, tuple(_said_of(key, plan) for plan in plans)) for key in features)
    )


def _said_of(feature_key: str, plan: Plan) -> tuple[PlanFeature, ...]:
    return tuple(said for said in plan.features if said.feature_key == feature_key)
