"""`entitled migrations`: moving subscribers to a newer version of their plan."""

import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Annotated, Any, Final

import typer

from app.cli import options, output
from app.cli.client import Client, patiently
from app.cli.failure import CommandError, ExitCode

app = typer.Typer(
    help="Migrations: moving subscribers to a newer version of their plan. They go on without this command.",
    no_args_is_help=True,
)

_MIGRATION: Final = "id planKey planVersion status total moved skipped progress failure startedAt finishedAt"
_LIST: Final = f"""
query($first: Int!, $after: String) {{
  migrations(first: $first, after: $after) {{ nodes {{ {_MIGRATION} }} pageInfo {{ hasNextPage endCursor }} }}
}}
"""
_SHOW: Final = f"query($id: ID!) {{ migration(id: $id) {{ {_MIGRATION} }} }}"
_COLUMNS: Final[dict[str, output.Column]] = {
    "MIGRATION": "id",
    "PLAN": "planKey",
    "TO VERSION": "planVersion",
    "STATUS": "status",
    "MOVED": "moved",
    "OF": "total",
    "STARTED": "startedAt",
    "ENDED": "finishedAt",
}
_POLL_S: Final = 0.3

_Fields = dict[str, Any]
_MigrationId = Annotated[str, typer.Argument(metavar="MIGRATION", help="The migration's id, mig_….")]
_Wait = Annotated[
    bool, typer.Option("--wait", help="Show its progress until it has ended; exit code 1 unless everybody was moved.")
]


@app.command("list")
def list_migrations(limit: options.Limit = None, as_json: options.Json = False) -> None:
    """List migrations, the newest first."""
    found = Client.from_environment().collect(_LIST, "migrations", limit=limit)
    output.records(found, _COLUMNS, as_json=as_json)


@app.command("show")
def show(migration: _MigrationId, wait: _Wait = False, as_json: options.Json = False) -> None:
    """Show how far a migration is."""
    client = Client.from_environment()
    _print(wait_for(client, migration) if wait else _read(client, migration), as_json=as_json)


@app.command("start")
def start(
    plan: Annotated[str, typer.Argument(metavar="PLAN", help="The key of the plan or add-on.")],
    wait: _Wait = False,
    yes: options.Yes = False,
    idempotency_key: options.IdempotencyKey = None,
    as_json: options.Json = False,
) -> None:
    """Move everybody who has an earlier version of a plan to the latest one. Needs the scope CATALOG_WRITE."""
    client = Client.from_environment()
    output.confirm(f"Move every subscriber of {plan} to its latest version?", yes=yes)
    selection = f"... on MigratePlanPayload {{ replayed migration {{ {_MIGRATION} }} }}"
    started = client.change("migratePlan", selection, idempotency_key, planKey=plan)["migration"]
    if wait:
        _print(wait_for(client, started["id"]), as_json=as_json)
    else:
        output.answer(started, started["id"], as_json=as_json)


def wait_for(client: Client, migration: str) -> _Fields:
    """Return the migration once it has ended, and show its progress on stderr until then.

    It outlives its server, which is asked again for a minute when it does not answer. Raises `CommandError`, with
    exit code 1 where the migration failed or was superseded.
    """
    with _progress() as show:
        while True:
            found = patiently(lambda: _read(client, migration))
            show(found)
            if found["status"] != "RUNNING":
                break
            time.sleep(_POLL_S)
    if found["status"] != "FINISHED":
        raise CommandError(f"{migration} is {found['status']}: {found['failure']}", ExitCode.NO)
    return found


def _read(client: Client, migration: str) -> _Fields:
    found = client.query(_SHOW, {"id": migration})["migration"]
    if not found:
        problem = f"there is no migration {migration!r}; `entitled migrations list` names them"
        raise CommandError(problem, ExitCode.NO)
    return found


@contextmanager
def _progress() -> Generator[Callable[[_Fields], None]]:
    """Give what shows the progress: as a bar on a terminal, else as a line for each tenth."""
    if not sys.stderr.isatty():
        yield _tenths()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("")

        def show(found: _Fields) -> None:
            looked_at = found["moved"] + found["skipped"]
            bar.update(task, description=_title(found), completed=looked_at, total=max(found["total"], looked_at))

        yield show


def _tenths() -> Callable[[_Fields], None]:
    told: list[int] = []

    def show(found: _Fields) -> None:
        tenth = int(float(found["progress"]) * 10)
        if [tenth] != told:
            told[:] = [tenth]
            output.note(f"{_title(found)}: {found['moved']} of {found['total']} moved")

    return show


def _title(found: _Fields) -> str:
    return f"{found['planKey']} version {found['planVersion']}"


def _print(found: _Fields, *, as_json: bool) -> None:
    if as_json:
        output.result_json(found)
    else:
        output.fields(found)
