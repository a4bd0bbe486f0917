"""Features, plans and the catalogue that finds them."""

from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar

import msgspec

from app.domain.change import Instant, Kind, Record


class FeatureType(StrEnum):
    """BOOLEAN on or off; CONFIG a typed value; METERED usage against a limit; CREDIT a balance or what draws on it."""

    BOOLEAN = "BOOLEAN"
    CONFIG = "CONFIG"
    METERED = "METERED"
    CREDIT = "CREDIT"


class MeterType(StrEnum):
    """INCREMENTAL counts up and resets (API calls); FLUCTUATING is a level that never resets (seats, storage)."""

    INCREMENTAL = "INCREMENTAL"
    FLUCTUATING = "FLUCTUATING"


class ValueType(StrEnum):
    """Of a CONFIG feature. DECIMAL values are held as exact decimal strings, ENUM values as a tuple of strings."""

    INTEGER = "INTEGER"
    DECIMAL = "DECIMAL"
    STRING = "STRING"
    ENUM = "ENUM"


class LimitBehavior(StrEnum):
    """Beyond the limit HARD denies, SOFT allows and reports, OVERAGE allows and bills; UNLIMITED has none."""

    HARD = "HARD"
    SOFT = "SOFT"
    OVERAGE = "OVERAGE"
    UNLIMITED = "UNLIMITED"


class ResetPeriod(StrEnum):
    """When usage starts from zero again."""

    NEVER = "NEVER"
    HOUR = "HOUR"
    DAY = "DAY"
    WEEK = "WEEK"
    MONTH = "MONTH"
    QUARTER = "QUARTER"
    YEAR = "YEAR"
    BILLING_CYCLE = "BILLING_CYCLE"


class MergeRule(StrEnum):
    """How contributions of several plans and grants become one."""

    SUM = "SUM"
    MAX = "MAX"
    ANY = "ANY"
    UNION = "UNION"
    LATEST = "LATEST"


class AccessLevel(StrEnum):
    """What a plan allows in a state that is neither good nor ended."""

    FULL = "FULL"
    READ_ONLY = "READ_ONLY"
    NONE = "NONE"


class PlanKind(StrEnum):
    """A PLAN is what a workspace subscribes to; an ADD_ON is bought beside one, in a quantity that multiplies it."""

    PLAN = "PLAN"
    ADD_ON = "ADD_ON"

    @property
    def noun(self) -> str:
        """The kind in a sentence."""
        return "plan" if self is PlanKind.PLAN else "add-on"


class PlanStatus(StrEnum):
    """ACTIVE plans are offered; ARCHIVED ones serve those who have them."""

    ACTIVE = "ACTIVE"
    ARCHIVED = "ARCHIVED"


ConfigValue = int | str | tuple[str, ...]


class Feature(Record, frozen=True, kw_only=True, gc=False, rename="camel"):
    """A thing that plans give. `key` is unique and never changes; `type` neither.

    A CREDIT feature is a credit type, a balance that plans and grants fill; one with a `credit_key` draws on the
    credit type of that key instead, `cost` credits per unit.
    """

    KIND: ClassVar[Kind] = Kind.FEATURE

    key: str
    name: str
    type: FeatureType
    unit: str | None = None
    meter_type: MeterType | None = None
    value_type: ValueType | None = None
    enum_values: tuple[str, ...] = ()
    merge: MergeRule = MergeRule.ANY
    credit_key: str | None = None
    cost: Decimal | None = None
    archived_at: Instant | None = None

    @property
    def balance_key(self) -> str:
        """The key under which its usage is kept: its own, or that of the credit type it draws on."""
        return self.credit_key or self.key

    @property
    def is_credit_type(self) -> bool:
        """Whether it is a balance of credits, which other features draw on."""
        return self.type is FeatureType.CREDIT and self.credit_key is None

    @property
    def is_counted(self) -> bool:
        """Whether it is used in amounts: METERED and CREDIT."""
        return self.type in (FeatureType.METERED, FeatureType.CREDIT)

    @property
    def is_level(self) -> bool:
        """Whether its usage is a level that rises and falls, such as seats."""
        return self.meter_type is MeterType.FLUCTUATING


class PlanFeature(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """What a plan says of a feature: a `value` (CONFIG), a `limit` per `reset_period` (METERED, CREDIT), or nothing.

    A METERED feature may stand several times with different reset periods: every one must pass.
    `limit` is None exactly when `limit_behavior` is UNLIMITED, and for features that are neither METERED nor CREDIT.
    Of what is left at the end of a period up to `rollover_max` is carried into the next one.
    `thresholds` are percentages of the limit that are told of once per period.
    """

    feature_key: str
    limit: Decimal | None = None
    limit_behavior: LimitBehavior = LimitBehavior.HARD
    reset_period: ResetPeriod = ResetPeriod.NEVER
    value: ConfigValue | None = None
    rollover_max: Decimal | None = None
    thresholds: tuple[int, ...] = ()


class PlanPrice(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """A Stripe price that buys the plan, by lookup key (the same in test and live) or by id."""

    lookup_key: str | None = None
    stripe_price_id: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """What a subscription's item may call it."""
        return tuple(name for name in (self.lookup_key, self.stripe_price_id) if name)


class GracePolicy(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """What a past-due subscription still gives: `access` for `days` since the first failure, then nothing."""

    days: int = 7
    access: AccessLevel = AccessLevel.FULL


class Plan(Record, frozen=True, kw_only=True, gc=False, rename="camel"):
    """One published, immutable version (`plan_version`, from 1) of the plan or add-on `key`.

    `version` is the record's own. `is_default` makes it the free plan, unless the setting names another.
    `max_quantity` is of add-ons only: how many a workspace may buy; None is any number.
    """

    KIND: ClassVar[Kind] = Kind.PLAN

    key: str
    plan_version: int
    name: str
    published_at: Instant
    status: PlanStatus = PlanStatus.ACTIVE
    prices: tuple[PlanPrice, ...] = ()
    features: tuple[PlanFeature, ...] = ()
    trial_days: int = 14
    grace: GracePolicy = GracePolicy()
    paused_access: AccessLevel = AccessLevel.NONE
    kind: PlanKind = PlanKind.PLAN
    max_quantity: int | None = None
    is_default: bool = False

    @property
    def price_names(self) -> frozenset[str]:
        """What subscriptions' items may call its prices."""
        return frozenset(name for price in self.prices for name in price.names)


class Edition(Record, frozen=True, kw_only=True, gc=False, rename="camel"):
    """The one record that every write of a feature or a plan raises by a version, its number.

    Whoever writes the catalogue has read it before deciding, so of two who decided on the same edition only one writes.
    """

    KIND: ClassVar[Kind] = Kind.EDITION


class Catalogue:
    """All features and plan versions, indexed for evaluation. Immutable: built anew when one of them changes."""

    __slots__ = ("_by_id", "_by_key", "_by_price", "_default", "declared_defaults", "default_plan_key", "features")

    def __init__(
        self, features: Iterable[Feature] = (), plans: Iterable[Plan] = (), *, default_plan_key: str | None = None
    ) -> None:
        self.default_plan_key = default_plan_key
        self.features: dict[str, Feature] = {feature.key: feature for feature in sorted(features, key=lambda f: f.key)}
        self._by_id: dict[str, Plan] = {}
        self._by_key: dict[str, list[Plan]] = {}
        self._by_price: dict[str, list[Plan]] = {}
        for plan in sorted(plans, key=lambda p: (p.key, p.plan_version)):
            self._by_id[plan.id] = plan
            self._by_key.setdefault(plan.key, []).append(plan)
            for name in plan.price_names:
                self._by_price.setdefault(name, []).append(plan)
        self.declared_defaults: list[Plan] = [
            plan for plan in self.plans(PlanKind.PLAN) if plan.is_default and plan.status is PlanStatus.ACTIVE
        ]
        """The plans whose latest version says that it is the default: one at most, unless another client wrote them."""
        self._default = self._find_default()

    def balance_feature(self, feature: Feature) -> Feature:
        """Return the feature whose balance this one uses: itself, or the credit type it draws on."""
        return self.features.get(feature.balance_key, feature)

    def plan_by_id(self, id: str) -> Plan | None:
        """Return the plan version with this id."""
        return self._by_id.get(id)

    def plan(self, key: str, plan_version: int | None = None) -> Plan | None:
        """Return the version asked for, or the latest."""
        versions = self._by_key.get(key, ())
        if plan_version is None:
            return versions[-1] if versions else None
        return next((plan for plan in versions if plan.plan_version == plan_version), None)

    def plans(self, kind: PlanKind | None = None) -> list[Plan]:
        """Return the latest version of every plan and add-on, or of those of a kind, by key."""
        latest = (versions[-1] for versions in self._by_key.values())
        return [plan for plan in latest if kind in (None, plan.kind)]

    def versions(self, key: str) -> tuple[Plan, ...]:
        """Return every version of the plan or add-on, the earliest first."""
        return tuple(self._by_key.get(key, ()))

    def default_plan(self) -> Plan | None:
        """Return the free plan: the one the setting names, or else the one whose latest version says that it is."""
        return self._default

    def seller(self, price_name: str, *, besides: str) -> Plan | None:
        """Return the ACTIVE plan or add-on whose latest version sells this price; not the one of the key `besides`."""
        for plan in self._by_price.get(price_name, ()):
            if plan.key != besides and plan.status is PlanStatus.ACTIVE and plan is self.plan(plan.key):
                return plan
        return None

    def plan_for_price(self, price_id: str, lookup_key: str | None, since: int) -> Plan | None:
        """Return the plan version that a subscription holding this price since then has.

        The latest version published before `since`; the earliest one that names the price, where all came later.
        A plan that names the price by id goes before one that names its lookup key.
        """
        versions = self._by_price.get(price_id) or (self._by_price.get(lookup_key) if lookup_key else None)
        if not versions:
            return None
        before = [plan for plan in versions if plan.published_at <= since]
        chosen = max(before, key=_publication) if before else min(versions, key=_publication)
        return self._by_id[chosen.id]

    def _find_default(self) -> Plan | None:
        if self.default_plan_key:
            return next((plan for plan in self.plans(PlanKind.PLAN) if plan.key == self.default_plan_key), None)
        return self.declared_defaults[0] if self.declared_defaults else None


def _publication(plan: Plan) -> tuple[int, int, str]:
    return plan.published_at, plan.plan_version, plan.key


def next_version(draft: Plan, latest: Plan | None, at: int) -> Plan:
    """Return the draft as the version that follows `latest`, published at `at`; the first where there is none.

    A replica whose clock is behind does not publish before the version that it follows.
    """
    if latest is None:
        return msgspec.structs.replace(draft, plan_version=1, published_at=at)
    published_at = max(at, latest.published_at)
    return msgspec.structs.replace(draft, plan_version=latest.plan_version + 1, published_at=published_at)


def default_merge(type: FeatureType, value_type: ValueType | None) -> MergeRule:
    """Return the rule a feature has unless it names another."""
    match type, value_type:
        case ((FeatureType.METERED | FeatureType.CREDIT), _):
            return MergeRule.SUM
        case FeatureType.CONFIG, ValueType.ENUM:
            return MergeRule.UNION
        case FeatureType.CONFIG, ValueType.STRING:
            return MergeRule.LATEST
        case FeatureType.CONFIG, _:
            return MergeRule.MAX
        case _:
            return MergeRule.ANY
