from typing import Literal, Optional, Union

from pydantic import Field

from .base_model import BaseModel
from .fragments import (
    SettlePayload,
    SettlePayloadDecisions,  # noqa: F401
)


class Settle(BaseModel):
    settle: Union[
        "SettleSettleSettlePayload",
        "SettleSettleValidationError",
        "SettleSettleNotFoundError",
        "SettleSettleConflictError",
        "SettleSettleIdempotencyConflictError",
    ] = Field(discriminator="typename__")


class SettleSettleSettlePayload(SettlePayload):
    typename__: Literal["SettlePayload"] = Field(alias="__typename")


class SettleSettleValidationError(BaseModel):
    typename__: Literal["ValidationError"] = Field(alias="__typename")
    code: str
    message: str
    path: Optional[list[str]]


class SettleSettleNotFoundError(BaseModel):
    typename__: Literal["NotFoundError"] = Field(alias="__typename")
    code: str
    message: str
    path: Optional[list[str]]


class SettleSettleConflictError(BaseModel):
    typename__: Literal["ConflictError"] = Field(alias="__typename")
    code: str
    message: str
    path: Optional[list[str]]


class SettleSettleIdempotencyConflictError(BaseModel):
    typename__: Literal["IdempotencyConflictError"] = Field(alias="__typename")
    code: str
    message: str
    path: Optional[list[str]]


Settle.model_rebuild()
