"""`entitled overrides`: what replaces the plans' word on one feature."""

from enum import StrEnum
from typing import Annotated, Final

import typer

from app.cli import options, output
from app.cli.client import Client

app = typer.Typer(
    help="Overrides: what replaces the plans' word on one feature. Needs the scope BILLING_WRITE.",
    no_args_is_help=True,
)

_PAYLOAD: Final = """... on OverridePayload { replayed override {
  id workspaceId subscriptionId featureKey revoked limit limitBehavior resetPeriod value expiresAt reason removedAt
  version
} }"""


class LimitBehavior(StrEnum):
    """What happens beyond the limit."""

    HARD = "HARD"
    SOFT = "SOFT"
    OVERAGE = "OVERAGE"
    UNLIMITED = "UNLIMITED"


@app.command("set")
def set_override(
    workspace: options.Workspace,
    feature: options.Feature,
    *,
    revoked: Annotated[bool, typer.Option("--revoked", help="Take the feature away, whatever else gives it.")] = False,
    limit: Annotated[str | None, typer.Option(help="Of a METERED or CREDIT feature: how much in all.")] = None,
    limit_behavior: Annotated[
        LimitBehavior, typer.Option(case_sensitive=False, help="What happens beyond the limit.")
    ] = LimitBehavior.HARD,
    reset_period: Annotated[
        options.ResetPeriod, typer.Option(case_sensitive=False, help="When usage starts from zero again.")
    ] = options.ResetPeriod.NEVER,
    value: options.Value = None,
    subscription: Annotated[
        str | None, typer.Option(help="Only of this subscription, by Stripe's id. Default: of the whole workspace.")
    ] = None,
    expires_at: options.ExpiresAt = None,
    reason: options.Reason = None,
    idempotency_key: options.IdempotencyKey = None,
    as_json: options.Json = False,
) -> None:
    """Replace the plans' word on a feature and print the override's id, which `remove` takes."""
    override = Client.from_environment().change(
        "setOverride",
        _PAYLOAD,
        idempotency_key,
        workspaceId=workspace,
        featureKey=feature,
        revoked=revoked,
        limit=limit,
        limitBehavior=limit_behavior,
        resetPeriod=reset_period,
        value=options.config_value(value),
        subscriptionId=subscription,
        expiresAt=expires_at,
        reason=reason,
    )["override"]
    output.answer(override, override["id"], as_json=as_json)


@app.command("remove")
def remove(
    override: Annotated[str, typer.Argument(metavar="OVERRIDE", help="The override's id, as `set` printed it.")],
    yes: options.Yes = False,
    idempotency_key: options.IdempotencyKey = None,
    as_json: options.Json = False,
) -> None:
    """Let the plans speak again."""
    output.confirm(f"Remove the override {override}?", yes=yes)
    removed = Client.from_environment().change("removeOverride", _PAYLOAD, idempotency_key, overrideId=override)[
        "override"
    ]
    output.answer(removed, f"{override} removed at {removed['removedAt']}", as_json=as_json)
