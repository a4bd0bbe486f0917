"""`entitled check`: whether a workspace may use a feature."""

from typing import Annotated, Any

import typer

from app.cli import output
from app.cli.failure import ExitCode

_QUERY = """
query($input: CheckInput!) { checkEntitlement(input: $input) { entitlement {
  featureKey hasAccess accessDeniedReason limitBehavior readOnly inGrace graceEndsAt isTrial trialEndsAt value
  validUntil version usage { used limit remaining overage periodStart resetsAt }
  grants { source sourceId amount expiresAt }
} } }
"""


def check(
    workspace: Annotated[str, typer.Argument(help="The workspace's id, or your own external id.")],
    feature: Annotated[str, typer.Argument(help="The feature's key.")],
    usage: Annotated[
        str | None, typer.Option(help="The amount that is to be used. Default 1 where it is metered.")
    ] = None,
    value: Annotated[list[str] | None, typer.Option(help="A value that is to be used; may be given again.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole answer as JSON.")] = False,
) -> None:
    """Tell whether a workspace may use a feature now. Exit code 0 is yes, 1 is no."""
    from app.cli.client import Client

    asked = {"workspaceId": workspace, "featureKey": feature, "requestedUsage": usage, "requestedValues": value or None}
    answer = Client.from_environment().query(_QUERY, {"input": asked})["checkEntitlement"]["entitlement"]
    if as_json:
        output.result_json(answer)
    else:
        output.result(_sentence(workspace, answer))
    raise typer.Exit(ExitCode.OK if answer["hasAccess"] else ExitCode.NO)


def _sentence(workspace: str, answer: dict[str, Any]) -> str:
    if not answer["hasAccess"]:
        verdict = f"{workspace} may not use {answer['featureKey']}: {answer['accessDeniedReason']}"
    else:
        verdict = f"{workspace} may use {answer['featureKey']}{', read only' if answer['readOnly'] else ''}"
    return "; ".join([verdict, *_details(answer)])


def _details(answer: dict[str, Any]) -> list[str]:
    details: list[str] = []
    if usage := answer["usage"]:
        limit = "unlimited" if usage["limit"] is None else f"of {usage['limit']}"
        resets = f", resets at {usage['resetsAt']}" if usage["resetsAt"] else ""
        details.append(f"used {usage['used']} {limit}{resets}")
    if answer["value"] is not None:
        details.append(f"value {answer['value']}")
    if answer["isTrial"]:
        details.append(f"trial until {answer['trialEndsAt']}")
    if answer["inGrace"]:
        details.append(f"payment overdue, grace until {answer['graceEndsAt']}")
    return details
