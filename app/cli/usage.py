"""`entitled usage`: what was used."""

from enum import StrEnum
from typing import Annotated, Final

import typer

from app.cli import entitlement, lines, options, output, reservations
from app.cli.client import Client, RefusedError
from app.cli.failure import CommandError, ExitCode

app = typer.Typer(help="Usage of METERED and CREDIT features.", no_args_is_help=True)

_RECORDED: Final = f"... on RecordUsagePayload {{ replayed eventId {lines.DECISION} }}"
_CONSUMED: Final = f"""
  ... on ConsumePayload {{ replayed eventId decisions {{ {lines.DECISION} }} }}
  {lines.REFUSED}
"""
_EVENTS: Final = """
query($id: ID!, $feature: String, $from: DateTime, $to: DateTime, $first: Int!, $after: String) {
  usageEvents(workspaceId: $id, featureKey: $feature, from: $from, to: $to, first: $first, after: $after) {
    nodes {
      id workspaceId kind occurredAt recordedAt apiKeyId properties reservationId expiresAt correctsId reason
      lines { featureKey amount charge draws { amount grantId resetPeriods } }
    }
    pageInfo { hasNextPage endCursor }
  }
}
"""
_WORKSPACE: Final = """query($id: ID!, $externalId: String!) {
  byId: workspace(id: $id) { id } byExternalId: workspace(externalId: $externalId) { id }
}"""
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
_EVENT_COLUMNS: Final[dict[str, output.Column]] = {
    "OCCURRED": "occurredAt",
    "KIND": "kind",
    "LINES": lambda event: [f"{line['featureKey']}={line['amount']}" for line in event["lines"]],
    "EVENT": "id",
    "OF": lambda event: event["reservationId"] or event["correctsId"],
    "BY": "apiKeyId",
    "REASON": "reason",
}
_DAYS: Final = 30
_SHOWN: Final = 50


class Granularity(StrEnum):
    """How long a slice is."""

    HOUR = "HOUR"
    DAY = "DAY"
    MONTH = "MONTH"


@app.command("consume")
def consume(
    workspace: options.Workspace,
    wanted: lines.Lines,
    idempotency_key: options.IdempotencyKey = None,
    as_json: options.Json = False,
) -> None:
    """Use features within their limits, all or none. Exit code 1 where one is denied. Needs the scope USAGE_WRITE."""
    amounts = [lines.read(line) for line in wanted]
    try:
        used = Client.from_environment().change(
            "consume", _CONSUMED, idempotency_key, workspaceId=workspace, lines=lines.sent(amounts)
        )
    except RefusedError as refused:
        raise lines.end_denied("used", workspace, wanted, refused, as_json=as_json) from None
    answer = {"eventId": used["eventId"], "decisions": used["decisions"]}
    output.answer(answer, lines.told("used", workspace, amounts, used["decisions"]), as_json=as_json)


app.command("reserve")(reservations.reserve)
app.command("settle")(reservations.settle)
app.command("release")(reservations.release)


@app.command("record")
def record(
    workspace: options.Workspace,
    line: Annotated[
        str,
        typer.Argument(
            metavar=lines.LINE,
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
    feature, amount = lines.read(line)
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


@app.command("set")
def set_level(
    workspace: options.Workspace,
    line: Annotated[
        str, typer.Argument(metavar=lines.WHOLE_LINE, help="A FLUCTUATING feature's key and how much there is in all.")
    ],
    idempotency_key: options.IdempotencyKey = None,
    as_json: options.Json = False,
) -> None:
    """Say what level seats or storage stand at, also beyond a limit. Needs the scope USAGE_WRITE."""
    feature, level = lines.read_whole(line)
    done = Client.from_environment().change(
        "setUsage", _RECORDED, idempotency_key, workspaceId=workspace, featureKey=feature, level=level
    )
    answer = {"eventId": done["eventId"], "entitlement": done["entitlement"]}
    now = entitlement.sentence(workspace, done["entitlement"])
    output.answer(answer, f"set to {level}; {now}", as_json=as_json)


@app.command("correct")
def correct(
    workspace: options.Workspace,
    event: Annotated[str, typer.Argument(metavar="EVENT", help="The ledger's entry, as `events` names it: use_….")],
    line: Annotated[
        str,
        typer.Argument(
            metavar=lines.WHOLE_LINE, help="Which of its features, and the right amount in all; 0 undoes it."
        ),
    ],
    reason: Annotated[str, typer.Option(help="Why; it stays in the ledger.")],
    idempotency_key: options.IdempotencyKey = None,
    as_json: options.Json = False,
) -> None:
    """Correct an entry of the ledger by a further one; the first stays as it was. Needs the scope USAGE_WRITE."""
    feature, amount = lines.read_whole(line)
    done = Client.from_environment().change(
        "correctUsage",
        _RECORDED,
        idempotency_key,
        workspaceId=workspace,
        eventId=event,
        featureKey=feature,
        amount=amount,
        reason=reason,
    )
    answer = {"eventId": done["eventId"], "entitlement": done["entitlement"]}
    now = entitlement.sentence(workspace, done["entitlement"])
    output.answer(answer, f"corrected to {amount}; {now}", as_json=as_json)


@app.command("events")
def events(
    workspace: options.Workspace,
    *,
    feature: Annotated[str | None, typer.Option(help="Only entries of the feature with this key.")] = None,
    since: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="Only what happened from then on, in RFC 3339.")
    ] = None,
    until: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="Only what happened before then, in RFC 3339.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = _SHOWN,
    as_json: options.Json = False,
) -> None:
    """List the ledger's entries, those that happened last first. With --json also what each line was taken from."""
    client = Client.from_environment()
    asked = {"id": workspace, "feature": feature, "from": since, "to": until}
    found = client.collect(_EVENTS, "usageEvents", asked, limit=limit)
    if not found and not _is_there(client, workspace):
        raise options.no_workspace(workspace)
    output.records(found, _EVENT_COLUMNS, as_json=as_json)


def _is_there(client: Client, workspace: str) -> bool:
    """Tell whether there is such a workspace; one that the key may not see passes for there."""
    try:
        return any(client.query(_WORKSPACE, {"id": workspace, "externalId": workspace}).values())
    except CommandError as error:
        if error.exit_code == ExitCode.NOT_ALLOWED:
            return True
        raise


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
