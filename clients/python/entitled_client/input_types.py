from datetime import datetime
from decimal import Decimal
from typing import Any, Optional

from .base_model import BaseModel


class CheckInput(BaseModel):
    """One question: may this workspace use this feature?"""

    workspace_id: str
    "Our id, or your externalId."
    feature_key: str
    "The feature's key. An unknown one is answered, not refused."
    requested_usage: Optional[Decimal] = None
    "METERED and CREDIT only: how much is about to be used. 1 unless given; 0: is it there at all?"
    requested_values: Optional[list[str]] = None
    "CONFIG only: values that must all be allowed."


class ConsumeInput(BaseModel):
    """Lines to be used: all of them or none."""

    idempotency_key: str
    "Your name for this request, unique per API key and workspace among all requests of usage, for as long as the ledger keeps its entry: the same input again replays the stored answer, another input is refused. One that was refused may be sent again."
    workspace_id: str
    "Our id, or your externalId."
    lines: list["UsageLineInput"]
    "1 to 100; a feature may stand several times."


class RecordUsageInput(BaseModel):
    """What has already been used."""

    idempotency_key: str
    "Your name for this request, unique per API key and workspace among all requests of usage, for as long as the ledger keeps its entry: the same input again replays the stored answer, another input is refused. One that was refused may be sent again."
    workspace_id: str
    "Our id, or your externalId."
    feature_key: str
    "A METERED or CREDIT feature."
    amount: Decimal
    "How much. Negative only for FLUCTUATING features, whose level it lowers."
    occurred_at: Optional[datetime] = None
    "When; null is now. At most USAGE_BACKDATE_HOURS ago (72 unless set otherwise)."
    properties: Optional[Any] = None
    "For your own records: an object of up to 20 strings."


class ReleaseInput(BaseModel):
    """A reservation of which nothing was used."""

    idempotency_key: str
    "Your name for this request, unique per API key and workspace among all requests of usage, for as long as the ledger keeps its entry: the same input again replays the stored answer, another input is refused. One that was refused may be sent again."
    reservation_id: str
    "As `reserve` gave it."


class ReserveInput(BaseModel):
    """Lines to be held back: all of them or none."""

    idempotency_key: str
    "Your name for this request, unique per API key and workspace among all requests of usage, for as long as the ledger keeps its entry: the same input again replays the stored answer, another input is refused. One that was refused may be sent again."
    workspace_id: str
    "Our id, or your externalId."
    lines: list["UsageLineInput"]
    "1 to 100; a feature may stand several times."
    ttl_seconds: int = 300
    "After so many seconds all of it returns by itself; 1 to 604,800."


class SettleInput(BaseModel):
    """What was really used of a reservation."""

    idempotency_key: str
    "Your name for this request, unique per API key and workspace among all requests of usage, for as long as the ledger keeps its entry: the same input again replays the stored answer, another input is refused. One that was refused may be sent again."
    reservation_id: str
    "As `reserve` gave it."
    actual: Optional[list["UsageLineInput"]] = None
    "Null is all that was reserved. Otherwise a feature left out was not used, and an amount may be 0, or more than was reserved: it has happened."


class UsageLineInput(BaseModel):
    """So much of one feature."""

    feature_key: str
    "A METERED or CREDIT feature."
    amount: Decimal
    "In the feature's own unit, also where it draws on credits. Up to 9 decimal places, as a string."


ConsumeInput.model_rebuild()
ReserveInput.model_rebuild()
SettleInput.model_rebuild()
