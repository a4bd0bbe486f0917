"""How a domain enum becomes part of the schema."""

from collections.abc import Mapping
from enum import EnumMeta
from typing import Any, cast

import strawberry
from strawberry.types.enum import StrawberryEnumDefinition


def expose(enum: EnumMeta, description: str, values: Mapping[str, str], *, name: str | None = None) -> None:
    """Make a domain enum part of the schema. Every value must be described."""
    strawberry.enum(enum, description=description, name=name)
    definition = cast("StrawberryEnumDefinition", cast("Any", enum).__strawberry_definition__)
    for value in definition.values:
        value.description = values[value.name]
