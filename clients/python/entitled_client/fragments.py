from datetime import datetime
from decimal import Decimal
from typing import Any, Optional

from .base_model import BaseModel
from .enums import AccessDeniedReason, LimitBehavior


class Entitlement(BaseModel):
    feature_key: str
    has_access: bool
    access_denied_reason: Optional[AccessDeniedReason]
    limit_behavior: LimitBehavior
    read_only: bool
    in_grace: bool
    grace_ends_at: Optional[datetime]
    is_trial: bool
    trial_ends_at: Optional[datetime]
    value: Optional[Any]
    usage: Optional["EntitlementUsage"]
    valid_until: Optional[datetime]
    version: str


class EntitlementUsage(BaseModel):
    used: Decimal
    reserved: Decimal
    limit: Optional[Decimal]
    remaining: Optional[Decimal]
    overage: Decimal
    period_start: Optional[datetime]
    resets_at: Optional[datetime]


class Decision(BaseModel):
    entitlement: "DecisionEntitlement"


class DecisionEntitlement(Entitlement):
    pass


class ConsumePayload(BaseModel):
    event_id: str
    replayed: bool
    decisions: list["ConsumePayloadDecisions"]


class ConsumePayloadDecisions(Decision):
    pass


class EntitlementSet(BaseModel):
    workspace_id: str
    version: str
    access_denied_reason: Optional[AccessDeniedReason]
    entitlements: list["EntitlementSetEntitlements"]


class EntitlementSetEntitlements(Entitlement):
    pass


class LimitExceededError(BaseModel):
    line: int
    decision: "LimitExceededErrorDecision"


class LimitExceededErrorDecision(Decision):
    pass


class RecordUsagePayload(BaseModel):
    event_id: str
    replayed: bool
    entitlement: "RecordUsagePayloadEntitlement"


class RecordUsagePayloadEntitlement(Entitlement):
    pass


class ReleasePayload(BaseModel):
    event_id: str
    replayed: bool
    decisions: list["ReleasePayloadDecisions"]


class ReleasePayloadDecisions(Decision):
    pass


class ReservationPayload(BaseModel):
    reservation_id: str
    expires_at: datetime
    event_id: str
    replayed: bool
    decisions: list["ReservationPayloadDecisions"]


class ReservationPayloadDecisions(Decision):
    pass


class SettlePayload(BaseModel):
    event_id: str
    replayed: bool
    decisions: list["SettlePayloadDecisions"]


class SettlePayloadDecisions(Decision):
    pass


Entitlement.model_rebuild()
Decision.model_rebuild()
ConsumePayload.model_rebuild()
EntitlementSet.model_rebuild()
LimitExceededError.model_rebuild()
RecordUsagePayload.model_rebuild()
ReleasePayload.model_rebuild()
ReservationPayload.model_rebuild()
SettlePayload.model_rebuild()
