"""The documents within documents: what stands in a field that is neither a value nor a list of values."""

from datetime import datetime
from typing import Annotated, Final

from beanie import DecimalAnnotation
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from app.domain.plan import AccessLevel, LimitBehavior, ResetPeriod

FIELDS: Final = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid")
"""How every document spells its fields, and that it has no others."""

ConfigValue = int | str | list[str]
Text = Annotated[str, Field(strict=True)]


class Part(BaseModel):
    """A document within a document."""

    model_config = FIELDS


class TaxIdPart(Part):
    type: Text
    value: Text


class AddressPart(Part):
    line1: Text | None
    line2: Text | None
    city: Text | None
    state: Text | None
    postal_code: Text | None
    country: Text | None


class BillingPart(Part):
    legal_name: Text | None
    address: AddressPart | None
    tax_ids: list[TaxIdPart]


class WorkspaceTrialPart(Part):
    plan_id: Text
    started_at: datetime
    ends_at: datetime


class PlanFeaturePart(Part):
    feature_key: Text
    limit: DecimalAnnotation | None
    limit_behavior: LimitBehavior
    reset_period: ResetPeriod
    value: ConfigValue | None
    rollover_max: DecimalAnnotation | None
    thresholds: list[int]


class PlanPricePart(Part):
    lookup_key: Text | None
    stripe_price_id: Text | None


class GracePart(Part):
    days: int
    access: AccessLevel


class SubscriptionItemPart(Part):
    id: Text
    price_id: Text
    price_since_at: datetime
    current_period_start_at: datetime
    current_period_end_at: datetime
    lookup_key: Text | None
    product_id: Text | None
    quantity: int


class MeterPart(Part):
    reset_period: ResetPeriod
    start_at: datetime
    end_at: datetime | None
    used: DecimalAnnotation
    limit: DecimalAnnotation | None
    rollover_max: DecimalAnnotation | None
    carried: DecimalAnnotation
    chain: Text


class PotPart(Part):
    id: Text
    start_at: datetime
    end_at: datetime | None
    used: DecimalAnnotation


class WindowPart(Part):
    reset_period: ResetPeriod
    start_at: datetime


class DrawPart(Part):
    amount: DecimalAnnotation
    windows: list[WindowPart]
    pot: Text | None
    pot_start_at: datetime | None


class UsageLinePart(Part):
    feature_key: Text
    balance_key: Text
    amount: DecimalAnnotation
    charge: DecimalAnnotation
    draws: list[DrawPart]


class ReservationPart(Part):
    id: Text
    lines: list[UsageLinePart]
    principal: Text
    created_at: datetime
    expires_at: datetime
