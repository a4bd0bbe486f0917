"""`entitled serve`: the real thing."""

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from app.cli import output
from app.cli.failure import CommandError, ExitCode

_HOW_TO = (
    "MONGODB_URI is not set. Name a replica set: MONGODB_URI='mongodb://HOST:27017/?replicaSet=NAME' entitled serve. "
    "For development there is `entitled serve --embedded`, which runs a MongoDB of its own, "
    "and `entitled demo`, which fills it; `entitled doctor` checks the rest."
)


def serve(
    embedded: Annotated[
        bool, typer.Option("--embedded", help="Run a MongoDB of our own instead of MONGODB_URI; for development.")
    ] = False,
    data_dir: Annotated[
        Path | None, typer.Option(help="Where --embedded keeps its files. Default: ~/.local/share/entitled/mongodb.")
    ] = None,
    role: Annotated[
        Literal["all", "api", "worker"] | None,
        typer.Option(
            help="api answers and takes webhooks, worker does what processes share, all does both; goes before ROLE."
        ),
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on; goes before HOST.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on; goes before PORT.")] = None,
) -> None:
    """Run the service until SIGTERM or Ctrl-C. Its settings come from the environment; README lists them."""
    from app import main
    from app.cli.configuration import default_data_dir, read_settings
    from app.cli.service import embedded_mongodb, listen, run_until_done
    from app.settings import load_settings

    options = (("role", role), ("host", host), ("port", port))
    given: dict[str, Any] = {name: value for name, value in options if value is not None}
    settings = read_settings(**given)
    if data_dir is not None and not embedded:
        raise CommandError("--data-dir is for --embedded", ExitCode.USAGE)
    if settings.mongodb_uri is not None and embedded:
        raise CommandError("MONGODB_URI is set and --embedded is given; take one of them", ExitCode.CONFIGURATION)
    if settings.mongodb_uri is None and not embedded:
        raise CommandError(_HOW_TO, ExitCode.CONFIGURATION)
    with ExitStack() as started:
        listening = started.enter_context(listen(settings.host, settings.port))
        if embedded:
            directory = data_dir or default_data_dir()
            uri = started.enter_context(embedded_mongodb(directory))
            output.note(f"embedded MongoDB in {directory}, for development only: {uri}")
            settings = load_settings(**given, mongodb_uri=uri)
        run_until_done(main.run(settings, sockets=[listening]))
