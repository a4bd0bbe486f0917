"""Catalogues of any valid content, and files reviewed without a database."""

from collections.abc import Iterable
from decimal import Decimal
from itertools import count
from typing import Any

import msgspec
from hypothesis import strategies as st
from support.records import NOW, add_on, feature, plan

from app.domain.errors import CatalogueFault
from app.domain.plan import (
    AccessLevel,
    Catalogue,
    Feature,
    FeatureType,
    GracePolicy,
    LimitBehavior,
    MergeRule,
    MeterType,
    Plan,
    PlanFeature,
    PlanKind,
    PlanPrice,
    PlanStatus,
    ResetPeriod,
    ValueType,
)
from app.services.catalogue.review import Review, review
from app.services.catalogue.syntax import parse

EMPTY = Catalogue()


def reviewed(source: str, catalogue: Catalogue = EMPTY, *, at: int = NOW) -> Review:
    """Review a file's text; ids are new in order."""
    numbers = count(1)
    return review(parse(source), catalogue, at=at, new_id=lambda prefix: f"{prefix}_new_{next(numbers)}")


def faults_of(source: str, catalogue: Catalogue = EMPTY) -> list[CatalogueFault]:
    """Return the faults of a file in the order of its text."""
    return sorted(reviewed(source, catalogue).faults.found, key=lambda fault: (fault.line, fault.column))


def told(source: str, catalogue: Catalogue = EMPTY) -> list[str]:
    """Return the faults as `line:column code path`."""
    return [f"{f.line}:{f.column} {f.code} {'.'.join(f.path)}" for f in faults_of(source, catalogue)]


def catalogue_of(source: str, catalogue: Catalogue = EMPTY) -> Catalogue:
    """Return what a file without faults makes of the catalogue."""
    done = reviewed(source, catalogue)
    assert not done.faults.found, done.faults.found
    return done.planned


def content(catalogue: Catalogue) -> tuple[list[Feature], list[Plan]]:
    """Return what a file can tell of a catalogue: the latest versions, without ids and times."""
    blank: dict[str, Any] = {"id": "", "version": 0, "incarnation": ""}
    features = [
        msgspec.structs.replace(f, **blank, archived_at=None if f.archived_at is None else 1)
        for f in catalogue.features.values()
    ]
    plans = [
        msgspec.structs.replace(p, **blank, plan_version=1, published_at=0, features=tuple(_sorted(p.features)))
        for p in catalogue.plans()
    ]
    return features, plans


def _sorted(rows: Iterable[PlanFeature]) -> list[PlanFeature]:
    return sorted(rows, key=lambda row: (row.feature_key, row.reset_period))


keys = st.from_regex(r"[a-z][a-z0-9_]{0,6}", fullmatch=True)
names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20).filter(
    str.strip
)
quantities = st.integers(0, 10**15 - 1).map(Decimal) | st.decimals(0, 10**9, places=9)


@st.composite
def features(draw: st.DrawFn, key: str, credit_types: list[str]) -> Feature:
    """Draw a feature of any type; one that draws on credits only where there is a credit type."""
    kinds = [FeatureType.BOOLEAN, FeatureType.METERED, FeatureType.CONFIG]
    type_ = draw(st.sampled_from([*kinds, FeatureType.CREDIT] if credit_types else kinds))
    more: dict[str, Any] = {"name": draw(names), "unit": draw(st.none() | names)}
    match type_:
        case FeatureType.METERED:
            more["meter_type"] = draw(st.sampled_from(MeterType))
        case FeatureType.CREDIT:
            more |= {"credit_key": draw(st.sampled_from(credit_types)), "cost": draw(quantities.filter(bool))}
        case FeatureType.CONFIG:
            more["value_type"] = draw(st.sampled_from(ValueType))
            if more["value_type"] is ValueType.ENUM:
                more["enum_values"] = tuple(draw(st.lists(names, min_size=1, max_size=4, unique=True)))
            if more["value_type"] in (ValueType.INTEGER, ValueType.DECIMAL):
                more["merge"] = draw(st.sampled_from([MergeRule.MAX, MergeRule.LATEST]))
        case FeatureType.BOOLEAN:
            pass
    return feature(key, type_, **more)


@st.composite
def rows(draw: st.DrawFn, of: Feature, kind: PlanKind) -> list[PlanFeature]:
    """Draw what a plan or an add-on says of a feature: one row, or of what is counted several windows."""
    if of.type is FeatureType.BOOLEAN:
        return [PlanFeature(feature_key=of.key)]
    if of.type is FeatureType.CONFIG:
        return [PlanFeature(feature_key=of.key, value=draw(_values(of)))]
    periods = [ResetPeriod.NEVER] if of.is_level else list(ResetPeriod)
    chosen = draw(st.lists(st.sampled_from(periods), min_size=1, max_size=3, unique=True))
    return [draw(_window(of, kind, period)) for period in chosen]


def _values(of: Feature) -> st.SearchStrategy[Any]:
    match of.value_type:
        case ValueType.INTEGER:
            return st.integers(-(2**63), 2**63 - 1)
        case ValueType.DECIMAL:
            return st.decimals(-(10**9), 10**9, places=4).map(lambda number: format(number, "f"))
        case ValueType.ENUM:
            return st.lists(st.sampled_from(of.enum_values), min_size=1, unique=True).map(tuple)
        case _:
            return names


@st.composite
def _window(draw: st.DrawFn, of: Feature, kind: PlanKind, period: ResetPeriod) -> PlanFeature:
    is_plan = kind is PlanKind.PLAN
    behaviors = list(LimitBehavior) if is_plan else [LimitBehavior.HARD, LimitBehavior.UNLIMITED]
    behavior = draw(st.sampled_from(behaviors))
    row = PlanFeature(feature_key=of.key, limit_behavior=behavior, reset_period=period)
    if behavior is LimitBehavior.UNLIMITED:
        return row
    row = msgspec.structs.replace(row, limit=draw(quantities))
    if not is_plan:
        return row
    rolls = period is not ResetPeriod.NEVER and not of.is_level
    thresholds = draw(st.lists(st.integers(1, 1000), max_size=4, unique=True).map(sorted))
    rollover_max = draw(st.none() | quantities) if rolls else None
    return msgspec.structs.replace(row, rollover_max=rollover_max, thresholds=tuple(thresholds))


@st.composite
def plans(draw: st.DrawFn, key: str, kind: PlanKind, offered: list[Feature], prices: list[PlanPrice]) -> Plan:
    """Draw a plan or an add-on."""
    given = draw(st.lists(st.sampled_from(offered), unique_by=lambda f: f.key, max_size=5)) if offered else []
    of = [row for one in given for row in draw(rows(one, kind))]
    more: dict[str, Any] = {"name": draw(names), "prices": tuple(prices)}
    if kind is PlanKind.ADD_ON:
        return add_on(key, *of, max_quantity=draw(st.none() | st.integers(1, 2**31 - 1)), **more)
    return plan(
        key,
        *of,
        trial_days=draw(st.integers(0, 730)),
        grace=GracePolicy(days=draw(st.integers(0, 90)), access=draw(st.sampled_from(AccessLevel))),
        paused_access=draw(st.sampled_from(AccessLevel)),
        **more,
    )


@st.composite
def catalogues(draw: st.DrawFn) -> Catalogue:
    """Draw a catalogue that breaks no rule: credit types, features, plans, add-ons, some archived, maybe a default."""
    named = draw(st.lists(keys, max_size=8, unique=True))
    split = draw(st.integers(0, len(named)))
    credit_types = [feature(key, FeatureType.CREDIT, name=draw(names)) for key in named[:split]]
    drawn = [draw(features(key, named[:split])) for key in named[split:]]
    offered = [f for f in (*credit_types, *drawn) if f.credit_key is None]
    sold = draw(st.lists(keys, max_size=4, unique=True))
    lookup_keys = draw(st.lists(names, max_size=len(sold) * 2, unique=True))
    shared = [PlanPrice(lookup_key=n) if i % 2 else PlanPrice(stripe_price_id=n) for i, n in enumerate(lookup_keys)]
    made = [
        draw(plans(key, draw(st.sampled_from(PlanKind)), offered, shared[i :: len(sold)])) for i, key in enumerate(sold)
    ]
    return Catalogue(*_some_archived(draw, [*credit_types, *drawn], made))


def _some_archived(draw: st.DrawFn, all_features: list[Feature], made: list[Plan]) -> tuple[list[Feature], list[Plan]]:
    """Archive some plans, and features that no plan offers; let one of the other plans be the default."""
    gone = {p.key for p in made if draw(st.booleans())}
    made = [msgspec.structs.replace(p, status=PlanStatus.ARCHIVED) if p.key in gone else p for p in made]
    candidates = [p.key for p in made if p.kind is PlanKind.PLAN and p.key not in gone]
    default = draw(st.none() | st.sampled_from(candidates)) if candidates else None
    made = [msgspec.structs.replace(p, is_default=p.key == default) for p in made]
    in_use = {row.feature_key for p in made if p.key not in gone for row in p.features}
    in_use |= {f.credit_key for f in all_features if f.credit_key}
    idle = {f.key for f in all_features if f.key not in in_use and draw(st.booleans())}
    return [msgspec.structs.replace(f, archived_at=NOW) if f.key in idle else f for f in all_features], made
