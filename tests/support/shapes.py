"""Strategies for records and other structs, derived from their types."""

from decimal import Decimal
from typing import Any

import msgspec.inspect
from hypothesis import strategies as st

LAST_INSTANT = 253_402_300_799_999
FIRST_INSTANT = -62_135_596_800_000

texts = st.text(max_size=8)
tricky_keys = st.sampled_from(
    ["$set", "~$set", "~~$", "~x", "a.b", "paidAt", "paid_at", "_id", "id", "$ref", "$id", ""]
)
user_keys = tricky_keys | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
decimals = st.decimals(allow_nan=False, allow_infinity=False, places=9, min_value=-(10**20), max_value=10**20)


def structs(type: type[Any], **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Build structs of any content that their types allow."""
    shape = msgspec.inspect.type_info(type)
    assert isinstance(shape, msgspec.inspect.StructType)
    return st.builds(type, **{field.name: of(field.type, field.name) for field in shape.fields} | fields)


def of(shape: msgspec.inspect.Type, name: str = "") -> st.SearchStrategy[Any]:
    match shape:
        case msgspec.inspect.Metadata(type=inner):
            return of(inner, name)
        case msgspec.inspect.IntType() if name.endswith("_at"):
            return st.integers(FIRST_INSTANT, LAST_INSTANT)
        case msgspec.inspect.UnionType(types=members):
            return st.one_of([of(member, name) for member in members])
        case msgspec.inspect.VarTupleType(item_type=item):
            return st.lists(of(item), max_size=3).map(tuple)
        case msgspec.inspect.DictType(value_type=value):
            return st.dictionaries(user_keys, of(value), max_size=3)
        case msgspec.inspect.StructType(cls=cls):
            return structs(cls)
        case msgspec.inspect.EnumType(cls=cls):
            return st.sampled_from(list(cls))
        case _:
            return _SCALARS[type(shape)]


_SCALARS: dict[type, st.SearchStrategy[Any]] = {
    msgspec.inspect.NoneType: st.none(),
    msgspec.inspect.BoolType: st.booleans(),
    msgspec.inspect.IntType: st.integers(-(2**63), 2**63 - 1),
    msgspec.inspect.StrType: texts,
    msgspec.inspect.DecimalType: decimals | st.sampled_from([Decimal(0), Decimal("1E+30"), Decimal("1E-9")]),
    msgspec.inspect.AnyType: st.none() | texts,
}
