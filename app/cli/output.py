"""What commands print: results on stdout, everything else on stderr."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import typer


def result(text: str) -> None:
    """Print what was asked for."""
    typer.echo(text)


def result_json(value: Any) -> None:
    """Print what was asked for, for a program: one line."""
    typer.echo(json.dumps(value))


def note(text: str) -> None:
    """Print what a person should know and a program need not."""
    typer.echo(text, err=True)


def table(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows; a terminal folds them to its width, a pipe gets them whole."""
    from rich.console import Console
    from rich.table import Table

    grid = Table(*titles, box=None, pad_edge=False)
    for row in rows:
        grid.add_row(*("-" if cell is None else str(cell) for cell in row))
    Console(width=None if sys.stdout.isatty() else 400, highlight=False, markup=False).print(grid)


def fields(values: Mapping[str, object]) -> None:
    """Print one thing, a line per field."""
    width = max(map(len, values))
    for name, value in values.items():
        typer.echo(f"{name:{width}}  {'-' if value is None else value}")
