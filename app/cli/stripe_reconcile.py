"""`entitled stripe reconcile`: events that never came."""

import time
from typing import Annotated, Any, Final

import typer

from app.cli import options, output
from app.cli.client import Client, patiently

_STATE: Final = """watchingSinceAt askedSinceAt lastReconcileAt lastRelistAt listed recovered drift
  drifted { type id foundAt }"""
_SHOW: Final = f"{{ stripeReconcile {{ {_STATE} }} }}"
_DRIFTED: Final[dict[str, output.Column]] = {"TYPE": "type", "OBJECT": "id", "FOUND": "foundAt"}
_POLL_S: Final = 0.3

_Fields = dict[str, Any]


def reconcile(
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="In RFC 3339: 2026-11-01T00:00:00Z, at most 30 days ago. Default: a day ago."
        ),
    ] = None,
    idempotency_key: options.IdempotencyKey = None,
    as_json: options.Json = False,
) -> None:
    """Bring every event since a time from Stripe, and tell what reconciling found since it began.

    Events that came before are known, so doing it again does no harm. Needs the scope OPERATOR.
    """
    client = Client.from_environment()
    since = options.days_from_now(-1) if since is None else since
    selection = "... on ReconcileStripePayload { sinceAt replayed }"
    client.change("reconcileStripe", selection, idempotency_key, since=since)
    found = _until_done(client)
    if as_json:
        output.result_json(found)
        return
    output.result(f"{found['listed']} events since {since}, {found['recovered']} recovered in all")
    output.section("Changed without an event", found["drifted"], _DRIFTED)


def _until_done(client: Client) -> _Fields:
    """Wait until the events were brought; a server that restarts is asked again for a minute."""
    while True:
        found = patiently(lambda: client.query(_SHOW)["stripeReconcile"])
        if found and found["askedSinceAt"] is None:
            return found
        time.sleep(_POLL_S)
