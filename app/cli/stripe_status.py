"""`entitled stripe status`: whether Stripe's word arrives, and what keeps it from that."""

from typing import Any, Final

import typer

from app.cli import options, output
from app.cli.client import Client
from app.cli.failure import ExitCode

_QUERY: Final = """{ syncStatus { stripe {
  mode pending oldestPendingAt parked dead lastEventAt trouble backoff { untilAt reason } workerSeenAt
  drift unmappedPriceCount unmappedPrices
} } }"""


def stripe_status(as_json: options.Json = False) -> None:
    """Tell how the Stripe side is; exit code 1 where Stripe or the database is silent or something is dead.

    What to do about it is in RUNBOOK.md. Needs OPERATOR.
    """
    found = Client.from_environment().query(_QUERY)["syncStatus"]["stripe"]
    if as_json:
        output.result_json(found)
    else:
        output.fields(found)
    raise typer.Exit(ExitCode.OK if _is_well(found) else ExitCode.NO)


def _is_well(found: dict[str, Any]) -> bool:
    return found["dead"] == 0 and found["trouble"] is None and found["backoff"] is None
