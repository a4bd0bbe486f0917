"""`entitled status`: whether RAM is true, and whether Stripe's events arrive."""

from typing import Any, Final

import typer

from app.cli import options, output
from app.cli.client import Client
from app.cli.failure import ExitCode

_QUERY: Final = """{ syncStatus {
  cache { ready records workspaces lastAppliedAt malformed }
  workers { name state sinceAt lastError lastErrorAt }
  reconcile { lastRunAt lastResult { compared repaired dropped divergent } repairedTotal droppedTotal }
  stripe { mode pending parked dead lastEventAt unmappedPrices trouble }
} }"""
_WORKER_COLUMNS: Final[dict[str, output.Column]] = {
    "WORKER": "name",
    "STATE": "state",
    "SINCE": "sinceAt",
    "LAST ERROR": "lastError",
    "AT": "lastErrorAt",
}


def status(
    as_json: options.Json = False,
) -> None:
    """Tell how the replica at ENTITLED_URL is; exit code 1 unless RAM is loaded and every worker VALID.

    What to do about it is in RUNBOOK.md. Needs OPERATOR.
    """
    found = Client.from_environment().query(_QUERY)["syncStatus"]
    is_well = found["cache"]["ready"] and all(worker["state"] == "VALID" for worker in found["workers"])
    if as_json:
        output.result_json(found)
    else:
        _print(found)
    raise typer.Exit(ExitCode.OK if is_well else ExitCode.NO)


def _print(found: dict[str, Any]) -> None:
    workers = found.pop("workers")
    output.fields(found)
    output.section("WORKERS", workers, _WORKER_COLUMNS)
