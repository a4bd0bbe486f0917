"""`entitled schema`: the GraphQL schema."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli import output
from app.cli.failure import CommandError, ExitCode

app = typer.Typer(help="The GraphQL schema.", no_args_is_help=True)


@app.command("export")
def export(
    file: Annotated[Path | None, typer.Option("--output", "-o", help="Write it there instead of stdout.")] = None,
) -> None:
    """Print the schema in GraphQL's own language. Needs no server."""
    from app.graphql.schema import sdl

    text = sdl()
    if file is None:
        output.result(text.rstrip("\n"))
    else:
        try:
            file.write_text(text)
        except OSError as error:
            raise CommandError(f"{file} cannot be written: {error.strerror}", ExitCode.USAGE) from None
