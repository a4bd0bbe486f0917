"""Lines of usage: as arguments name them, and what is printed of those that were taken or refused."""

from collections.abc import Sequence
from typing import Annotated, Any, Final

import typer

from app.cli import entitlement, output
from app.cli.client import RefusedError
from app.cli.failure import CommandError, ExitCode

LINE: Final = "FEATURE[=AMOUNT]"
WHOLE_LINE: Final = "FEATURE=AMOUNT"
DECISION: Final = f"entitlement {{ {entitlement.SELECTION} }}"
REFUSED: Final = f"... on LimitExceededError {{ line decision {{ {DECISION} }} }}"

Lines = Annotated[
    list[str],
    typer.Argument(metavar=LINE, help="A feature's key and how much of it, 1 unless told; one or several."),
]


def read(line: str) -> tuple[str, str]:
    """Return the feature and the amount that FEATURE[=AMOUNT] says; exit code 2 where no feature is named."""
    feature, separator, amount = line.partition("=")
    if not feature:
        raise CommandError(f"{line!r} is not {LINE}", ExitCode.USAGE)
    return feature, amount if separator else "1"


def read_whole(line: str) -> tuple[str, str]:
    """Return the feature and the amount that FEATURE=AMOUNT says; exit code 2 where no amount is named."""
    feature, separator, amount = line.partition("=")
    if not separator or not feature:
        raise CommandError(f"{line!r} is not {WHOLE_LINE}", ExitCode.USAGE)
    return feature, amount


def sent(amounts: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    """Return the lines as the API takes them."""
    return [{"featureKey": feature, "amount": amount} for feature, amount in amounts]


def told(verb: str, workspace: str, amounts: Sequence[tuple[str, str]], decisions: Sequence[dict[str, Any]]) -> str:
    """Say of each line what was done with it, and what may be used now."""
    now = (entitlement.sentence(workspace, decision["entitlement"]) for decision in decisions)
    return "\n".join(f"{verb} {amount}; {sentence}" for (_, amount), sentence in zip(amounts, now, strict=True))


def end_denied(verb: str, workspace: str, lines: Sequence[str], refused: RefusedError, *, as_json: bool) -> typer.Exit:
    """Say which line was denied and why, and return how the command ends: a denial is an answer, as it is for `check`.

    What was refused for another reason is raised as it is.
    """
    if "decision" not in refused.answer:
        raise refused
    line, decision = refused.answer["line"], refused.answer["decision"]
    reason = entitlement.sentence(workspace, decision["entitlement"])
    text = f"nothing was {verb}, because of {lines[line]}; {reason}"
    output.answer({"line": line, "decision": decision}, text, as_json=as_json)
    return typer.Exit(ExitCode.NO)
