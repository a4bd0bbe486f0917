"""What commands print: results on stdout, everything else on stderr."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

import typer

from app.cli.failure import CommandError, ExitCode

Column = str | Callable[[dict[str, Any]], object]
"""The name of a record's field, or what makes a cell of the record."""


def result(text: str) -> None:
    """Print what was asked for."""
    typer.echo(text)


def result_json(value: Any) -> None:
    """Print what was asked for, for a program: one line."""
    typer.echo(json.dumps(value))


def note(text: str) -> None:
    """Print what a person should know and a program need not."""
    typer.echo(text, err=True)


def records(found: Sequence[dict[str, Any]], columns: Mapping[str, Column], *, as_json: bool) -> None:
    """Print records, as a table with these columns or as a JSON list with all that was read of them."""
    if as_json:
        result_json(found)
    else:
        table(columns, ([_read(record, column) for column in columns.values()] for record in found))


def _read(record: dict[str, Any], column: Column) -> object:
    return record[column] if isinstance(column, str) else column(record)


def answer(record: dict[str, Any], text: str, *, as_json: bool) -> None:
    """Print one answer: all of it as JSON, or the text that a person or a shell needs of it."""
    if as_json:
        result_json(record)
    else:
        result(text)


def table(titles: Iterable[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows; a terminal folds them to its width, the first column last, and a pipe gets each whole in a line."""
    names, cells = list(titles), [[_cell(value) for value in row] for row in rows]
    if sys.stdout.isatty():
        from app.cli.table import fold  # rich takes longer than all else that a command loads

        fold(names, cells)
    else:
        _align([names, *cells])


def _align(rows: Iterable[Sequence[str]]) -> None:
    lines = [[cell.replace("\n", r"\n") for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    typer.echo("\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines))


def section(title: str, found: Sequence[dict[str, Any]], columns: Mapping[str, Column]) -> None:
    """Print a table that belongs to what was printed before; of an empty one, that it is empty."""
    typer.echo(f"\n{title}: {len(found) or 'none'}")
    if found:
        records(found, columns, as_json=False)


def fields(values: Mapping[str, object]) -> None:
    """Print one thing, a line per field; what is in a field's fields gets lines of its own."""
    lines = dict(_lines("", values))
    width = max(map(len, lines))
    for name, value in lines.items():
        typer.echo(f"{name:{width}}  {_cell(value)}")


def _lines(prefix: str, values: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from _lines(f"{prefix}{name}.", cast("dict[str, object]", value))  # JSON: names are strings
        else:
            yield f"{prefix}{name}", value


def printable(text: str) -> str:
    """Escape control characters: those of other people's texts never reach the terminal."""
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)


def _cell(value: object) -> str:
    """Write a value for a person."""
    match value:
        case bool():
            return "yes" if value else "no"
        case int() | float():
            return str(value)
        case list() if value:
            return ", ".join(map(_cell, cast("list[object]", value)))  # JSON: whatever is in it
        case _ if not value:
            return "-"
        case _:
            return printable(str(value))


def confirm(question: str, *, yes: bool) -> None:
    """Ask on the terminal whether to go on; return only on a yes.

    Raises `CommandError`: exit code 1 where the answer is no, 2 where nobody can be asked and --yes is missing.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise CommandError("stdin is no terminal to ask on; pass --yes to do it without asking", ExitCode.USAGE)
    typer.echo(f"{question} [y/N] ", err=True, nl=False)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise CommandError("nothing was changed", ExitCode.NO)
