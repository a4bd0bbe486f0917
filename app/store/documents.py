"""The collections of records: what a document must look like when we write it, and the indexes."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, ClassVar, Final

import beanie
from beanie import DecimalAnnotation
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pymongo import ASCENDING, IndexModel

from app.domain.api_key import Scope
from app.domain.change import Kind
from app.domain.grant import GrantSource
from app.domain.plan import (
    AccessLevel,
    FeatureType,
    LimitBehavior,
    MergeRule,
    MeterType,
    PlanKind,
    PlanStatus,
    ResetPeriod,
    ValueType,
)
from app.domain.stripe_object import StripeSource
from app.domain.subscription import SubscriptionStatus

_FIELDS: Final = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid")
_UNIQUE_TEXT: Final[Mapping[str, Any]] = {"$type": "string"}

ConfigValue = int | str | list[str]
Text = Annotated[str, Field(strict=True)]


class Part(BaseModel):
    """A document within a document."""

    model_config = _FIELDS


class StoredDocument(beanie.Document):
    """What every collection's documents have."""

    model_config = _FIELDS

    id: Text = Field(alias="_id", min_length=1)  # pyright: ignore[reportIncompatibleVariableOverride, reportGeneralTypeIssues] - beanie's is an ObjectId
    schema_version: int


class RecordDocument(StoredDocument):
    """What every record's document has."""

    version: int = Field(ge=1)
    incarnation: Text
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


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


class WorkspaceDocument(RecordDocument):
    external_id: Text | None
    name: Text | None
    email: Text | None
    stripe_customer_id: Text | None
    metadata: dict[str, Text]
    billing: BillingPart
    trial: WorkspaceTrialPart | None
    archived_at: datetime | None

    class Settings:
        name = Kind.WORKSPACE.value
        indexes: ClassVar[Sequence[IndexModel]] = (
            IndexModel("externalId", unique=True, partialFilterExpression={"externalId": _UNIQUE_TEXT}),
            IndexModel("stripeCustomerId", partialFilterExpression={"stripeCustomerId": _UNIQUE_TEXT}),
            IndexModel("trial.planId", partialFilterExpression={"trial.planId": _UNIQUE_TEXT}),
        )


class FeatureDocument(RecordDocument):
    key: Text
    name: Text
    type: FeatureType
    unit: Text | None
    meter_type: MeterType | None
    value_type: ValueType | None
    enum_values: list[Text]
    merge: MergeRule
    credit_key: Text | None
    cost: DecimalAnnotation | None
    archived_at: datetime | None

    class Settings:
        name = Kind.FEATURE.value
        indexes: ClassVar[Sequence[IndexModel]] = (IndexModel("key", unique=True),)


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


class PlanDocument(RecordDocument):
    key: Text
    plan_version: int
    name: Text
    published_at: datetime
    status: PlanStatus
    prices: list[PlanPricePart]
    features: list[PlanFeaturePart]
    trial_days: int
    grace: GracePart
    paused_access: AccessLevel
    kind: PlanKind
    max_quantity: int | None
    is_default: bool

    class Settings:
        name = Kind.PLAN.value
        indexes: ClassVar[Sequence[IndexModel]] = (
            IndexModel([("key", ASCENDING), ("planVersion", ASCENDING)], unique=True),
        )


class SubscriptionItemPart(Part):
    id: Text
    price_id: Text
    price_since_at: datetime
    current_period_start_at: datetime
    current_period_end_at: datetime
    lookup_key: Text | None
    product_id: Text | None
    quantity: int


class SubscriptionDocument(RecordDocument):
    workspace_id: Text
    stripe_customer_id: Text
    status: SubscriptionStatus
    started_at: datetime
    billing_anchor_at: datetime
    items: list[SubscriptionItemPart]
    trial_start_at: datetime | None
    trial_end_at: datetime | None
    cancel_at_period_end: bool
    cancel_at: datetime | None
    canceled_at: datetime | None
    ended_at: datetime | None
    past_due_at: datetime | None
    metadata: dict[str, Text]
    provisional: bool

    class Settings:
        name = Kind.SUBSCRIPTION.value
        indexes: ClassVar[Sequence[IndexModel]] = (
            IndexModel("workspaceId"),
            IndexModel("stripeCustomerId"),
            IndexModel("items.priceId"),
            IndexModel("items.lookupKey"),
        )


class GrantDocument(RecordDocument):
    workspace_id: Text
    feature_key: Text
    source: GrantSource
    effective_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    amount: DecimalAnnotation | None
    unlimited: bool
    value: ConfigValue | None
    priority: int
    reset_period: ResetPeriod
    reason: Text

    class Settings:
        name = Kind.GRANT.value
        indexes: ClassVar[Sequence[IndexModel]] = (IndexModel("workspaceId"), IndexModel("featureKey"))


class OverrideDocument(RecordDocument):
    workspace_id: Text
    feature_key: Text
    subscription_id: Text | None
    revoked: bool
    limit: DecimalAnnotation | None
    limit_behavior: LimitBehavior
    reset_period: ResetPeriod
    value: ConfigValue | None
    expires_at: datetime | None
    reason: Text

    class Settings:
        name = Kind.OVERRIDE.value
        indexes: ClassVar[Sequence[IndexModel]] = (
            IndexModel("workspaceId"),
            IndexModel("featureKey"),
            IndexModel(
                [("workspaceId", ASCENDING), ("featureKey", ASCENDING), ("subscriptionId", ASCENDING)],
                name="one_in_force",
                unique=True,
                partialFilterExpression={"deletedAt": None},
            ),
        )


class ApiKeyDocument(RecordDocument):
    name: Text
    secret_hash: Text
    scopes: list[Scope]
    expires_at: datetime | None
    revoked_at: datetime | None

    class Settings:
        name = Kind.API_KEY.value


class MeterPart(Part):
    reset_period: ResetPeriod
    start_at: datetime
    end_at: datetime | None
    used: DecimalAnnotation
    limit: DecimalAnnotation | None
    rollover_max: DecimalAnnotation | None
    carried: DecimalAnnotation


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


class BalanceDocument(RecordDocument):
    meters: dict[str, list[MeterPart]]
    pots: dict[str, list[PotPart]]
    reservations: list[ReservationPart]

    class Settings:
        name = Kind.BALANCE.value


class StripeObjectDocument(RecordDocument):
    type: Text
    raw: Text
    source: StripeSource
    fetch_sequence: int
    event_at: datetime | None
    api_version: Text | None
    norm_version: int
    gone: bool
    workspace_id: Text | None
    parked_under: list[Text]

    class Settings:
        name = Kind.STRIPE_OBJECT.value
        indexes: ClassVar[Sequence[IndexModel]] = (IndexModel("parkedUnder"),)


RECORD_DOCUMENTS: Final[Mapping[Kind, type[RecordDocument]]] = {
    Kind.WORKSPACE: WorkspaceDocument,
    Kind.FEATURE: FeatureDocument,
    Kind.PLAN: PlanDocument,
    Kind.SUBSCRIPTION: SubscriptionDocument,
    Kind.GRANT: GrantDocument,
    Kind.OVERRIDE: OverrideDocument,
    Kind.API_KEY: ApiKeyDocument,
    Kind.BALANCE: BalanceDocument,
    Kind.STRIPE_OBJECT: StripeObjectDocument,
}
