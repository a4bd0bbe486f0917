"""Reading one table: values that are what they must be, and where the others stand."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from app.domain.plan import ResetPeriod
from app.services.catalogue.section import Faults, Section, is_whole, listing, to_quantity, to_texts
from app.services.catalogue.syntax import parse


def section(source: str) -> Section:
    document = parse(source)
    return Section(Faults(document), (), document.values)


def told(table: Section) -> list[str]:
    return [f"{f.line}:{f.column} {f.code} {'.'.join(f.path)}" for f in table.faults.found]


READERS: dict[str, Callable[[Section], object]] = {
    "text": lambda table: table.text("a"),
    "flag": lambda table: table.flag("a"),
    "whole": lambda table: table.whole("a"),
    "quantity": lambda table: table.quantity("a"),
    "word": lambda table: table.word("a", ResetPeriod),
    "texts": lambda table: table.texts("a"),
    "numbers": lambda table: table.numbers("a"),
    "table": lambda table: table.table("a"),
    "tables": lambda table: list(table.tables("a")),
    "named": lambda table: list(table.named("a")),
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_what_is_missing_is_no_fault_and_reads_as_nothing(read: Callable[[Section], object]) -> None:
    table = section("b = 1")

    assert not read(table)
    assert told(table) == []


@pytest.mark.parametrize(
    ("reader", "value", "read"),
    [
        ("text", '"x"', "x"),
        ("flag", "true", True),
        ("whole", "7", 7),
        ("quantity", "0.10", Decimal("0.10")),
        ("quantity", '"-0.5"', Decimal("-0.5")),
        ("word", '"MONTH"', ResetPeriod.MONTH),
        ("texts", '["a", "b"]', ("a", "b")),
        ("numbers", "[80, 100]", (80, 100)),
        ("numbers", "[]", ()),
    ],
)
def test_what_is_right_is_read(reader: str, value: str, read: object) -> None:
    table = section(f"a = {value}")

    assert READERS[reader](table) == read
    assert told(table) == []


@pytest.mark.parametrize(
    ("reader", "value"),
    [
        ("text", "1"),
        ("flag", '"true"'),
        ("whole", "1.0"),
        ("whole", "true"),
        ("quantity", "true"),
        ("quantity", '"1e3"'),
        ("quantity", '"1.2.3"'),
        ("quantity", '"٣"'),
        ("word", "1"),
        ("texts", '["a", 1]'),
        ("texts", '"a"'),
        ("numbers", "[80, true]"),
        ("numbers", '["80"]'),
        ("table", "[]"),
        ("tables", "{}"),
        ("named", "1"),
    ],
)
def test_what_is_of_a_wrong_type_is_told_once_and_reads_as_nothing(reader: str, value: str) -> None:
    table = section(f"a = {value}")

    assert not READERS[reader](table)
    assert told(table) == ["1:5 WRONG_TYPE a"]


def test_of_tables_those_that_are_some_are_read() -> None:
    table = section("a = [{ b = 1 }, 2, { b = 3 }]")

    assert [(inner.path, inner.whole("b")) for inner in table.tables("a")] == [(("a", "0"), 1), (("a", "2"), 3)]
    assert told(table) == ["1:17 WRONG_TYPE a.1"]


def test_what_is_missing_is_told_at_the_table() -> None:
    inner = section("[a]\nb = 1").table("a")
    assert inner is not None

    inner.require("b", "c")

    assert told(inner) == ["1:2 REQUIRED a.c"]


def test_what_could_not_be_read_covers_what_is_below_it_and_nothing_beside() -> None:
    table = section("a = 1\nb = 2")
    table.text("a")

    assert table.faults.is_unread(("a",))
    assert table.faults.is_unread(("a", "below"))
    assert not table.faults.is_unread(("b",))
    assert not table.faults.is_unread(())


def test_a_fault_that_leaves_the_value_readable_covers_nothing() -> None:
    table = section("a = 1")
    table.faults.at_value(("a",), "OUT_OF_RANGE", "is too small")

    assert not table.faults.is_unread(("a",))


@pytest.mark.parametrize(
    ("known", "told"),
    [
        (["seats", "calls"], "did you mean seats?"),
        (["x", "y"], "there are x, y"),
        ([], "there are none"),
        ([f"n{n:02}" for n in range(22)], f"there are {', '.join(f'n{n:02}' for n in range(20))}, … (2 more)"),
    ],
)
def test_a_name_that_there_is_not_is_answered_with_those_there_are(known: list[str], told: str) -> None:
    assert section("").faults.suggest("seat", known) == told


@pytest.mark.parametrize(
    ("value", "whole", "quantity"),
    [
        (5, True, Decimal(5)),
        (True, False, None),
        (Decimal("0.5"), False, Decimal("0.5")),
        ("5", False, Decimal(5)),
        ("five", False, None),
        ("", False, None),
        (None, False, None),
    ],
)
def test_true_is_no_number_and_a_text_that_spells_one_is(value: Any, whole: object, quantity: Decimal | None) -> None:
    assert (is_whole(value), to_quantity(value)) == (whole, quantity)


@pytest.mark.parametrize(("value", "texts"), [([], ()), (["a"], ("a",)), (["a", 1], None), ("a", None), (None, None)])
def test_a_list_of_texts_is_nothing_but_texts(value: Any, texts: tuple[str, ...] | None) -> None:
    assert to_texts(value) == texts


def test_a_listing_of_a_few_names_them_all() -> None:
    assert listing(["a", "b"]) == "there are a, b"
