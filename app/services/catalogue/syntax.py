"""TOML text as plain values, and where in the text each of them stands."""

import re
import tomllib
from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec
import tree_sitter_toml
from tree_sitter import Language, Node, Parser

from app.domain.errors import CatalogueFault, CatalogueFaultsError

SOURCE_MAX: Final = 200_000
"""Characters of a file: with what JSON adds it stays within the 256 kB of a request."""
LINE_MAX: Final = 4_000
"""Characters of a line; the longest value takes fewer."""
_DIGITS_MAX: Final = 40
_DEPTH_MAX: Final = 40
"""Levels of the syntax tree: a part of a key, a table and a list take one or two each."""
_TOO_DEEP: Final = "nests tables, lists or the parts of a key too deeply; a catalogue needs six levels"
_LONG_KEY: Final = re.compile(rf"(?:[^\s.,={{}}\[\]]+[ \t]*\.[ \t]*){{{_DEPTH_MAX},}}")

Path = tuple[str, ...]
"""From the outside in: keys, and positions in arrays as digits."""

_LANGUAGE: Final = Language(tree_sitter_toml.language())
_AT: Final = re.compile(r" \(at line (\d+), column (\d+)\)$")
_HALF: Final = re.compile("[\ud800-\udfff]")
_AT_END: Final = " (at end of document)"


class Place(msgspec.Struct, frozen=True, gc=False):
    """A character of the text; lines and columns count from 1."""

    line: int
    column: int


_START: Final = Place(1, 1)


class Document:
    """The values of a TOML text; numbers with a fraction are exact `Decimal`s."""

    def __init__(self, values: dict[str, Any], keys: dict[Path, Place], cells: dict[Path, Place]) -> None:
        self.values = values
        self._keys = keys
        self._cells = cells

    def nearest(self, path: Path) -> Path:
        """Return the path as far as the text goes along with it."""
        while path and path not in self._keys and path not in self._cells:
            path = path[:-1]
        return path

    def key_place(self, path: Path) -> Place:
        """Return where the key stands; of what is missing, where the nearest thing around it stands."""
        path = self.nearest(path)
        return self._keys.get(path) or self._cells.get(path) or _START

    def value_place(self, path: Path) -> Place:
        """Return where the value starts; of a table with a header, where its key stands; else see `key_place`."""
        path = self.nearest(path)
        return self._cells.get(path) or self._keys.get(path) or _START


def parse(source: str) -> Document:
    """Parse TOML 1.0. Raises `CatalogueFaultsError` for the first error of syntax, the only one that can be known."""
    source = source.removeprefix("\ufeff")
    _refuse_unreadable(source)
    root = Parser(_LANGUAGE).parse(source.encode()).root_node
    _refuse_depth(source, root)
    try:
        values = tomllib.loads(source, parse_float=_exact)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise _syntax_error(source, str(error)) from None
    places = _Places(source, root)
    return Document(values, places.keys, places.cells)


def _refuse_unreadable(source: str) -> None:
    if len(source) > SOURCE_MAX:
        problem = f"the file has {len(source)} characters; at most {SOURCE_MAX} are allowed"
        raise _fault(_START, "TOO_LONG", f"{problem}: leave out what does not change, or apply it in parts")
    for number, line in enumerate(source.split("\n"), start=1):
        if len(line) > LINE_MAX:
            problem = f"the line has {len(line)} characters; at most {LINE_MAX} are allowed: break it"
            raise _fault(Place(number, LINE_MAX + 1), "TOO_LONG", problem)
        if half := _HALF.search(line):
            raise _fault(Place(number, half.start() + 1), "INVALID_CHARACTER", "half a surrogate pair stands here")


def _refuse_depth(source: str, root: Node) -> None:
    """Refuse long keys and deep nesting: the parser takes n² steps for a key of n parts, and a call per level."""
    waiting = [(root, 0)]
    while waiting:
        node, depth = waiting.pop()
        if depth > _DEPTH_MAX:
            raise _fault(_place(node, source.split("\n")), "TOO_DEEP", _TOO_DEEP)
        waiting.extend((child, depth + 1) for child in node.named_children)
    # In text that is no TOML the tree may not show the parts of a key.
    if root.has_error and (found := _LONG_KEY.search(source)):
        before = source[: found.start()].split("\n")
        raise _fault(Place(len(before), len(before[-1]) + 1), "TOO_DEEP", _TOO_DEEP)


def _exact(text: str) -> Decimal:
    """Read a number; what would have more digits than anything can be counted in is none."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return Decimal("NaN")
    return number if number.is_finite() and abs(number.adjusted()) <= _DIGITS_MAX else Decimal("NaN")


def _syntax_error(source: str, message: str) -> CatalogueFaultsError:
    if found := _AT.search(message):
        place = Place(int(found[1]), int(found[2]))
    else:
        lines = source.split("\n")
        place = Place(len(lines), len(lines[-1]) + 1)
    sentence = _AT.sub("", message).removesuffix(_AT_END)
    return _fault(place, "SYNTAX", f"this is not TOML: {sentence[:1].lower()}{sentence[1:]}")


def _fault(place: Place, code: str, message: str) -> CatalogueFaultsError:
    return CatalogueFaultsError((CatalogueFault(place.line, place.column, (), code, message),))


class _Places:
    """One pass over the syntax tree, noting where every key and every value starts."""

    def __init__(self, source: str, root: Node) -> None:
        self.keys: dict[Path, Place] = {}
        self.cells: dict[Path, Place] = {}
        self._lines = source.split("\n")
        self._lengths: dict[Path, int] = {}
        self._document(root)

    def _document(self, root: Node) -> None:
        for node in root.named_children:
            match node.type:
                case "pair":
                    self._pair((), node)
                case "table":
                    self._table(node)
                case "table_array_element":
                    self._table_array_element(node)
                case _:
                    pass  # comments

    def _table(self, node: Node) -> None:
        header, *pairs = node.named_children
        path = self._key((), header, is_header=True)
        for pair in pairs:
            self._pair(path, pair)

    def _table_array_element(self, node: Node) -> None:
        header, *pairs = node.named_children
        array = self._key((), header)
        position = self._lengths.get(array, 0)
        self._lengths[array] = position + 1
        path = (*array, str(position))
        self.cells[path] = self._placed(header)
        for pair in pairs:
            self._pair(path, pair)

    def _pair(self, base: Path, node: Node) -> None:
        match _without_comments(node):
            case [key, value] if node.type == "pair":
                self._value(self._key(base, key), value)
            case _:
                pass  # a comment

    def _key(self, base: Path, node: Node, *, is_header: bool = False) -> Path:
        """Note where each part of a key stands, and return the path it leads to.

        The header `[a.b]` names `a.b`; that it also names `a` counts only as long as nothing else does.
        """
        path = base
        for part in _parts(node):
            path = (*self._last_element(path), _text(part))
            self.keys.setdefault(path, self._placed(part))
        if is_header:
            self.keys[path] = self._placed(list(_parts(node))[-1])
        return path

    def _placed(self, node: Node) -> Place:
        return _place(node, self._lines)

    def _last_element(self, path: Path) -> Path:
        """Return the path itself; of an array of tables, that of its last element, which headers below it mean."""
        length = self._lengths.get(path)
        return path if length is None else (*path, str(length - 1))

    def _value(self, path: Path, node: Node) -> None:
        self.cells[path] = self._placed(node)
        match node.type:
            case "inline_table":
                for pair in node.named_children:
                    self._pair(path, pair)
            case "array":
                for position, element in enumerate(_without_comments(node)):
                    self._value((*path, str(position)), element)
            case _:
                pass


def _place(node: Node, lines: Sequence[str]) -> Place:
    row, offset = node.start_point
    # Columns of the tree count bytes.
    return Place(row + 1, len(lines[row].encode()[:offset].decode(errors="replace")) + 1)


def _without_comments(node: Node) -> list[Node]:
    return [child for child in node.named_children if child.type != "comment"]


def _parts(key: Node) -> Iterator[Node]:
    """Yield the parts of a key, which the tree nests to the left: ((a.b).c)."""
    parts: list[Node] = []
    while key.type == "dotted_key":
        key, last = key.named_children
        parts.append(last)
    yield key
    yield from reversed(parts)


def _text(part: Node) -> str:
    text = (part.text or b"").decode()
    return next(iter(tomllib.loads(f"{text} = 0"))) if part.type == "quoted_key" else text
