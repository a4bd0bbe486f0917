"""`entitled stripe backfill`: everything that Stripe has, to the database."""

import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Annotated, Any, Final

import typer

from app.cli import options, output
from app.cli.client import Client, patiently
from app.cli.failure import CommandError, ExitCode

_BACKFILL: Final = """id status dryRun counts { type listed changed parked failed } listed objectsPerSecond secondsLeft
  changed { type id } trouble failure startedAt finishedAt"""
_SHOW: Final = f"{{ stripeBackfill {{ {_BACKFILL} }} }}"
_COUNTS: Final[dict[str, output.Column]] = {
    "TYPE": "type",
    "READ": "listed",
    "CHANGED": "changed",
    "PARKED": "parked",
    "FAILED": "failed",
}
_CHANGED: Final[dict[str, output.Column]] = {"TYPE": "type", "OBJECT": "id"}
_POLL_S: Final = 0.3
_TOLD_EVERY: Final = 1000  # objects, where no terminal shows a bar

_Fields = dict[str, Any]


def backfill(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read everything, change nothing, tell what would.")
    ] = False,
    idempotency_key: options.IdempotencyKey = None,
    as_json: options.Json = False,
) -> None:
    """Bring everything that Stripe has, from products to disputes, and show the progress until it is done.

    It goes on without this command; given again while one runs, the command follows that one. Needs the scope
    OPERATOR.
    """
    client = Client.from_environment()
    running = client.query(_SHOW)["stripeBackfill"]
    if running and running["status"] == "RUNNING" and idempotency_key is None:
        if running["dryRun"] != dry_run:
            kind = "a dry run" if running["dryRun"] else "a backfill that is no dry run"
            raise CommandError(f"{running['id']} is {kind} and not done yet", ExitCode.NO)
        output.note(f"{running['id']} runs already")
    else:
        selection = f"... on BackfillStripePayload {{ replayed backfill {{ {_BACKFILL} }} }}"
        running = client.change("backfillStripe", selection, idempotency_key, dryRun=dry_run)["backfill"]
    _print(_wait_for(client, running["id"]), as_json=as_json)


def _wait_for(client: Client, id: str) -> _Fields:
    """Return the backfill once it has ended, and show its progress on stderr until then.

    It outlives its server, which is asked again for a minute when it does not answer.
    """
    with _progress() as show:
        while True:
            found = _read(client, id)
            show(found)
            if found["status"] != "RUNNING":
                break
            time.sleep(_POLL_S)
    if found["status"] != "FINISHED":
        raise CommandError(f"{id} is {found['status']}: {found['failure']}", ExitCode.NO)
    return found


def _read(client: Client, id: str) -> _Fields:
    found = patiently(lambda: client.query(_SHOW)["stripeBackfill"])
    if not found or found["id"] != id:
        raise CommandError(f"{id} has ended, and another backfill was started since", ExitCode.NO)
    return found


@contextmanager
def _progress() -> Generator[Callable[[_Fields], None]]:
    """Give what shows the progress: as a bar on a terminal, else as a line for each type and each thousand objects."""
    if not sys.stderr.isatty():
        yield _lines()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=None)

        def show(found: _Fields) -> None:
            bar.update(task, description=_line(found), completed=found["listed"], total=_expected(found))

        yield show


def _lines() -> Callable[[_Fields], None]:
    told: list[tuple[Any, ...]] = []

    def show(found: _Fields) -> None:
        step = (len(found["counts"]), found["listed"] // _TOLD_EVERY, found["trouble"], found["status"])
        if [step] != told:
            told[:] = [step]
            output.note(_line(found))

    return show


def _line(found: _Fields) -> str:
    parts = [_where(found)]
    if found["objectsPerSecond"] is not None:
        parts.append(f"{found['objectsPerSecond']}/s")
    if found["secondsLeft"] is not None:
        parts.append(f"about {found['secondsLeft']} s left")
    if found["trouble"]:
        parts.append(output.printable(found["trouble"]))
    return ", ".join(parts)


def _where(found: _Fields) -> str:
    if found["status"] != "RUNNING":
        return f"{found['listed']} read in all"
    counts = found["counts"]
    return f"{counts[-1]['type']}: {counts[-1]['listed']} read" if counts else "nothing read yet"


def _expected(found: _Fields) -> int | None:
    """Return how many objects there will have been at the end of this type's list; None where that is unknown."""
    if found["status"] != "RUNNING":
        return found["listed"]
    if found["secondsLeft"] is None or found["objectsPerSecond"] is None:
        return None
    return found["listed"] + round(found["secondsLeft"] * float(found["objectsPerSecond"]))


def _print(found: _Fields, *, as_json: bool) -> None:
    if as_json:
        output.result_json(found)
        return
    output.records(found["counts"], _COUNTS, as_json=False)
    if any(count["parked"] for count in found["counts"]):
        output.note("parked waits for a workspace: `entitled stripe report` tells whose it may be")
    if found["dryRun"]:
        output.section("Would change", found["changed"], _CHANGED)
        if sum(count["changed"] for count in found["counts"]) > len(found["changed"]):
            output.note(f"the first {len(found['changed'])} of them")
