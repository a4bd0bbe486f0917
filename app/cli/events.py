"""`entitled events`: Stripe's events in the inbox."""

from enum import StrEnum
from typing import Annotated

import typer

from app.cli import options, output
from app.cli.client import Client
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
_COLUMNS: dict[str, output.Column] = {
    "EVENT": "id",
    "TYPE": "type",
    "STATUS": "status",
    "RECEIVED": "receivedAt",
    "ATTEMPTS": "attempts",
    "REASON": "reason",
}
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
    as_json: options.Json = False,
) -> None:
    """List events, the newest received first."""
    variables = {"status": status, "first": first, "after": after}
    page = Client.from_environment().query(_LIST, variables)["stripeEvents"]
    if as_json:
        output.result_json(page)
        return
    output.records(page["nodes"], _COLUMNS, as_json=False)
    if page["pageInfo"]["hasNextPage"]:
        output.note(f"more: --after {page['pageInfo']['endCursor']}")


@app.command("show")
def show_event(event: _EventId, as_json: options.Json = False) -> None:
    """Show one event."""
    found = Client.from_environment().query(_SHOW, {"id": event})["node"]
    if not found:
        raise CommandError(f"no Stripe event {event!r} was received", ExitCode.NO)
    if as_json:
        output.result_json(found)
    else:
        output.fields(found)


@app.command("replay")
def replay_event(
    event: _EventId, idempotency_key: options.IdempotencyKey = None, as_json: options.Json = False
) -> None:
    """Learn the state of the event's object anew from Stripe. The event's payload is not applied again."""
    taken = Client.from_environment().change(
        "replayStripeEvent",
        f"... on ReplayStripeEventPayload {{ replayed event {{ {_EVENT} }} }}",
        idempotency_key,
        eventId=event,
    )["event"]
    text = f"{event} is worked on again; `entitled events show {event}` tells how it ends"
    output.answer(taken, text, as_json=as_json)
