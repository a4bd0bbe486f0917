"""What several inputs share: versions as strings, values of CONFIG features, metadata."""

from typing import Any, Final, cast

import strawberry

from app.domain.errors import ValidationError
from app.domain.plan import ConfigValue

KEY: Final = (
    "Your name for this request, unique per API key and mutation for 24 hours (unless set otherwise): the same input "
    "again replays the stored answer, another input is refused."
)
_BOUND: Final = 2**63
REPLAYED: Final = "Whether this is the stored answer to an earlier request with the same idempotencyKey."
VERSION: Final = "The version you have seen: refused as a conflict where the record has another."
WORKSPACE: Final = "Our id, or your externalId."


def to_version(text: str | None) -> int | None:
    """Read an `ifVersion`."""
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > len(str(2**53)):
        raise ValidationError.of("input.ifVersion", "INVALID_FORMAT", "ifVersion is a version as it was given: digits")
    return int(text)


def to_value(value: Any, path: str = "input.value") -> ConfigValue | None:
    """Read a CONFIG feature's value: an integer, a string, or a list of strings."""
    match value:
        case None | str():
            return value
        case bool():
            pass
        case int() if abs(value) < _BOUND:
            return value
        case list():
            items = cast("list[object]", value)  # JSON: what is in it is looked at next
            texts = tuple(item for item in items if isinstance(item, str))
            if len(texts) == len(items):
                return texts
        case _:
            pass
    raise ValidationError.of(path, "INVALID_TYPE", "value is an integer, a string, or a list of strings")


def to_metadata(metadata: Any) -> dict[str, str]:
    """Read metadata: an object of strings."""
    return to_texts(metadata, "metadata")


def to_texts(found: Any, name: str) -> dict[str, str]:
    """Read the input field `name`, an object of strings; null is none."""
    if found is None:
        return {}
    if isinstance(found, dict):
        entries = cast("dict[str, object]", found)  # JSON: keys are strings, values are looked at next
        texts = {key: value for key, value in entries.items() if isinstance(value, str)}
        if len(texts) == len(entries):
            return texts
    raise ValidationError.of(f"input.{name}", "INVALID_TYPE", f"{name} is an object whose values are strings")


def given(value: Any) -> bool:
    """Tell whether an input names the field at all."""
    return value is not strawberry.UNSET
