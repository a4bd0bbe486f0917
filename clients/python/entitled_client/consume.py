from typing import Literal, Optional, Union

from pydantic import Field

from .base_model import BaseModel
from .fragments import (  # noqa: F401
    ConsumePayload,
    ConsumePayloadDecisions,
    LimitExceededError,
    LimitExceededErrorDecision,
)


class Consume(BaseModel):
    consume: Union[
        "ConsumeConsumeConsumePayload",
        "ConsumeConsumeLimitExceededError",
        "ConsumeConsumeValidationError",
        "ConsumeConsumeNotFoundError",
        "ConsumeConsumeConflictError",
        "ConsumeConsumeIdempotencyConflictError",
    ] = Field(discriminator="typename__")


class ConsumeConsumeConsumePayload(ConsumePayload):
    typename__: Literal["ConsumePayload"] = Field(alias="__typename")


class ConsumeConsumeLimitExceededError(LimitExceededError):
    typename__: Literal["LimitExceededError"] = Field(alias="__typename")
    code: str
    message: str
    path: Optional[list[str]]


class ConsumeConsumeValidationError(BaseModel):
    typename__: Literal["ValidationError"] = Field(alias="__typename")
    code: str
    message: str
    path: Optional[list[str]]


class ConsumeConsumeNotFoundError(BaseModel):
    typename__: Literal["NotFoundError"] = Field(alias="__typename")
    code: str
    message: str
    path: Optional[list[str]]


class ConsumeConsumeConflictError(BaseModel):
    typename__: Literal["ConflictError"] = Field(alias="__typename")
    code: str
    message: str
    path: Optional[list[str]]


class ConsumeConsumeIdempotencyConflictError(BaseModel):
    typename__: Literal["IdempotencyConflictError"] = Field(alias="__typename")
    code: str
    message: str
    path: Optional[list[str]]


Consume.model_rebuild()
