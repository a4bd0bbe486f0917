from typing import Literal, Optional, Union

from pydantic import Field

from .base_model import BaseModel
from .fragments import (
    ReleasePayload,
    ReleasePayloadDecisions,  # noqa: F401
)


class Release(BaseModel):
    release: Union[
        "ReleaseReleaseReleasePayload",
        "ReleaseReleaseValidationError",
        "ReleaseReleaseNotFoundError",
        "ReleaseReleaseConflictError",
        "ReleaseReleaseIdempotencyConflictError",
    ] = Field(discriminator="typename__")


class ReleaseReleaseReleasePayload(ReleasePayload):
    typename__: Literal["ReleasePayload"] = Field(alias="__typename")


class ReleaseReleaseValidationError(BaseModel):
    typename__: Literal["ValidationError"] = Field(alias="__typename")
    code: str
    message: str
    path: Optional[list[str]]


class ReleaseReleaseNotFoundError(BaseModel):
    typename__: Literal["NotFoundError"] = Field(alias="__typename")
    code: str
    message: str
    path: Optional[list[str]]


class ReleaseReleaseConflictError(BaseModel):
    typename__: Literal["ConflictError"] = Field(alias="__typename")
    code: str
    message: str
    path: Optional[list[str]]


class ReleaseReleaseIdempotencyConflictError(BaseModel):
    typename__: Literal["IdempotencyConflictError"] = Field(alias="__typename")
    code: str
    message: str
    path: Optional[list[str]]


Release.model_rebuild()
