"""`entitled check`: whether a workspace may use a feature."""

import json
from typing import Annotated, Any, Final

import typer

from app.cli import entitlement, options, output
from app.cli.client import Client
from app.cli.failure import ExitCode

_EXPLANATION: Final = """
  explanation { rule outcome decisive input }
  remedies { kind plan { key } addOn { key } quantity subscriptionId at }
"""
_COLUMNS: Final[dict[str, output.Column]] = {
    "RULE": "rule",
    "OUTCOME": "outcome",
    "INPUT": lambda step: json.dumps(step["input"]),
}


def check(
    workspace: options.Workspace,
    feature: options.Feature,
    usage: Annotated[
        str | None, typer.Option(help="The amount that is to be used. Default 1 where it is metered.")
    ] = None,
    value: Annotated[list[str] | None, typer.Option(help="A value that is to be used; may be given again.")] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Tell also which rule settled it, and what would turn a denial.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Tell whether a workspace may use a feature now. Exit code 0 is yes, 1 is no."""
    asked = {"workspaceId": workspace, "featureKey": feature, "requestedUsage": usage, "requestedValues": value or None}
    selection = f"entitlement {{ {entitlement.SELECTION} }} {_EXPLANATION if explain else ''}"
    document = f"query($input: CheckInput!) {{ checkEntitlement(input: $input) {{ {selection} }} }}"
    decision = Client.from_environment().query(document, {"input": asked})["checkEntitlement"]
    answer = decision.pop("entitlement")
    output.answer({**answer, **decision}, entitlement.sentence(workspace, answer), as_json=as_json)
    if explain and not as_json:
        _print(decision)
    raise typer.Exit(ExitCode.OK if answer["hasAccess"] else ExitCode.NO)


def _print(decision: dict[str, Any]) -> None:
    output.section("RULES", decision["explanation"], _COLUMNS)
    output.section("REMEDIES", decision["remedies"], {"ANY OF THESE": _remedy})


def _remedy(remedy: dict[str, Any]) -> str:
    match remedy["kind"]:
        case "PLAN":
            return f"change to the plan {remedy['plan']['key']}"
        case "ADD_ON":
            return f"buy {remedy['quantity']} more of the add-on {remedy['addOn']['key']}"
        case "TOP_UP":
            return f"top up {remedy['quantity']}"
        case "PAY_INVOICE":
            return f"pay the open invoice of {remedy['subscriptionId']}"
        case "WAIT_UNTIL":
            return f"wait until {remedy['at']}"
        case kind:
            return str(kind)
