"""Values of a TOML text, and where they stand; what is no TOML is told with its place."""

import tomllib
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import CatalogueFaultsError
from app.services.catalogue.syntax import LINE_MAX, SOURCE_MAX, Document, Path, Place, parse
from app.services.catalogue.writing import inline

_KEYS = st.sampled_from(["a", "b", "name", "max_seats", "x-1", "é", "a b", 'say "hi"', "k.k", "😀", ""])
_SCALARS = st.integers(-5, 5) | st.booleans() | st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
_FLAT = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3), max_leaves=6
)


class Writer:
    """Writes a TOML text in a style drawn at random, and remembers what it wrote where."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.text = ""
        self.keys: dict[Path, str] = {}
        self.cells: dict[Path, str] = {}
        self._draw = draw

    def file(self, values: dict[str, Any], tables: dict[str, Any], arrays: dict[str, Any]) -> None:
        for key, value in values.items():
            self.pair((), key, value)
        for key, table in tables.items():
            self._line("[", key, "]")
            for inner, value in table.items():
                self.pair((key,), inner, value)
        for key, elements in arrays.items():
            for position, element in enumerate(elements):
                self._line("[[", key, "]]")
                for inner, value in element.items():
                    self.pair((key, str(position)), inner, value)

    def pair(self, base: Path, key: str, value: Any) -> None:
        self.text += self._draw(st.sampled_from(["", "  ", "# ünïcode 😀\n", "\n\t", "\r\n"]))
        path = (*base, key)
        written = self._key(key)
        if isinstance(value, dict) and len(value) == 1 and self._draw(st.booleans()):
            [(inner, value)] = value.items()
            path, written = (*path, inner), f"{written}.{self._key(inner)}"
            self.keys[path[:-1]] = self.keys[path] = ""  # both start in the middle of one key: see the tables below
        else:
            self.keys[path] = written
        self.text += written + self._draw(st.sampled_from([" = ", "=", "\t=  "]))
        self._value(path, value)
        self.text += self._draw(st.sampled_from(["\n", " # with a comment\n", "\r\n"]))

    def _line(self, before: str, key: str, after: str) -> None:
        written = self._key(key)
        self.keys.setdefault((key,), written)
        self.text += f"{before} {written}{after}\n"

    def _key(self, key: str) -> str:
        is_bare = key.isascii() and key.replace("_", "").replace("-", "").isalnum()
        return key if is_bare and self._draw(st.booleans()) else inline(key)

    def _value(self, path: Path, value: Any) -> None:
        self.cells[path] = inline(value) if not isinstance(value, (list, dict)) else "[{"[isinstance(value, dict)]
        match value:
            case dict():
                self.text += "{ "
                for position, (key, inner) in enumerate(value.items()):
                    self.text += ", " if position else ""
                    self.keys[(*path, key)] = self._key(key)
                    self.text += self.keys[(*path, key)] + " = "
                    self._value((*path, key), inner)
                self.text += " }"
            case list():
                self.text += "["
                for position, inner in enumerate(value):
                    self.text += self._draw(st.sampled_from(["", "\n  ", " # why\n"]))
                    self._value((*path, str(position)), inner)
                    self.text += ","
                self.text += "]"
            case _:
                self.text += inline(value)


@st.composite
def written(draw: st.DrawFn) -> Writer:
    writer = Writer(draw)
    names = draw(st.lists(_KEYS, unique=True, max_size=6))
    rest = iter(names)
    values = {key: draw(_FLAT) for key in _some(draw, rest)}
    tables = {key: draw(st.dictionaries(_KEYS, _FLAT, max_size=3)) for key in _some(draw, rest)}
    arrays = {key: draw(st.lists(st.dictionaries(_KEYS, _FLAT, max_size=2), min_size=1, max_size=3)) for key in rest}
    writer.file(values, tables, arrays)
    return writer


def _some(draw: st.DrawFn, rest: Iterator[str]) -> list[str]:
    return [key for _, key in zip(range(draw(st.integers(0, 3))), rest, strict=False)]


def at(text: str, place: Place) -> str:
    return "\n".join(text.split("\n")[place.line - 1 :])[place.column - 1 :]


@given(writer=written())
def test_places_point_at_the_text_of_keys_and_values(writer: Writer) -> None:
    document = parse(writer.text)

    for path, key in writer.keys.items():
        assert at(writer.text, document.key_place(path)).startswith(key)
    for path, value in writer.cells.items():
        assert at(writer.text, document.value_place(path)).startswith(value)


@given(writer=written())
def test_values_are_those_of_the_standard_librarys_parser(writer: Writer) -> None:
    assert parse(writer.text).values == tomllib.loads(writer.text)


TABLES = """\
[plans.pro.features]
seats = 3

[plans.pro]
name = "Pro"
grace.days = 5
"add on".'x' = { y = [1, { z = "é" }] }

[[windows]]
limit = 1
[windows.inner]
deep = true
[[windows]]
limit = 2
"""


@pytest.fixture(scope="module")
def tables() -> Document:
    return parse(TABLES)


@pytest.mark.parametrize(
    ("path", "line", "column"),
    [
        pytest.param(("plans",), 1, 2, id="named by a longer header only"),
        pytest.param(("plans", "pro"), 4, 8, id="its own header goes before a longer one"),
        pytest.param(("plans", "pro", "features"), 1, 12, id="last part of a header"),
        pytest.param(("plans", "pro", "features", "seats"), 2, 1, id="key of a table"),
        pytest.param(("plans", "pro", "grace"), 6, 1, id="first part of a dotted key"),
        pytest.param(("plans", "pro", "grace", "days"), 6, 7, id="second part of a dotted key"),
        pytest.param(("plans", "pro", "add on", "x"), 7, 10, id="quoted parts"),
        pytest.param(("plans", "pro", "add on", "x", "y", "1", "z"), 7, 28, id="table in a list"),
        pytest.param(("windows", "0", "limit"), 10, 1, id="first of an array of tables"),
        pytest.param(("windows", "0", "inner", "deep"), 12, 1, id="table below the first"),
        pytest.param(("windows", "1", "limit"), 14, 1, id="second of an array of tables"),
        pytest.param(("windows", "1"), 13, 3, id="header of an array's element"),
        pytest.param(("plans", "pro", "nothing", "here"), 4, 8, id="what is missing: what is around it"),
        pytest.param(("nothing",), 1, 1, id="what is missing in the file"),
    ],
)
def test_a_key_stands_where_it_is_written(tables: Document, path: Path, line: int, column: int) -> None:
    assert tables.key_place(path) == Place(line, column)


@pytest.mark.parametrize(
    ("path", "line", "column"),
    [
        pytest.param(("plans", "pro", "name"), 5, 8, id="text"),
        pytest.param(("plans", "pro", "add on", "x", "y", "1", "z"), 7, 32, id="in an inline table"),
        pytest.param(("plans", "pro", "add on", "x", "y", "0"), 7, 23, id="element of a list"),
        pytest.param(("plans", "pro"), 4, 8, id="a table with a header: the header"),
    ],
)
def test_a_value_stands_where_it_starts(tables: Document, path: Path, line: int, column: int) -> None:
    assert tables.value_place(path) == Place(line, column)


def test_numbers_keep_every_digit() -> None:
    values = parse("a = 0.10\nb = 1e3\nc = 12345678901234567.123456789").values

    assert values == {"a": Decimal("0.10"), "b": Decimal("1E+3"), "c": Decimal("12345678901234567.123456789")}
    assert str(values["a"]) == "0.10"


@pytest.mark.parametrize("text", ["1e99999999999999999999999", "1e999999999", "1e-999999999", "inf", "nan"])
def test_a_number_that_nothing_can_be_counted_in_is_none(text: str) -> None:
    assert parse(f"a = {text}").values["a"].is_nan()


@pytest.mark.parametrize(
    ("text", "line", "column", "code"),
    [
        pytest.param("a = 1\nb =\n", 2, 4, "SYNTAX", id="no value"),
        pytest.param("a = 1\na = 2", 2, 6, "SYNTAX", id="key twice"),
        pytest.param('a = 1\r\nb = "x', 2, 7, "SYNTAX", id="open to the end"),
        pytest.param("a = [1,\n2", 2, 2, "SYNTAX", id="list open to the end"),
        pytest.param("[a\n", 1, 3, "SYNTAX", id="header"),
        pytest.param('é = "\x00"', 1, 1, "SYNTAX", id="bare key of other letters"),
        pytest.param('a = 1\nb = "x\ud800"', 2, 7, "INVALID_CHARACTER", id="half a surrogate pair"),
        pytest.param("a = " + "[" * 50 + "]" * 50, 1, 44, "TOO_DEEP", id="deep lists"),
        pytest.param("a = 1\n" + ".".join("b" * 50) + " = 1", 2, 23, "TOO_DEEP", id="long key"),
        pytest.param("a\n" + ".".join("b" * 50) + " = 1", 2, 23, "TOO_DEEP", id="long key in what is no TOML"),
        pytest.param("[1=.]", 1, 3, "SYNTAX", id="no TOML at all"),
        pytest.param("[" * 3000, 1, 3, "SYNTAX", id="many brackets"),
        pytest.param("a = 1\n# " + "x" * LINE_MAX, 2, LINE_MAX + 1, "TOO_LONG", id="long line"),
        pytest.param("#\n" * (SOURCE_MAX // 2) + "a", 1, 1, "TOO_LONG", id="long file"),
    ],
)
def test_what_is_no_toml_is_told_with_its_place(text: str, line: int, column: int, code: str) -> None:
    with pytest.raises(CatalogueFaultsError) as caught:
        parse(text)

    [fault] = caught.value.faults
    assert (fault.line, fault.column, fault.path, fault.code) == (line, column, (), code)


@given(text=st.text(st.sampled_from("a.b=[]{}\"'\n#,1 \\é"), max_size=40) | st.text(max_size=20))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    with suppress(CatalogueFaultsError):
        assert parse(text).values == tomllib.loads(text, parse_float=Decimal)


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    assert parse('\ufeffdefault_plan = "free"').values == {"default_plan": "free"}
