"""`entitled plans`: what can be bought."""

from typing import Annotated, Any, Final

import typer

from app.cli import options, output
from app.cli.client import Client
from app.cli.failure import CommandError, ExitCode

app = typer.Typer(help="Plans: what can be bought, and what it gives.", no_args_is_help=True)

_PLAN: Final = """
  id key version name status publishedAt trialDays grace { days access } pausedAccess isDefault
  prices { lookupKey stripePriceId } features {
    featureKey limit limitBehavior resetPeriod value rolloverMax thresholds
  }
"""
_LIST: Final = f"query($status: PlanStatus) {{ plans(status: $status) {{ {_PLAN} }} }}"
_SHOW: Final = f"query($key: String!, $version: Int) {{ plan(key: $key, version: $version) {{ {_PLAN} }} }}"
_COLUMNS: Final[dict[str, output.Column]] = {
    "PLAN": "key",
    "VERSION": "version",
    "NAME": "name",
    "STATUS": "status",
    "DEFAULT": "isDefault",
    "FEATURES": lambda plan: len(plan["features"]),
    "PRICES": lambda plan: [price["lookupKey"] or price["stripePriceId"] for price in plan["prices"]],
    "PUBLISHED": "publishedAt",
}
_FEATURE_COLUMNS: Final[dict[str, output.Column]] = {
    "FEATURE": "featureKey",
    "LIMIT": lambda entry: "unlimited" if entry["limitBehavior"] == "UNLIMITED" else entry["limit"],
    "BEYOND IT": lambda entry: None if entry["limit"] is None else entry["limitBehavior"],
    "RESETS": lambda entry: None if entry["limit"] is None else entry["resetPeriod"],
    "VALUE": "value",
    "ROLLS OVER": "rolloverMax",
    "TELLS AT %": "thresholds",
}
_PRICE_COLUMNS: Final[dict[str, output.Column]] = {"LOOKUP KEY": "lookupKey", "STRIPE PRICE": "stripePriceId"}

_Plan = Annotated[str, typer.Argument(metavar="PLAN", help="The plan's key.")]


@app.command("list")
def list_plans(
    archived: Annotated[
        bool, typer.Option("--all", help="Archived ones too, which serve those who have them.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """List the latest version of every plan that is offered."""
    found = Client.from_environment().query(_LIST, {"status": None if archived else "ACTIVE"})["plans"]
    output.records(found, _COLUMNS, as_json=as_json)


@app.command("show")
def show(
    plan: _Plan,
    version: Annotated[int | None, typer.Option(min=1, help="Which version. Default: the latest.")] = None,
    as_json: options.Json = False,
) -> None:
    """Show a plan, its prices and what it gives."""
    found = Client.from_environment().query(_SHOW, {"key": plan, "version": version})["plan"]
    if not found:
        which = "" if version is None else f" version {version} of"
        raise CommandError(f"there is no{which or ' plan'} {plan!r}; `entitled plans list` names them", ExitCode.NO)
    if as_json:
        output.result_json(found)
    else:
        _print(found)


def _print(plan: dict[str, Any]) -> None:
    features, prices = plan.pop("features"), plan.pop("prices")
    output.fields(plan)
    output.section("PRICES", prices, _PRICE_COLUMNS)
    output.section("FEATURES", features, _FEATURE_COLUMNS)


@app.command("archive")
def archive(
    plan: _Plan,
    yes: options.Yes = False,
    idempotency_key: options.IdempotencyKey = None,
    as_json: options.Json = False,
) -> None:
    """Offer a plan no more. Refused while a subscription or a trial has it. Needs the scope CATALOG_WRITE."""
    output.confirm(f"Archive the plan {plan}? It is offered no more until a new version is published.", yes=yes)
    archived = Client.from_environment().change(
        "archivePlan", f"... on PlanPayload {{ replayed plan {{ {_PLAN} }} }}", idempotency_key, planKey=plan
    )["plan"]
    output.answer(archived, f"{plan} version {archived['version']} is {archived['status']}", as_json=as_json)
