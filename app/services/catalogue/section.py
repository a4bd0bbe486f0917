"""One table of the file as it is read, and the faults found in it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, Final, TypeGuard, TypeVar, cast

from app.domain.errors import CatalogueFault
from app.services.catalogue.syntax import Document, Path, Place

E = TypeVar("E", bound=StrEnum)

_NAMES_MAX: Final = 20
_COMPARISONS_MAX: Final = 5_000
_UNREAD: Final = ("WRONG_TYPE", "UNKNOWN_WORD", "REQUIRED")


class Faults:
    """Gathers the faults of one file. Every message starts with the path to what it is about."""

    def __init__(self, document: Document) -> None:
        self.found: list[CatalogueFault] = []
        self.document = document
        self._unread: set[Path] = set()
        self._comparisons = 0

    def at_key(self, path: Path, code: str, problem: str) -> None:
        """Note a fault of the key itself, or of what is missing below it."""
        self._add(self.document.key_place(path), path, code, problem)

    def at_value(self, path: Path, code: str, problem: str) -> None:
        """Note a fault of the value."""
        self._add(self.document.value_place(path), path, code, problem)

    def is_unread(self, path: Path) -> bool:
        """Tell whether the value at this path, or one around it, is known to be missing or of a wrong type."""
        return any(path[:length] in self._unread for length in range(1, len(path) + 1))

    def suggest(self, name: str, known: Iterable[str]) -> str:
        """Say which of the known names was meant, or which there are.

        Looking for the nearest takes a comparison per name, so a file of many faults gets no more of them in the end.
        """
        names = sorted(known)
        self._comparisons += len(names)
        near = get_close_matches(name, names, n=1) if self._comparisons <= _COMPARISONS_MAX else ()
        return f"did you mean {near[0]}?" if near else listing(names)

    def _add(self, place: Place, path: Path, code: str, problem: str) -> None:
        self.found.append(CatalogueFault(place.line, place.column, path, code, f"{'.'.join(path)} {problem}"))
        if code in _UNREAD:
            self._unread.add(path)


class Section:
    """A table: each reader takes the value of one key, None where it is missing or wrong, and notes what is wrong."""

    def __init__(self, faults: Faults, path: Path, values: Mapping[str, Any]) -> None:
        self.faults = faults
        self.path = path
        self.values = values

    def refuse_others(self, known: frozenset[str], what: str) -> None:
        """Note every key that is none of those that `what` may have."""
        for name in self.values:
            if name not in known:
                self.faults.at_key(
                    (*self.path, name), "UNKNOWN_KEY", f"is no key of {what}; {self.faults.suggest(name, known)}"
                )

    def require(self, *names: str) -> None:
        """Note the keys that are missing."""
        for name in names:
            if name not in self.values:
                self.faults.at_key((*self.path, name), "REQUIRED", "is missing")

    def text(self, name: str) -> str | None:
        value = self.values.get(name)
        return value if isinstance(value, str) else self._wrong(name, value, 'must be a text: "..."')

    def flag(self, name: str) -> bool:
        value = self.values.get(name, False)
        return value if isinstance(value, bool) else bool(self._wrong(name, value, "must be true or false"))

    def whole(self, name: str) -> int | None:
        value = self.values.get(name)
        return value if is_whole(value) else self._wrong(name, value, "must be a whole number")

    def quantity(self, name: str) -> Decimal | None:
        """Read a number, or a text that is one: no value loses a digit on its way."""
        value = self.values.get(name)
        number = to_quantity(value)
        return self._wrong(name, value, 'must be a number: 5, 0.5 or "0.5"') if number is None else number

    def word(self, name: str, words: type[E]) -> E | None:
        value = self.values.get(name)
        if isinstance(value, str) and value in set(words):
            return words(value)
        if isinstance(value, str):
            problem = f"has no word {value!r}; {self.faults.suggest(value.upper(), set(words))}"
            self.faults.at_value((*self.path, name), "UNKNOWN_WORD", problem)
            return None
        return self._wrong(name, value, f"must be a word in quotes; {listing([*words])}")

    def texts(self, name: str) -> tuple[str, ...]:
        value = self.values.get(name)
        texts = to_texts(value)
        return self._wrong(name, value, 'must be a list of texts: ["..."]') or () if texts is None else texts

    def numbers(self, name: str) -> tuple[int, ...]:
        value: object = self.values.get(name)
        if isinstance(value, list):
            items = cast("list[object]", value)  # TOML: what is in it is looked at next
            numbers = tuple(item for item in items if is_whole(item))
            if len(numbers) == len(items):
                return numbers
        return self._wrong(name, self.values.get(name), "must be a list of whole numbers: [80, 100]") or ()

    def table(self, name: str) -> "Section | None":
        value = self.values.get(name)
        if isinstance(value, dict):
            return Section(self.faults, (*self.path, name), cast("dict[str, Any]", value))  # keys of TOML are texts
        return self._wrong(name, value, "must be a table: { ... }")

    def tables(self, name: str) -> "Iterator[Section]":
        """Yield the tables of a list."""
        value = self.values.get(name)
        if not isinstance(value, list):
            self._wrong(name, value, "must be a list of tables: [{ ... }]")
            return
        for position, item in enumerate(cast("list[object]", value)):  # looked at next
            path = (*self.path, name, str(position))
            if isinstance(item, dict):
                yield Section(self.faults, path, cast("dict[str, Any]", item))  # keys of TOML are texts
            else:
                self.faults.at_value(path, "WRONG_TYPE", "must be a table: { ... }")

    def named(self, name: str) -> "Iterator[tuple[str, Section]]":
        """Yield the tables of a table of tables, with their keys."""
        group = self.table(name)
        for key in group.values if group else ():
            if group and (section := group.table(key)):
                yield key, section

    def _wrong(self, name: str, value: object, problem: str) -> None:
        if value is not None:
            self.faults.at_value((*self.path, name), "WRONG_TYPE", problem)


def is_whole(value: object) -> TypeGuard[int]:
    """Tell whether the value is a whole number; TOML's true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def to_quantity(value: object) -> Decimal | None:
    """Return the exact number that the value is or spells; None where it is none."""
    match value:
        case bool():
            return None
        case int():
            return Decimal(value)
        case Decimal():
            return value
        case str():
            return _spelled(value)
        case _:
            return None


def _spelled(text: str) -> Decimal | None:
    is_plain = text.isascii() and text.removeprefix("-").replace(".", "", 1).isdigit()
    return Decimal(text) if is_plain else None


def to_texts(value: object) -> tuple[str, ...] | None:
    """Return a list of texts; None where the value is none."""
    if not isinstance(value, list):
        return None
    items = cast("list[object]", value)  # TOML: what is in it is looked at next
    texts = tuple(item for item in items if isinstance(item, str))
    return texts if len(texts) == len(items) else None


def listing(names: Sequence[str]) -> str:
    """Say which names there are; of many the first."""
    more = f", … ({len(names) - _NAMES_MAX} more)" if len(names) > _NAMES_MAX else ""
    return f"there are {', '.join(names[:_NAMES_MAX]) or 'none'}{more}"
