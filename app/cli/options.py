"""Arguments and options that several commands take."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any

import typer

from app.cli.failure import CommandError, ExitCode

Workspace = Annotated[
    str, typer.Argument(metavar="WORKSPACE", help="The workspace's id, ws_…, or your own external id.")
]
Feature = Annotated[str, typer.Argument(metavar="FEATURE", help="The feature's key.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking; needed where stdin is no terminal.")]
IdempotencyKey = Annotated[
    str | None,
    typer.Option(
        metavar="KEY",
        help="Your name for this request: sent again with the same input, it is done once and answered again. "
        "Default: a fresh one.",
    ),
]
IfVersion = Annotated[
    str | None,
    typer.Option(metavar="VERSION", help="Refuse where the record has another version than this one."),
]
Limit = Annotated[int | None, typer.Option(min=1, help="How many at most. Default: all.")]
ExpiresAt = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="In force until then, in RFC 3339: 2027-01-31T00:00:00Z. Default: for ever."),
]
Reason = Annotated[str | None, typer.Option(help="Why, for people.")]
Value = Annotated[
    str | None,
    typer.Option(
        help="Of a CONFIG feature: an integer, text, or a JSON list of texts. Text that looks like an integer "
        "goes in double quotes of its own: '\"5\"'."
    ),
]


class ResetPeriod(StrEnum):
    """When usage starts from zero again."""

    NEVER = "NEVER"
    HOUR = "HOUR"
    DAY = "DAY"
    WEEK = "WEEK"
    MONTH = "MONTH"
    QUARTER = "QUARTER"
    YEAR = "YEAR"
    BILLING_CYCLE = "BILLING_CYCLE"


def config_value(text: str | None) -> Any:
    """Read a CONFIG feature's value: JSON where it is an integer, a string or a list, else the text as it stands.

    A decimal stays text, as the API wants it.
    """
    if text is None:
        return None
    try:
        value: Any = json.loads(text)
    except ValueError:
        return text
    is_value = isinstance(value, (int, str, list)) and not isinstance(value, bool)
    return value if is_value else text  # pyright: ignore[reportUnknownVariableType] - the server looks at what is in it


def pairs(texts: Sequence[str] | None, option: str) -> dict[str, str]:
    """Read NAME=VALUE, as often as it was given; exit code 2 where the `=` is missing or a name comes twice."""
    found: dict[str, str] = {}
    for text in texts or ():
        name, separator, value = text.partition("=")
        if not separator or not name:
            raise CommandError(f"{option} {text!r} is not NAME=VALUE", ExitCode.USAGE)
        if name in found:
            raise CommandError(f"{option} names {name!r} twice", ExitCode.USAGE)
        found[name] = value
    return found


def days_from_now(days: int) -> str:
    """Return the instant so many days from now, or before it, in RFC 3339; by the operator's own clock."""
    at = datetime.now(UTC) + timedelta(days=days)  # noqa: TID251 - no other clock is at hand
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moved(instant: str, seconds: float) -> str:
    """Return an instant as the API gives it, moved by so many seconds, in RFC 3339."""
    at = datetime.fromisoformat(instant) + timedelta(seconds=seconds)
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def no_workspace(ref: str) -> CommandError:
    """Build the error for a workspace that was asked for and is not there."""
    return CommandError(f"no workspace has the id or external id {ref!r}", ExitCode.NO)
