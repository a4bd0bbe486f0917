from typing import Literal, Optional, Union

from pydantic import Field

from .base_model import BaseModel
from .fragments import (  # noqa: F401
    LimitExceededError,
    LimitExceededErrorDecision,
    ReservationPayload,
    ReservationPayloadDecisions,
)


class Reserve(BaseModel):
    reserve: Union[
        "ReserveReserveReservationPayload",
        "ReserveReserveLimitExceededError",
        "ReserveReserveValidationError",
        "ReserveReserveNotFoundError",
        "ReserveReserveConflictError",
        "ReserveReserveIdempotencyConflictError",
    ] = Field(discriminator="typename__")


class ReserveReserveReservationPayload(ReservationPayload):
    typename__: Literal["ReservationPayload"] = Field(alias="__typename")


class ReserveReserveLimitExceededError(LimitExceededError):
    typename__: Literal["LimitExceededError"] = Field(alias="__typename")
    code: str
    message: str
    path: Optional[list[str]]


class ReserveReserveValidationError(BaseModel):
    typename__: Literal["ValidationError"] = Field(alias="__typename")
    code: str
    message: str
    path: Optional[list[str]]


class ReserveReserveNotFoundError(BaseModel):
    typename__: Literal["NotFoundError"] = Field(alias="__typename")
    code: str
    message: str
    path: Optional[list[str]]


class ReserveReserveConflictError(BaseModel):
    typename__: Literal["ConflictError"] = Field(alias="__typename")
    code: str
    message: str
    path: Optional[list[str]]


class ReserveReserveIdempotencyConflictError(BaseModel):
    typename__: Literal["IdempotencyConflictError"] = Field(alias="__typename")
    code: str
    message: str
    path: Optional[list[str]]


Reserve.model_rebuild()
