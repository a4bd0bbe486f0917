"""The collections of records: what a document must look like when we write it, and the indexes."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Final

import beanie
from beanie import DecimalAnnotation
from pydantic import Field
from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.collation import Collation, CollationStrength

from app.domain.api_key import Scope
from app.domain.change import Kind
from app.domain.grant import GrantSource
from app.domain.migration import MigrationStatus
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
from app.domain.stripe_object import LinkedBy, StripeSource
from app.domain.subscription import SubscriptionStatus
from app.store.parts import (
    FIELDS,
    BillingPart,
    ConfigValue,
    GracePart,
    MeterPart,
    PlanFeaturePart,
    PlanPricePart,
    PotPart,
    ReservationPart,
    SubscriptionItemPart,
    Text,
    WorkspaceTrialPart,
)

ANY_CASE: Final = Collation(locale="en", strength=CollationStrength.SECONDARY)
"""How people's codes are compared: `Save20` is `SAVE20`."""

_UNIQUE_TEXT: Final[Mapping[str, Any]] = {"$type": "string"}


class StoredDocument(beanie.Document):
    """What every collection's documents have."""

    model_config = FIELDS

    id: Text = Field(alias="_id", min_length=1)  # pyright: ignore[reportIncompatibleVariableOverride, reportGeneralTypeIssues] - beanie's is an ObjectId
    schema_version: int


class RecordDocument(StoredDocument):
    """What every record's document has."""

    version: int = Field(ge=1)
    incarnation: Text
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


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


class SubscriptionDocument(RecordDocument):
    workspace_id: Text
    stripe_customer_id: Text
    status: SubscriptionStatus
    started_at: datetime
    subscribed_at: datetime
    billing_anchor_at: datetime
    items: list[SubscriptionItemPart]
    trial_start_at: datetime | None
    trial_end_at: datetime | None
    cancel_at_period_end: bool
    cancel_at: datetime | None
    canceled_at: datetime | None
    ended_at: datetime | None
    past_due_at: datetime | None
    unpaid_period_start_at: datetime | None
    metadata: dict[str, Text]
    provisional: bool

    class Settings:
        name = Kind.SUBSCRIPTION.value
        indexes: ClassVar[Sequence[IndexModel]] = (
            IndexModel("workspaceId"),
            IndexModel("stripeCustomerId"),
            # With the id, so that a migration finds its next batch without sorting the rest.
            IndexModel([("items.priceId", ASCENDING), ("_id", ASCENDING)]),
            IndexModel([("items.lookupKey", ASCENDING), ("_id", ASCENDING)]),
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


class BalanceDocument(RecordDocument):
    meters: dict[str, list[MeterPart]]
    pots: dict[str, list[PotPart]]
    reservations: list[ReservationPart]

    class Settings:
        name = Kind.BALANCE.value


class StripeObjectDocument(RecordDocument):
    type: Text
    raw: Text
    facts: dict[str, Any] | None  # one of many shapes; the structs that are written hold them
    source: StripeSource
    fetch_sequence: int
    event_at: datetime | None
    api_version: Text | None
    norm_version: int
    gone: bool
    workspace_id: Text | None
    parked_under: list[Text]
    linked_to: Text | None
    linked_by: LinkedBy | None

    class Settings:
        name = Kind.STRIPE_OBJECT.value
        indexes: ClassVar[Sequence[IndexModel]] = (
            IndexModel("parkedUnder"),
            IndexModel([("type", ASCENDING), ("workspaceId", ASCENDING), ("_id", ASCENDING)]),
            IndexModel("normVersion"),
            IndexModel("source", partialFilterExpression={"source": StripeSource.EVENT.value}),  # soon there is none
            # With the instant and the id, so that a page of invoices is found without sorting the rest.
            IndexModel(
                [
                    ("facts.customerId", ASCENDING),
                    ("type", ASCENDING),
                    ("facts.createdAt", DESCENDING),
                    ("_id", DESCENDING),
                ]
            ),
            IndexModel([("facts.subscriptionId", ASCENDING), ("type", ASCENDING)]),
            IndexModel("facts.lookupKey", partialFilterExpression={"type": "price"}),
            IndexModel("facts.couponId", partialFilterExpression={"type": "promotion_code"}),
            IndexModel("facts.code", collation=ANY_CASE, partialFilterExpression={"type": "promotion_code"}),
            IndexModel("facts.chargeId", partialFilterExpression={"type": "dispute"}),
            IndexModel("facts.payments.paymentIntentId", partialFilterExpression={"type": "invoice"}),
        )


class MigrationDocument(RecordDocument):
    plan_key: Text
    plan_id: Text
    plan_version: int
    published_at: datetime
    total: int
    started_at: datetime
    status: MigrationStatus
    moved: int
    skipped: int
    cursor: Text | None
    finished_at: datetime | None
    failure: Text | None

    class Settings:
        name = Kind.MIGRATION.value
        indexes: ClassVar[Sequence[IndexModel]] = (IndexModel("status"),)


class EditionDocument(RecordDocument):
    class Settings:
        name = Kind.EDITION.value


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
    Kind.MIGRATION: MigrationDocument,
    Kind.EDITION: EditionDocument,
}
