"""What a catalogue's file says, before the rules and the catalogue that exists are asked."""

from decimal import Decimal
from typing import Final

import msgspec

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
from app.services.catalogue.syntax import Path

UNLIMITED: Final = "UNLIMITED"
NO_DEFAULT: Final = "NONE"
"""`default_plan` where there shall be none."""


class FeatureDraft(msgspec.Struct, frozen=True, kw_only=True):
    """`type` None could not be read. `is_bare` where the table says `archived = true` and nothing else."""

    path: Path
    key: str
    type: FeatureType | None
    name: str | None = None
    unit: str | None = None
    meter_type: MeterType | None = None
    value_type: ValueType | None = None
    enum_values: tuple[str, ...] = ()
    merge: MergeRule | None = None
    credit_key: str | None = None
    cost: Decimal | None = None
    is_archived: bool = False
    is_bare: bool = False


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """A limit with what belongs to it."""

    limit: Decimal | None
    behavior: LimitBehavior
    reset: ResetPeriod
    rollover_max: Decimal | None
    thresholds: tuple[int, ...]


Said = bool | int | Decimal | str | tuple[str, ...] | Window


class RowDraft(msgspec.Struct, frozen=True):
    """What a plan says of one feature; what it means depends on the feature's type."""

    path: Path
    feature_key: str
    said: Said


class PlanDraft(msgspec.Struct, frozen=True, kw_only=True):
    """`is_bare` where the table says `archived = true` and nothing else: then only that is to change."""

    path: Path
    key: str
    kind: PlanKind
    name: str | None = None
    prices: tuple[PlanPrice, ...] = ()
    rows: tuple[RowDraft, ...] = ()
    trial_days: int = 0
    grace: GracePolicy = GracePolicy()
    paused_access: AccessLevel = AccessLevel.NONE
    max_quantity: int | None = None
    migrates: bool = False
    is_archived: bool = False
    is_bare: bool = False


class Draft(msgspec.Struct, frozen=True):
    """The whole file. `default_plan` None leaves the default as it is, NO_DEFAULT takes it away."""

    features: tuple[FeatureDraft, ...]
    plans: tuple[PlanDraft, ...]
    default_plan: str | None
