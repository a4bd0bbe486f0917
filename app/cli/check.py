"""`entitled check`: whether a workspace may use a feature."""

from typing import Annotated

import typer

from app.cli import entitlement, options, output
from app.cli.client import Client
from app.cli.failure import ExitCode

_QUERY = (
    "query($input: CheckInput!) { checkEntitlement(input: $input) { entitlement { " + entitlement.SELECTION + " } } }"
)


def check(
    workspace: options.Workspace,
    feature: options.Feature,
    usage: Annotated[
        str | None, typer.Option(help="The amount that is to be used. Default 1 where it is metered.")
    ] = None,
    value: Annotated[list[str] | None, typer.Option(help="A value that is to be used; may be given again.")] = None,
    as_json: options.Json = False,
) -> None:
    """Tell whether a workspace may use a feature now. Exit code 0 is yes, 1 is no."""
    asked = {"workspaceId": workspace, "featureKey": feature, "requestedUsage": usage, "requestedValues": value or None}
    answer = Client.from_environment().query(_QUERY, {"input": asked})["checkEntitlement"]["entitlement"]
    output.answer(answer, entitlement.sentence(workspace, answer), as_json=as_json)
    raise typer.Exit(ExitCode.OK if answer["hasAccess"] else ExitCode.NO)
