"""`entitled usage`: what was used."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from app.cli import entitlement, options, output
from app.cli.client import Client, RefusedError
from app.cli.failure import ExitCode

app = typer.Typer(help="Usage of METERED and CREDIT features.", no_args_is_help=True)

_DECISION: Final = f"entitlement {{ {entitlement.SELECTION} }}"
_RECORDED: Final = f"... on RecordUsagePayload {{ replayed eventId {_DECISION} }}"
_CONSUMED: Final = f"""
  ... on ConsumePayload {{ replayed eventId decisions {{ {_DECISION} }} }}
  ... on LimitExceededError {{ line decision {{ {_DECISION} }} }}
"""
_SUMMARY: Final = """
query($id: ID!, $feature: String!, $granularity: Granularity!, $from: DateTime!, $to: DateTime!) {
  usageSummary(workspaceId: $id, featureKey: $feature, granularity: $granularity, from: $from, to: $to) {
    workspaceId featureKey amount charge slices { startAt endAt amount charge events }
  }
}
"""
_COLUMNS: Final[dict[str, output.Column]] = {
    "FROM": "startAt",
    "TO": "endAt",
    "AMOUNT": "amount",
    "CHARGE": "charge",
    "EVENTS": "events",
}
_DAYS: Final = 30
_LINE: Final = "FEATURE[=AMOUNT]"


class Granularity(StrEnum):
    """How long a slice is."""

    HOUR = "HOUR"
    DAY = "DAY"
    MONTH = "MONTH"


@app.command("consume")
def consume(
    workspace: options.Workspace,
    lines: Annotated[
        list[str],
        typer.Argument(
            metavar=_LINE, help="A feature's key and how much is to be used, 1 unless told; one or several."
        ),
    ],
    idempotency_key: options.IdempotencyKey = None,
    as_json: options.Json = False,
) -> None:
    """Use features within their limits, all or none. Exit code 1 where one is denied. Needs the scope USAGE_WRITE."""
    amounts = [_read(line) for line in lines]
    try:
        used = Client.from_environment().change(
            "consume",
            _CONSUMED,
            idempotency_key,
            workspaceId=workspace,
            lines=[{"featureKey": feature, "amount": amount} for feature, amount in amounts],
        )
    except RefusedError as refused:
        if "decision" not in refused.answer:
            raise
        _print_denial(workspace, lines, refused.answer, as_json=as_json)
        raise typer.Exit(ExitCode.NO) from None
    answer = {"eventId": used["eventId"], "decisions": used["decisions"]}
    now = (entitlement.sentence(workspace, decision["entitlement"]) for decision in used["decisions"])
    told = (f"used {amount}; {sentence}" for (_, amount), sentence in zip(amounts, now, strict=True))
    output.answer(answer, "\n".join(told), as_json=as_json)


def _print_denial(workspace: str, lines: Sequence[str], denial: dict[str, Any], *, as_json: bool) -> None:
    """Say which line and why. A denial is an answer, as it is for `check`."""
    line, decision = denial["line"], denial["decision"]
    reason = entitlement.sentence(workspace, decision["entitlement"])
    output.answer(
        {"line": line, "decision": decision}, f"nothing was used, because of {lines[line]}; {reason}", as_json=as_json
    )


@app.command("record")
def record(
    workspace: options.Workspace,
    line: Annotated[
        str,
        typer.Argument(
            metavar=_LINE,
            help="The feature's key and how much was used; 1 unless told. Negative only where it is FLUCTUATING.",
        ),
    ],
    *,
    at: Annotated[str | None, typer.Option(metavar="TIME", help="When it happened, in RFC 3339. Default: now.")] = None,
    properties: Annotated[
        list[str] | None,
        typer.Option("--property", metavar="NAME=VALUE", help="A text for your own records; may be given again."),
    ] = None,
    idempotency_key: options.IdempotencyKey = None,
    as_json: options.Json = False,
) -> None:
    """Record what has already happened, also beyond a limit. Needs the scope USAGE_WRITE."""
    feature, amount = _read(line)
    recorded = Client.from_environment().change(
        "recordUsage",
        _RECORDED,
        idempotency_key,
        workspaceId=workspace,
        featureKey=feature,
        amount=amount,
        occurredAt=at,
        properties=options.pairs(properties, "--property") or None,
    )
    answer = {"eventId": recorded["eventId"], "entitlement": recorded["entitlement"]}
    now = entitlement.sentence(workspace, recorded["entitlement"])
    output.answer(answer, f"recorded {amount}; {now}", as_json=as_json)


@app.command("summary")
def summary(
    workspace: options.Workspace,
    feature: options.Feature,
    *,
    granularity: Annotated[
        Granularity, typer.Option(case_sensitive=False, help="How long a slice is, in UTC.")
    ] = Granularity.DAY,
    since: Annotated[
        str | None,
        typer.Option("--from", metavar="TIME", help=f"From then on, in RFC 3339. Default: {_DAYS} days ago."),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="Before then, in RFC 3339. Default: now.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Add up how much of a feature was used, by hour, day or month."""
    asked = {
        "id": workspace,
        "feature": feature,
        "granularity": granularity,
        "from": options.days_from_now(-_DAYS) if since is None else since,
        "to": options.days_from_now(0) if until is None else until,
    }
    found = Client.from_environment().query(_SUMMARY, asked)["usageSummary"]
    if not found:
        raise options.no_workspace(workspace)
    if as_json:
        output.result_json(found)
    else:
        total = {"startAt": "in all", "endAt": None, "events": sum(each["events"] for each in found["slices"])}
        output.records([*found["slices"], {**found, **total}], _COLUMNS, as_json=False)


def _read(line: str) -> tuple[str, str]:
    """Return the feature and the amount that FEATURE[=AMOUNT] says."""
    feature, separator, amount = line.partition("=")
    return feature, amount if separator else "1"
