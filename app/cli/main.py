"""The command `entitled`: its commands, and how every failure becomes one line and an exit code."""

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any, Final

import typer
from typer.main import get_command

from app.cli import (
    audit,
    billing_events,
    catalog,
    check,
    demo,
    doctor,
    events,
    features,
    grants,
    keys,
    migrations,
    output,
    overrides,
    plans,
    resync,
    sandbox,
    schema,
    serve,
    status,
    stripe_backfill,
    stripe_link,
    stripe_reconcile,
    stripe_report,
    stripe_setup,
    stripe_status,
    usage,
    workspaces,
)
from app.cli.failure import EPILOG, ExitCode

_NAME: Final = "entitled"

app = typer.Typer(
    name=_NAME,
    help="Answers from RAM what a workspace may use now, how much of it, and why not.",
    epilog=EPILOG,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
stripe = typer.Typer(help="What is known of Stripe, and bringing it up to date.", no_args_is_help=True)
stripe.command("status")(stripe_status.stripe_status)
stripe.command("setup")(stripe_setup.setup)
stripe.command("link")(stripe_link.link)
stripe.command("unlink")(stripe_link.unlink)
stripe.command("report")(stripe_report.report)
stripe.command("backfill")(stripe_backfill.backfill)
stripe.command("reconcile")(stripe_reconcile.reconcile)
app.command("serve")(serve.serve)
app.command("demo")(demo.demo)
app.command("sandbox")(sandbox.sandbox)
app.command("doctor")(doctor.doctor)
app.command("check")(check.check)
app.command("status")(status.status)
app.command("resync")(resync.resync)
app.add_typer(workspaces.app, name="workspaces")
app.add_typer(catalog.app, name="catalog")
app.add_typer(features.app, name="features")
app.add_typer(plans.app, name="plans")
app.add_typer(migrations.app, name="migrations")
app.add_typer(grants.app, name="grants")
app.add_typer(overrides.app, name="overrides")
app.add_typer(usage.app, name="usage")
app.add_typer(events.app, name="events")
app.add_typer(billing_events.app, name="billing-events")
app.add_typer(stripe, name="stripe")
app.add_typer(keys.app, name="keys")
app.add_typer(audit.app, name="audit")
app.add_typer(schema.app, name="schema")


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

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
        match list(arguments):
            case ["--show-completion", shell]:
                code = _show_completion(command, shell)
            case given:
                code = command(given or ["--help"], prog_name=_NAME, standalone_mode=False)
        sys.stdout.flush()
    except typer.TyperException as error:
        if message := _explain(error):  # a noun without a verb has printed its help
            output.note(f"entitled: {message}")
        return error.exit_code
    except SystemExit as ended:  # typer's way to end after completion
        if isinstance(ended.code, str):
            raise
        return ended.code or ExitCode.OK
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # whoever read has read enough
        return ExitCode.OK
    return int(code or ExitCode.OK)


def _explain(error: typer.TyperException) -> str:
    """Return what is wrong; of wrong arguments also where it is told which are right."""
    message, context = error.format_message().replace("Value error, ", ""), getattr(error, "ctx", None)
    if not message or context is None:
        return message
    return f"{message}{'' if message.endswith(('.', '?')) else '.'} See `{context.command_path} --help`."


def _show_completion(command: Any, shell: str) -> int:
    """Print the script for a shell that is named; typer's own option knows only the shell it is run in."""
    from typer.completion import shell_complete

    return shell_complete(command, {}, _NAME, f"_{_NAME.upper()}_COMPLETE", f"source_{shell}")
