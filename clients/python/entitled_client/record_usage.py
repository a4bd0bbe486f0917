from typing import Literal, Optional, Union

from pydantic import Field

from .base_model import BaseModel
from .fragments import (
    RecordUsagePayload,
    RecordUsagePayloadEntitlement,  # noqa: F401
)


class RecordUsage(BaseModel):
    record_usage: Union[
        "RecordUsageRecordUsageRecordUsagePayload",
        "RecordUsageRecordUsageValidationError",
        "RecordUsageRecordUsageNotFoundError",
        "RecordUsageRecordUsageConflictError",
        "RecordUsageRecordUsageIdempotencyConflictError",
    ] = Field(discriminator="typename__")


class RecordUsageRecordUsageRecordUsagePayload(RecordUsagePayload):
    typename__: Literal["RecordUsagePayload"] = Field(alias="__typename")


class RecordUsageRecordUsageValidationError(BaseModel):
    typename__: Literal["ValidationError"] = Field(alias="__typename")
    code: str
    message: str
    path: Optional[list[str]]


class RecordUsageRecordUsageNotFoundError(BaseModel):
    typename__: Literal["NotFoundError"] = Field(alias="__typename")
    code: str
    message: str
    path: Optional[list[str]]


class RecordUsageRecordUsageConflictError(BaseModel):
    typename__: Literal["ConflictError"] = Field(alias="__typename")
    code: str
    message: str
    path: Optional[list[str]]


class RecordUsageRecordUsageIdempotencyConflictError(BaseModel):
    typename__: Literal["IdempotencyConflictError"] = Field(alias="__typename")
    code: str
    message: str
    path: Optional[list[str]]


RecordUsage.model_rebuild()
