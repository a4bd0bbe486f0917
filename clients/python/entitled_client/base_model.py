"""What every generated model and enum is made of."""

from enum import StrEnum
from typing import Final

import pydantic
from pydantic.alias_generators import to_camel


class UnsetType:
    """An argument that was left out, as opposed to None."""


UNSET: Final = UnsetType()


class BaseModel(pydantic.BaseModel):
    """Has snake_case names here and camelCase ones on the wire; fields it does not know are ignored."""

    model_config = pydantic.ConfigDict(alias_generator=to_camel, populate_by_name=True)


class OpenEnum(StrEnum):
    """Takes in values that the service has learned since this was generated; only their names are new."""

    @classmethod
    def _missing_(cls, value: object) -> "OpenEnum | None":
        if not isinstance(value, str):
            return None
        member = str.__new__(cls, value)
        member._name_ = member._value_ = value
        return member
