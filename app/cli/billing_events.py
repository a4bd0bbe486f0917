"""`entitled billing-events`: what happened to customers' billing."""

from typing import Annotated, Any, Final

import typer

from app.cli import options, output
from app.cli.client import Client
from app.cli.failure import CommandError, ExitCode
from app.cli.following import MOST_LAST, follow

app = typer.Typer(
    help="What happened to customers' billing. Needs the scope BILLING_READ or OPERATOR.", no_args_is_help=True
)

_LIST: Final = """
query($workspace: ID, $types: [BillingEventType!], $from: DateTime, $to: DateTime, $first: Int!, $after: String) {
  billingEvents(workspaceId: $workspace, types: $types, from: $from, to: $to, first: $first, after: $after) {
    nodes { id type occurredAt recordedAt workspaceId customerId objectType objectId data }
    pageInfo { hasNextPage endCursor } }
}
"""
_COLUMNS: Final[dict[str, output.Column]] = {
    "RECORDED": "recordedAt",
    "TYPE": "type",
    "WORKSPACE": "workspaceId",
    "OBJECT": "objectId",
    "EVENT": "id",
}
_SHOWN: Final = 50

_Workspace = Annotated[str | None, typer.Option(metavar="ID", help="Only those of this workspace.")]
_Types = Annotated[
    list[str] | None,
    typer.Option("--type", metavar="TYPE", help="Only those of this type: invoice.paid. May be given several times."),
]


@app.command("list")
def list_billing_events(
    *,
    workspace: _Workspace = None,
    type_: _Types = None,
    from_: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="Only those recorded since: 2027-01-31T00:00:00Z.")
    ] = None,
    to: Annotated[str | None, typer.Option(metavar="TIME", help="Only those recorded before.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = _SHOWN,
    as_json: options.Json = False,
) -> None:
    """List billing events, the newest recorded first. With --json they come with what changed."""
    wanted = {**_wanted(workspace, type_), "from": from_, "to": to}
    found = Client.from_environment().collect(_LIST, "billingEvents", wanted, limit=limit)
    output.records(found, _COLUMNS, as_json=as_json)


@app.command("tail")
def tail_billing_events(
    *,
    workspace: _Workspace = None,
    type_: _Types = None,
    last: Annotated[int, typer.Option(min=0, max=MOST_LAST, help="How many of those before to begin with.")] = 10,
    every: Annotated[float, typer.Option(min=0.1, max=60, help="Seconds between two looks.")] = 1,
    as_json: options.Json = False,
) -> None:
    """Print billing events as they happen, until Ctrl-C. With --json a line each, with what changed."""
    wanted, client = _wanted(workspace, type_), Client.from_environment()
    try:
        for event in follow(client, _LIST, "billingEvents", wanted, by="recordedAt", last=last, every_s=every):
            output.answer(event, _line(event), as_json=as_json)
    except KeyboardInterrupt:
        return


def _wanted(workspace: str | None, types: list[str] | None) -> dict[str, Any]:
    """Return the query's variables; types may be written as they are told to endpoints, or as GraphQL has them."""
    from app.domain.billing_event import BillingEventType

    names = [name.replace(".", "_").upper() for name in types or ()]
    if unknown := set(names) - set(BillingEventType.__members__):
        known = ", ".join(BillingEventType)
        raise CommandError(f"--type {min(unknown)}: there is no such type; the types are {known}", ExitCode.USAGE)
    return {"workspace": workspace, "types": names or None}


def _line(event: dict[str, Any]) -> str:
    told = (event["recordedAt"], event["type"], event["workspaceId"], event["objectId"], event["id"])
    return output.printable("  ".join(str(text) for text in told if text))
