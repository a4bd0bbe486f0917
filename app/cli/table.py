"""Tables on a terminal: folded at words to its width, and where that cannot be, a line per cell."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

NOTHING: Final = "-"
_GAP: Final = 2
_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)\.\d{3}Z")
_ID: Final = re.compile(r"[0-9A-Za-z]{14,}")
_PIECE: Final = re.compile(r"[^_.]*[_.]+|[^_.]+")
_WORD: Final = re.compile(r"\s+|\S+")


def fold(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows within the terminal's width.

    Times lose their milliseconds. Where it is narrow, columns with nothing in them are left out, and cells fold between
    words and after underscores and dots, those of the first column last. An id stays whole, so that it can be copied.
    """
    lines = [list(titles), *([_TIME.sub(r"\1 \2Z", cell) for cell in row] for row in rows)]
    console = Console(highlight=False, markup=False)
    if sum(_widths(lines)) > _room(lines, console.width):
        lines = _without_empty(lines)
    widths = _fit(lines, _room(lines, console.width))
    if widths is None:
        _print_singly(lines)
        return
    grid = Table(box=None, pad_edge=False)
    for title, width in zip(lines[0], widths, strict=True):
        grid.add_column("\n".join(_wrap(title, width)), no_wrap=True, overflow="ignore")
    for line in lines[1:]:
        grid.add_row(*("\n".join(_wrap(cell, width)) for cell, width in zip(line, widths, strict=True)))
    console.print(grid)


def _room(lines: Sequence[Sequence[str]], width: int) -> int:
    return width - _GAP * (len(lines[0]) - 1)


def _without_empty(lines: Sequence[Sequence[str]]) -> list[list[str]]:
    columns = zip(*lines, strict=True)
    kept = [number for number, (_, *cells) in enumerate(columns) if not cells or set(cells) != {NOTHING}]
    return [[line[number] for number in kept] for line in lines]


def _widths(lines: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(cell_len, column)) for column in zip(*lines, strict=True)]


def _fit(lines: Sequence[Sequence[str]], room: int) -> list[int] | None:
    """Return a width per column, in all no more than the room; the widest columns give way first."""
    whole = _widths(lines)
    pieces = [max(cell_len(piece) for cell in column for piece in _pieces(cell)) for column in zip(*lines, strict=True)]
    for least in ([whole[0], *pieces[1:]], pieces):
        for most in range(max(whole), 0, -1):
            widths = [max(low, min(high, most)) for low, high in zip(least, whole, strict=True)]
            if sum(widths) <= room:
                return widths
    return None


def _pieces(text: str) -> list[str]:
    """Cut a text where a line may end."""
    words: list[str] = _WORD.findall(text)
    return [piece for word in words for piece in ([word] if _ID.search(word) else _PIECE.findall(word))] or [""]


def _wrap(text: str, width: int) -> Iterator[str]:
    for paragraph in text.split("\n"):
        line = ""
        for piece in _pieces(paragraph):
            if line and cell_len(line) + cell_len(piece.rstrip()) > width:
                yield line.rstrip()
                line = ""
            line += piece if line else piece.lstrip()
        yield line.rstrip()


def _print_singly(lines: Sequence[Sequence[str]]) -> None:
    """Print a line per cell, of those that say something; the terminal wraps what is longer than it is wide."""
    titles, *rows = lines
    width = max(map(cell_len, titles))
    for number, row in enumerate(rows):
        if number:
            typer.echo()
        for title, cell in zip(titles, row, strict=True):
            if cell != NOTHING:
                typer.echo(f"{typer.style(title, bold=True)}{' ' * (width - cell_len(title) + _GAP)}{cell}")
