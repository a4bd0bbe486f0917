"""The command `entitled`: its commands, and how every failure becomes one line and an exit code."""

import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.main import get_command

from app.cli import check, demo, doctor, events, keys, output, resync, schema, serve
from app.cli.failure import EPILOG, ExitCode

app = typer.Typer(
    name="entitled",
    help="Answers from RAM what a workspace may use now, how much of it, and why not.",
    epilog=EPILOG,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("serve")(serve.serve)
app.command("demo")(demo.demo)
app.command("doctor")(doctor.doctor)
app.command("check")(check.check)
app.command("resync")(resync.resync)
app.add_typer(events.app, name="events")
app.add_typer(keys.app, name="keys")
app.add_typer(schema.app, name="schema")


def _print_version(wanted: bool) -> None:
    if wanted:
        output.result(f"entitled {version('entitled')}")
        raise typer.Exit


@app.callback()
def options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Take what stands before the command."""


def main() -> None:
    """Run the command line of this process and end it."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code."""
    command: Any = get_command(app)
    try:
        code = command(list(arguments) or ["--help"], prog_name="entitled", standalone_mode=False)
        sys.stdout.flush()
    except typer.TyperException as error:
        if message := error.format_message():  # a noun without a verb has printed its help
            output.note(f"entitled: {message}")
        return error.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # whoever read has read enough
        return ExitCode.OK
    return int(code or ExitCode.OK)
