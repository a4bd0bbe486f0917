"""What an event shows of a record: its plain fields as JSON, and how they differ from before."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, cast

import msgspec

from app.domain.change import Record

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_OF_THE_STORE: Final = frozenset(Record.__struct_fields__)


def shown(record: msgspec.Struct, *, without: Collection[str] = ()) -> dict[str, Any]:
    """Return the fields of a record, or of an object's facts, that hold one value or a list of words.

    Instants are RFC 3339, decimals text. What the store alone uses is left out.
    """
    hidden = _OF_THE_STORE.union(without) if isinstance(record, Record) else without
    fields = zip(record.__struct_fields__, record.__struct_encode_fields__, strict=True)
    found = {key: _json(name, getattr(record, name)) for name, key in fields if name not in hidden}
    return {key: value for key, value in found.items() if value is not _LEFT_OUT}


def difference(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event's data: all that is now, and of what was those that differ; None where nothing was known."""
    was = None if before is None else {key: value for key, value in before.items() if after.get(key) != value}
    return {"before": was, "after": dict(after)}


def instant_text(at: int) -> str:
    """Write epoch milliseconds as RFC 3339 in UTC."""
    return (_EPOCH + timedelta(milliseconds=at)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


_LEFT_OUT: Final = object()


def _json(name: str, value: object) -> object:
    match value:
        case int() if name.endswith("_at"):
            return instant_text(value)
        case None | str() | int():
            return value
        case Decimal():
            return f"{value:f}"
        case tuple():
            words = cast("tuple[object, ...]", value)
            return list(words) if all(isinstance(word, str) for word in words) else _LEFT_OUT
        case dict():
            return dict(cast("dict[str, object]", value))
        case _:
            return _LEFT_OUT
