"""The collections beside the records: usage, audit, results, Stripe's events and ours, jobs; what expires."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, Final

from pydantic import Field
from pymongo import ASCENDING, DESCENDING, IndexModel

from app.domain.audit import ActorKind
from app.domain.billing_event import BillingEventType
from app.domain.change import Kind
from app.domain.stripe_event import StripeEventStatus
from app.domain.usage import UsageKind
from app.store.documents import StoredDocument
from app.store.parts import Part, Text, UsageLinePart

RETENTION_INDEX: Final = "retention"
"""The name of the index by which the server deletes what is old; `Mongo.open` sets its seconds."""


NEWEST_FIRST: Final = [("recordedAt", DESCENDING), ("_id", DESCENDING)]
"""The order of the audit's listing."""
AUDIT_FILTERS: Final = ("recordId", "actor.id", "kind", "operation")
BY_SEAL: Final = [("seal", ASCENDING), ("_id", ASCENDING)]
"""Finds what no seal lists yet, and what claims a seal."""


def expiring(field: str) -> IndexModel:
    """Return an index by which documents are deleted some time after `field`; `Mongo.open` says how long."""
    return IndexModel(field, name=RETENTION_INDEX, expireAfterSeconds=0)


class UsageEventDocument(StoredDocument):
    workspace_id: Text
    kind: UsageKind
    lines: list[UsageLinePart]
    occurred_at: datetime
    recorded_at: datetime
    principal: Text
    input_digest: Text
    properties: dict[str, Text]
    reservation_id: Text | None
    expires_at: datetime | None
    corrects: Text | None
    reason: Text

    class Settings:
        name = "usage_events"
        indexes: ClassVar[Sequence[IndexModel]] = (
            IndexModel([("workspaceId", ASCENDING), ("occurredAt", DESCENDING), ("_id", DESCENDING)]),
            IndexModel(
                [
                    ("workspaceId", ASCENDING),
                    ("lines.featureKey", ASCENDING),
                    ("occurredAt", DESCENDING),
                    ("_id", DESCENDING),
                ]
            ),
            IndexModel("corrects", partialFilterExpression={"corrects": {"$type": "string"}}),
        )


class ActorPart(Part):
    kind: ActorKind
    id: Text


class AuditDocument(StoredDocument):
    recorded_at: datetime
    actor: ActorPart
    operation: Text
    kind: Kind
    record_id: Text
    before: dict[str, Any] | None
    after: dict[str, Any]
    seal: int | None

    class Settings:
        name = "audit"
        indexes: ClassVar[Sequence[IndexModel]] = (
            *(IndexModel([*of, *NEWEST_FIRST]) for of in ([], *([(name, ASCENDING)] for name in AUDIT_FILTERS))),
            IndexModel(BY_SEAL),
            expiring("recordedAt"),
        )


class SealedEntryPart(Part):
    id: Text
    recorded_at: datetime
    digest: Text


class AuditSealDocument(StoredDocument):
    """A link of the chain over the audit; `_id` is its number, which two sealers cannot both take."""

    id: int = Field(alias="_id", ge=1)  # pyright: ignore[reportIncompatibleVariableOverride, reportGeneralTypeIssues] - text elsewhere
    previous: Text
    previous_at: datetime | None
    sealed_at: datetime
    entries: list[SealedEntryPart]
    hash: Text

    class Settings:
        name = "audit_seals"
        indexes: ClassVar[Sequence[IndexModel]] = (IndexModel("sealedAt"),)


class ResultDocument(StoredDocument):
    """What an idempotent operation answered."""

    input_digest: Text
    created_at: datetime
    records: list[dict[str, Any]]
    answer: Text

    class Settings:
        name = "idempotency"
        indexes: ClassVar[Sequence[IndexModel]] = (expiring("createdAt"),)


class StripeEventDocument(StoredDocument):
    type: Text
    occurred_at: datetime
    received_at: datetime
    payload: Text
    status: StripeEventStatus
    livemode: bool
    api_version: Text | None
    object_type: Text | None
    object_id: Text | None
    attempts: int
    reason: Text | None
    processed_at: datetime | None
    foreign: bool
    first_fetched_at: datetime | None
    written_at: datetime | None
    applied_at: datetime | None
    discarded_by: Text | None
    discard_reason: Text | None

    class Settings:
        name = "stripe_events"
        indexes: ClassVar[Sequence[IndexModel]] = (
            expiring("processedAt"),  # null for what still waits, is parked or dead: that never expires
            IndexModel([("receivedAt", DESCENDING), ("_id", DESCENDING)]),
            IndexModel([("status", ASCENDING), ("receivedAt", DESCENDING), ("_id", DESCENDING)]),
            IndexModel([("objectId", ASCENDING), ("status", ASCENDING), ("occurredAt", ASCENDING)]),
        )


class StripeDirtyDocument(StoredDocument):
    """An object of which something is to be learned; `app.store.inbox` says how its fields move."""

    type: Text
    sequence: int
    attempts: int
    last_error: Text | None = None
    state: Text
    marked_at: datetime
    due_at: datetime
    failed_at: datetime | None = None
    lease_token: Text | None = None
    parked_under: list[Text]
    released: bool = False
    taken_over: bool = False

    class Settings:
        name = "stripe_dirty"
        indexes: ClassVar[Sequence[IndexModel]] = (
            IndexModel([("state", ASCENDING), ("dueAt", ASCENDING)]),
            IndexModel([("state", ASCENDING), ("markedAt", ASCENDING), ("dueAt", ASCENDING)]),
            IndexModel("leaseToken", partialFilterExpression={"leaseToken": {"$type": "string"}}),
            IndexModel("parkedUnder"),
        )


class BillingEventDocument(StoredDocument):
    """What happened to a customer's billing; `data` is JSON."""

    type: BillingEventType
    occurred_at: datetime
    recorded_at: datetime
    workspace_id: Text | None
    customer_id: Text | None
    object_type: Text
    object_id: Text
    data: Text

    class Settings:
        name = "billing_events"
        indexes: ClassVar[Sequence[IndexModel]] = (
            *(
                IndexModel([*((name, ASCENDING) for name in of), *NEWEST_FIRST])
                for of in ((), ("workspaceId",), ("customerId",), ("type",))
            ),
            expiring("recordedAt"),
        )


class JobDocument(StoredDocument):
    """How far a long job is; `app.store.jobs` says how its fields move."""

    state: dict[str, Any] | None
    revision: int
    lease_token: Text | None
    lease_until: datetime

    class Settings:
        name = "jobs"
        indexes: ClassVar[Sequence[IndexModel]] = ()


JOURNAL_DOCUMENTS: Final[tuple[type[StoredDocument], ...]] = (
    UsageEventDocument,
    AuditDocument,
    AuditSealDocument,
    ResultDocument,
    StripeEventDocument,
    StripeDirtyDocument,
    BillingEventDocument,
    JobDocument,
)
