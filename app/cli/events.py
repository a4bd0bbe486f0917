"""`entitled events`: Stripe's events in the inbox."""

import uuid
from enum import StrEnum
from typing import Annotated

import typer

from app.cli import output
from app.cli.failure import CommandError, ExitCode

app = typer.Typer(help="Stripe's events in the inbox.", no_args_is_help=True)

_EVENT = "id type status occurredAt receivedAt processedAt objectType objectId attempts reason"
_LIST = f"""
query($status: StripeEventStatus, $first: Int!, $after: String) {{
  stripeEvents(status: $status, first: $first, after: $after) {{ nodes {{ {_EVENT} }}
    pageInfo {{ hasNextPage endCursor }} }}
}}
"""
_SHOW = f"query($id: ID!) {{ node(id: $id) {{ ... on StripeEvent {{ {_EVENT} apiVersion livemode payload }} }} }}"
_Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_EventId = Annotated[str, typer.Argument(metavar="EVENT", help="Stripe's id of the event, evt_….")]


class Status(StrEnum):
    """What became of an event."""

    RECEIVED = "RECEIVED"
    PROCESSED = "PROCESSED"
    IGNORED = "IGNORED"
    PARKED = "PARKED"
    DEAD = "DEAD"


@app.command("list")
def list_events(
    status: Annotated[Status | None, typer.Option(case_sensitive=False, help="Only those with this status.")] = None,
    first: Annotated[int, typer.Option(min=1, max=100, help="How many.")] = 50,
    after: Annotated[str | None, typer.Option(help="The cursor that the page before printed.")] = None,
    as_json: _Json = False,
) -> None:
    """List events, the newest received first."""
    from app.cli.client import Client

    variables = {"status": status, "first": first, "after": after}
    page = Client.from_environment().query(_LIST, variables)["stripeEvents"]
    if as_json:
        output.result_json(page)
        return
    rows = ((e["id"], e["type"], e["status"], e["receivedAt"], e["attempts"], e["reason"]) for e in page["nodes"])
    output.table(("EVENT", "TYPE", "STATUS", "RECEIVED", "ATTEMPTS", "REASON"), rows)
    if page["pageInfo"]["hasNextPage"]:
        output.note(f"more: --after {page['pageInfo']['endCursor']}")


@app.command("show")
def show_event(event: _EventId, as_json: _Json = False) -> None:
    """Show one event."""
    from app.cli.client import Client

    found = Client.from_environment().query(_SHOW, {"id": event})["node"]
    if not found:
        raise CommandError(f"no Stripe event {event!r} was received", ExitCode.NO)
    if as_json:
        output.result_json(found)
    else:
        output.fields(found)


@app.command("replay")
def replay_event(event: _EventId) -> None:
    """Learn the state of the event's object anew from Stripe. The event's payload is not applied again."""
    from app.cli.client import Client

    Client.from_environment().mutate(
        "replayStripeEvent",
        "ReplayStripeEventInput",
        f"... on ReplayStripeEventPayload {{ event {{ {_EVENT} }} }}",
        {"idempotencyKey": str(uuid.uuid4()), "eventId": event},
    )
    output.result(f"{event} is worked on again; `entitled events show {event}` tells how it ends")
