"""`entitled features`: what checks are made with."""

from typing import Annotated, Any, Final

import typer

from app.cli import options, output
from app.cli.client import Client

app = typer.Typer(help="Features: what plans give, and checks are made with.", no_args_is_help=True)

_LIST: Final = """
{ features {
  id key name type unit meterType valueType enumValues merge cost creditType { key } createdAt archivedAt
} }
"""


def _draws_on(feature: dict[str, Any]) -> object:
    of = feature["creditType"]
    return None if of is None else f"{of['key']} at {feature['cost']}"


_COLUMNS: Final[dict[str, output.Column]] = {
    "FEATURE": "key",
    "NAME": "name",
    "TYPE": "type",
    "OF": lambda feature: feature["meterType"] or feature["valueType"],
    "UNIT": "unit",
    "DRAWS ON": _draws_on,
    "VALUES": "enumValues",
    "MERGE": "merge",
    "ARCHIVED": "archivedAt",
}


@app.command("list")
def list_features(
    archived: Annotated[
        bool, typer.Option("--all", help="Archived ones too, which nothing new can be given of.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """List every feature, by key."""
    found = Client.from_environment().query(_LIST)["features"]
    shown = [feature for feature in found if archived or feature["archivedAt"] is None]
    output.records(shown, _COLUMNS, as_json=as_json)
