"""A mapping of Stripe's customers to workspaces as a CSV file, read line by line."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from app.cli.failure import CommandError, ExitCode

MOST_LINES: Final = 500_000

_CUSTOMER: Final = frozenset({"customer", "customer_id", "stripe_customer_id"})
_WORKSPACE: Final = frozenset({"workspace", "workspace_id", "external_id"})
_COLUMNS: Final = 2


class Line(NamedTuple):
    """One line: what it links, or what is wrong with it and what to do."""

    number: int
    customer: str
    workspace: str
    fault: str | None = None


class Seen:
    """Which line named whom first, so that nobody is linked twice."""

    def __init__(self, noun: str) -> None:
        self._noun = noun
        self._first: dict[str, tuple[int, str]] = {}

    def fault(self, number: int, name: str, partner: str) -> str | None:
        """Return what is wrong where the name comes a second time with another partner."""
        first, known = self._first.setdefault(name, (number, partner))
        if known == partner:
            return None
        return f"the {self._noun} {name!r} is in line {first} too, with {known!r}: keep one of the two"


def read_lines(file: Path) -> Iterator[Line]:
    """Yield every line that says something, in order. Raises `CommandError` where the file cannot be read.

    Columns are customer and workspace, or as the first line names them. Empty lines and those that begin with # say
    nothing.
    """
    customers, order, number = Seen("customer"), (0, 1), 0
    try:
        for number, cells in _rows(file):
            if number == 1 and (named := _order(cells)):
                order = named
            elif number > MOST_LINES:
                raise CommandError(f"{file} has more than {MOST_LINES} lines: split it", ExitCode.USAGE)
            elif any(cells) and not cells[0].startswith("#"):
                yield _line(number, cells, order, customers)
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}", ExitCode.USAGE) from error
    except UnicodeDecodeError as error:
        raise CommandError(f"{file} is not UTF-8: {error.reason} after line {number}", ExitCode.USAGE) from error
    except csv.Error as error:
        raise CommandError(f"{file} is no CSV after line {number}: {error}", ExitCode.USAGE) from error


def _rows(file: Path) -> Iterator[tuple[int, list[str]]]:
    with file.open(encoding="utf-8-sig", newline="") as text:
        rows = csv.reader(text, strict=True)
        for row in rows:
            yield rows.line_num, [cell.strip() for cell in row]


def _order(row: Sequence[str]) -> tuple[int, int] | None:
    """Return where customer and workspace stand, of a line that names the columns."""
    names = [cell.lower() for cell in row]
    customer = next((at for at, name in enumerate(names) if name in _CUSTOMER), None)
    workspace = next((at for at, name in enumerate(names) if name in _WORKSPACE), None)
    return None if customer is None or workspace is None else (customer, workspace)


def _line(number: int, cells: Sequence[str], order: tuple[int, int], customers: Seen) -> Line:
    if len(cells) < _COLUMNS or max(order) >= len(cells):
        return Line(
            number, "", "", f"has {len(cells)} column{'s' * (len(cells) != 1)}: customer and workspace are needed"
        )
    customer, workspace = cells[order[0]], cells[order[1]]
    if "\0" in customer + workspace:
        return Line(number, customer, workspace, "holds a NUL, which no id does: take it out")
    if not customer or not workspace:
        missing = "workspace" if customer else "customer"
        return Line(number, customer, workspace, f"the {missing} is empty: fill it in, or remove the line")
    return Line(number, customer, workspace, customers.fault(number, customer, workspace))
