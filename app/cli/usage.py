"""`entitled usage`: what was used."""

from typing import Annotated, Final

import typer

from app.cli import entitlement, options, output
from app.cli.client import Client

app = typer.Typer(help="Usage of METERED features.", no_args_is_help=True)

_RECORDED: Final = "... on RecordUsagePayload { replayed eventId entitlement { " + entitlement.SELECTION + " } }"


@app.command("record")
def record(
    workspace: options.Workspace,
    line: Annotated[
        str,
        typer.Argument(
            metavar="FEATURE[=AMOUNT]",
            help="The feature's key and how much was used; 1 unless told. Negative only where it is FLUCTUATING.",
        ),
    ],
    idempotency_key: options.IdempotencyKey = None,
    as_json: options.Json = False,
) -> None:
    """Record what has already happened, also beyond a limit. Needs the scope USAGE_WRITE."""
    feature, amount = _line(line)
    recorded = Client.from_environment().change(
        "recordUsage",
        _RECORDED,
        idempotency_key,
        workspaceId=workspace,
        featureKey=feature,
        amount=amount,
    )
    answer = {"eventId": recorded["eventId"], "entitlement": recorded["entitlement"]}
    now = entitlement.sentence(workspace, recorded["entitlement"])
    output.answer(answer, f"recorded {amount}; {now}", as_json=as_json)


def _line(text: str) -> tuple[str, str]:
    feature, separator, amount = text.partition("=")
    return feature, amount if separator else "1"
