"""`entitled events`: Stripe's events in the inbox."""

import uuid
from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from app.cli import options, output
from app.cli.client import Client, UnansweredError
from app.cli.failure import CommandError, ExitCode
from app.cli.following import MOST_LAST, follow

app = typer.Typer(help="Stripe's events in the inbox. Needs the scope OPERATOR.", no_args_is_help=True)

_EVENT: Final = "id type status occurredAt receivedAt processedAt objectType objectId attempts reason"
_LIST: Final = f"""
query($status: StripeEventStatus, $type: String, $object: ID, $from: DateTime, $to: DateTime, $failed: Boolean! = false,
      $first: Int!, $after: String) {{
  stripeEvents(status: $status, type: $type, objectId: $object, from: $from, to: $to, failed: $failed,
               first: $first, after: $after) {{
    nodes {{ {_EVENT} }} pageInfo {{ hasNextPage endCursor }} }}
}}
"""
_SHOW: Final = f"""query($id: ID!) {{ stripeEvent(id: $id) {{ {_EVENT} apiVersion livemode
  timeline {{ receivedAt firstFetchedAt writtenAt appliedAt settledAt }}
  queued {{ state markedAt dueAt attempts parkedUnder lastError failedAt }}
  discard {{ by reason }} payload }} }}"""
_REPLAYED: Final = (
    "... on ReplayStripeEventsPayload { marked events objects { type id } hasMore endCursor dryRun replayed }"
)
_COLUMNS: Final[dict[str, output.Column]] = {
    "EVENT": "id",
    "TYPE": "type",
    "OBJECT": "objectId",
    "STATUS": "status",
    "RECEIVED": "receivedAt",
    "ATTEMPTS": "attempts",
    "REASON": "reason",
}

_Fields = dict[str, Any]
_EventId = Annotated[str, typer.Argument(metavar="EVENT", help="Stripe's id of the event, evt_….")]


class Status(StrEnum):
    """What became of an event."""

    RECEIVED = "RECEIVED"
    PROCESSED = "PROCESSED"
    IGNORED = "IGNORED"
    PARKED = "PARKED"
    DEAD = "DEAD"
    DISCARDED = "DISCARDED"


_Status = Annotated[Status | None, typer.Option(case_sensitive=False, help="Only those with this status.")]
_Type = Annotated[
    str | None,
    typer.Option("--type", metavar="TYPE", help="Only those of this type of Stripe's, or beginning so: 'customer.*'."),
]
_Object = Annotated[
    str | None, typer.Option("--object", metavar="ID", help="Only those about this object of Stripe's.")
]


@app.command("list")
def list_events(
    *,
    status: _Status = None,
    type_: _Type = None,
    object_: _Object = None,
    from_: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="Only those received since: 2027-01-31T00:00:00Z.")
    ] = None,
    to: Annotated[str | None, typer.Option(metavar="TIME", help="Only those received before.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only those dead, or waiting after a failure.")] = False,
    first: Annotated[int, typer.Option(min=1, max=100, help="How many.")] = 50,
    after: Annotated[str | None, typer.Option(help="The cursor that the page before printed.")] = None,
    as_json: options.Json = False,
) -> None:
    """List events, the newest received first."""
    narrowed = {"status": status, "type": type_, "object": object_, "from": from_, "to": to, "failed": failed}
    page = Client.from_environment().query(_LIST, {**narrowed, "first": first, "after": after})["stripeEvents"]
    if as_json:
        output.result_json(page)
        return
    output.records(page["nodes"], _COLUMNS, as_json=False)
    if page["pageInfo"]["hasNextPage"]:
        output.note(f"more: --after {page['pageInfo']['endCursor']}")


@app.command("show")
def show_event(event: _EventId, as_json: options.Json = False) -> None:
    """Show one event: its way through the service, and what is still to be done about its object."""
    found = Client.from_environment().query(_SHOW, {"id": event})["stripeEvent"]
    if not found:
        raise CommandError(f"no Stripe event {event!r} was received, or it was kept long enough", ExitCode.NO)
    if as_json:
        output.result_json(found)
    else:
        output.fields(found)


@app.command("replay")
def replay_events(
    event: Annotated[str | None, typer.Argument(metavar="[EVENT]", help="Stripe's id of the event, evt_….")] = None,
    *,
    object_: Annotated[
        tuple[str, str] | None,
        typer.Option("--object", metavar="TYPE ID", help="Instead: one object, as `subscription sub_1`."),
    ] = None,
    from_: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="Instead: the objects of all received since.")
    ] = None,
    to: Annotated[str | None, typer.Option(metavar="TIME", help="With --from: received before. Default: now.")] = None,
    failed_since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Instead: all objects that failed since, and still wait or are dead."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only find and count; mark nothing.")] = False,
    yes: options.Yes = False,
    idempotency_key: options.IdempotencyKey = None,
    as_json: options.Json = False,
) -> None:
    """Learn the state of an event's object, or of many objects, anew from Stripe. No payload is applied again."""
    if sum(way is not None for way in (event, object_, from_, failed_since)) != 1:
        raise CommandError("name one of EVENT, --object, --from and --failed-since", ExitCode.USAGE)
    if to is not None and from_ is None:
        raise CommandError("--to goes with --from", ExitCode.USAGE)
    client = Client.from_environment()
    if event is not None:
        _replay_one(client, event, idempotency_key, dry_run=dry_run, as_json=as_json)
        return
    if object_ is None and not dry_run:
        since = f"failed since {failed_since}" if failed_since else f"was told of since {from_}"
        output.confirm(f"Learn every object anew that {since}?", yes=yes)
    named = {"type": object_[0], "id": object_[1]} if object_ else None
    asked = {"object": named, "receivedFromAt": from_, "receivedToAt": to, "failedSinceAt": failed_since}
    _report(_replay_all(client, {**asked, "dryRun": dry_run}, idempotency_key), as_json=as_json)


@app.command("discard")
def discard_events(
    events: Annotated[
        list[str] | None, typer.Argument(metavar="[EVENT]...", help="Stripe's ids of dead events, at most 100.")
    ] = None,
    *,
    object_: Annotated[
        str | None,
        typer.Option("--object", metavar="ID", help="Instead: this object of Stripe's, with its dead events."),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why, for people; it is kept with the events.")],
    yes: options.Yes = False,
    idempotency_key: options.IdempotencyKey = None,
    as_json: options.Json = False,
) -> None:
    """Give up dead letters that no replay will help. They stay listed as DISCARDED."""
    if bool(events) == (object_ is not None):
        raise CommandError("name either EVENTs or --object", ExitCode.USAGE)
    output.confirm(f"Give {object_ or ', '.join(events or ())} up?", yes=yes)
    done = Client.from_environment().change(
        "discardStripeEvents",
        "... on DiscardStripeEventsPayload { events objects replayed }",
        idempotency_key,
        eventIds=events or None,
        objectId=object_,
        reason=reason,
    )
    output.answer(done, f"discarded: events {done['events']}, objects {done['objects']}", as_json=as_json)


@app.command("tail")
def tail_events(
    *,
    status: _Status = None,
    type_: _Type = None,
    object_: _Object = None,
    last: Annotated[int, typer.Option(min=0, max=MOST_LAST, help="How many of those before to begin with.")] = 10,
    every: Annotated[float, typer.Option(min=0.1, max=60, help="Seconds between two looks.")] = 1,
    as_json: options.Json = False,
) -> None:
    """Print events as they come, each as it stands when it is first seen, until Ctrl-C. With --json a line each."""
    wanted = {"status": status, "type": type_, "object": object_}
    try:
        client = Client.from_environment()
        for event in follow(client, _LIST, "stripeEvents", wanted, by="receivedAt", last=last, every_s=every):
            output.answer(event, _line(event), as_json=as_json)
    except KeyboardInterrupt:
        return


def _replay_one(client: Client, event: str, key: str | None, *, dry_run: bool, as_json: bool) -> None:
    selection = f"... on ReplayStripeEventPayload {{ replayed event {{ {_EVENT} }} }}"
    taken = client.change("replayStripeEvent", selection, key, eventId=event, dryRun=dry_run)["event"]
    text = f"{event} is worked on again; `entitled events show {event}` tells how it ends"
    if dry_run:
        text = f"{event} would be worked on again: {taken['objectType']} {taken['objectId']}"
    output.answer(taken, text, as_json=as_json)


def _replay_all(client: Client, asked: _Fields, key: str | None) -> _Fields:
    """Replay part by part, each under a key of its own; return the sums, and the first hundred objects."""
    base, after, part = key or str(uuid.uuid4()), None, 1
    total: _Fields = {"marked": 0, "events": None, "objects": [], "dryRun": asked["dryRun"]}
    while True:
        sent = {"idempotencyKey": base if part == 1 else f"{base}/{part}", **asked, "after": after}
        try:
            found = client.mutate("replayStripeEvents", "ReplayStripeEventsInput", _REPLAYED, sent)
        except UnansweredError as error:
            raise UnansweredError(f"{error}; marked so far: {total['marked']}; to run it again does no harm") from error
        total["marked"] += found["marked"]
        total["objects"] = total["objects"] or found["objects"]
        if found["events"] is not None:
            total["events"] = (total["events"] or 0) + found["events"]
        if not found["hasMore"]:
            return total
        after, part = found["endCursor"], part + 1
        output.note(f"{total['marked']} so far, and more follow")


def _report(total: _Fields, *, as_json: bool) -> None:
    if as_json:
        output.result_json(total)
        return
    of_events = "" if total["events"] is None else f" of {total['events']} events"
    would = "would be " if total["dryRun"] else ""
    noun = "object" if total["marked"] == 1 else "objects"
    output.result(f"{total['marked']} {noun}{of_events} {would}marked")
    if total["dryRun"]:
        for name in total["objects"]:
            output.result(f"{name['type']} {name['id']}")
        if hidden := total["marked"] - len(total["objects"]):
            output.result(f"and {hidden} more")


def _line(event: _Fields) -> str:
    told = (event["receivedAt"], event["id"], event["type"], event["status"], event["objectId"], event["reason"])
    return output.printable("  ".join(str(text) for text in told if text))
