"""`entitled schema`: the GraphQL schema."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli import output

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
        file.write_text(text)
