"""From a parsed file to a draft: which keys there are, and what each of them may be."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final, cast

from app.domain.plan import (
    AccessLevel,
    FeatureType,
    GracePolicy,
    LimitBehavior,
    MergeRule,
    MeterType,
    PlanKind,
    PlanPrice,
    ResetPeriod,
    ValueType,
)
from app.services.catalogue.draft import Draft, FeatureDraft, PlanDraft, RowDraft, Window
from app.services.catalogue.section import Section, to_texts

_FILE: Final = frozenset({"default_plan", "credits", "features", "plans", "add_ons"})
_CREDIT_TYPE: Final = frozenset({"name", "unit", "archived"})
_FEATURE: Final = _CREDIT_TYPE | {"type", "meter", "value_type", "values", "merge", "credit", "cost"}
_ADD_ON: Final = frozenset({"name", "prices", "features", "max_quantity", "migrate", "archived"})
_PLAN: Final = (_ADD_ON - {"max_quantity"}) | {"trial_days", "grace", "paused_access"}
_PRICE: Final = frozenset({"lookup_key", "id"})
_GRACE: Final = frozenset({"days", "access"})
_WINDOW: Final = frozenset({"limit", "behavior", "reset", "rollover_max", "thresholds"})
_TRIAL_DAYS: Final = 14


def read_draft(file: Section) -> Draft:
    """Read the whole file, noting every key and value that cannot be; what could be read is in the draft."""
    file.refuse_others(_FILE, "a catalogue")
    credit_types = [_credit_type(key, table) for key, table in file.named("credits")]
    features = [_feature(key, table) for key, table in file.named("features")]
    plans = [_plan(key, table) for key, table in file.named("plans")]
    add_ons = [_add_on(key, table) for key, table in file.named("add_ons")]
    return Draft((*credit_types, *features), (*plans, *add_ons), file.text("default_plan"))


def _credit_type(key: str, table: Section) -> FeatureDraft:
    table.refuse_others(_CREDIT_TYPE, "a credit type")
    is_bare = _is_bare(table)
    if not is_bare:
        table.require("name")
    return FeatureDraft(
        path=table.path,
        key=key,
        type=FeatureType.CREDIT,
        name=table.text("name"),
        unit=table.text("unit"),
        is_archived=table.flag("archived"),
        is_bare=is_bare,
    )


def _feature(key: str, table: Section) -> FeatureDraft:
    table.refuse_others(_FEATURE, "a feature")
    is_bare = _is_bare(table)
    type = table.word("type", FeatureType)  # noqa: A001 - the field's name
    if not is_bare:
        table.require("name", "type")
    if type is FeatureType.CREDIT:
        table.require("credit")
    meter_type = table.word("meter", MeterType)
    if type is FeatureType.METERED and "meter" not in table.values:
        meter_type = MeterType.INCREMENTAL
    return FeatureDraft(
        path=table.path,
        key=key,
        type=type,
        name=table.text("name"),
        unit=table.text("unit"),
        meter_type=meter_type,
        value_type=table.word("value_type", ValueType),
        enum_values=table.texts("values"),
        merge=table.word("merge", MergeRule),
        credit_key=table.text("credit"),
        cost=table.quantity("cost"),
        is_archived=table.flag("archived"),
        is_bare=is_bare,
    )


def _plan(key: str, table: Section) -> PlanDraft:
    table.refuse_others(_PLAN, "a plan")
    days = table.whole("trial_days")
    return PlanDraft(
        **_common(key, table),
        kind=PlanKind.PLAN,
        trial_days=_TRIAL_DAYS if days is None else days,
        grace=_grace(table.table("grace")),
        paused_access=table.word("paused_access", AccessLevel) or AccessLevel.NONE,
    )


def _add_on(key: str, table: Section) -> PlanDraft:
    table.refuse_others(_ADD_ON, "an add-on")
    return PlanDraft(**_common(key, table), kind=PlanKind.ADD_ON, max_quantity=table.whole("max_quantity"))


def _common(key: str, table: Section) -> dict[str, Any]:
    is_bare = _is_bare(table)
    if not is_bare:
        table.require("name")
    features = table.table("features")
    return {
        "path": table.path,
        "key": key,
        "name": table.text("name"),
        "prices": tuple(_price(price) for price in table.tables("prices")),
        "rows": tuple(row for name in features.values for row in _rows(features, name)) if features else (),
        "migrates": table.flag("migrate"),
        "is_archived": table.flag("archived"),
        "is_bare": is_bare,
    }


def _is_bare(table: Section) -> bool:
    return table.values == {"archived": True}


def _price(table: Section) -> PlanPrice:
    table.refuse_others(_PRICE, "a price")
    return PlanPrice(lookup_key=table.text("lookup_key"), stripe_price_id=table.text("id"))


def _grace(table: Section | None) -> GracePolicy:
    policy = GracePolicy()
    if table is None:
        return policy
    table.refuse_others(_GRACE, "a grace policy")
    days, access = table.whole("days"), table.word("access", AccessLevel)
    return GracePolicy(days=policy.days if days is None else days, access=access or policy.access)


def _rows(features: Section, key: str) -> Iterator[RowDraft]:
    """Read what a plan says of a feature: one value, a limit with what belongs to it, or a list of such limits."""
    path = (*features.path, key)
    value: object = features.values[key]
    match value:
        case bool() | int() | Decimal() | str():
            yield RowDraft(path, key, value)
        case dict():
            if table := features.table(key):
                yield RowDraft(path, key, _window(table))
        case list() if (texts := to_texts(cast("object", value))) is not None:
            yield RowDraft(path, key, texts)
        case list():
            for table in features.tables(key):
                yield RowDraft(table.path, key, _window(table))
        case _:
            features.faults.at_value(path, "WRONG_TYPE", "must be a number, a text, a table, true, or a list of them")


def _window(table: Section) -> Window:
    table.refuse_others(_WINDOW, "a limit")
    return Window(
        limit=table.quantity("limit"),
        behavior=table.word("behavior", LimitBehavior) or LimitBehavior.HARD,
        reset=table.word("reset", ResetPeriod) or ResetPeriod.NEVER,
        rollover_max=table.quantity("rollover_max"),
        thresholds=table.numbers("thresholds"),
    )
