"""`entitled grants`: what a workspace is given on top of its plans."""

from enum import StrEnum
from typing import Annotated, Final

import typer

from app.cli import options, output
from app.cli.client import Client

app = typer.Typer(
    help="Grants: what a workspace is given on top of its plans. Needs the scope BILLING_WRITE.", no_args_is_help=True
)

_PAYLOAD: Final = """... on GrantPayload { replayed grant {
  id featureKey source sourceId limitBehavior amount priority resetPeriod value effectiveAt expiresAt revokedAt reason
} }"""


class Source(StrEnum):
    """Why it is given."""

    MANUAL = "MANUAL"
    PROMOTIONAL = "PROMOTIONAL"
    TOP_UP = "TOP_UP"


_Amount = Annotated[str | None, typer.Option(help="Of a METERED or CREDIT feature: how much.")]
_Unlimited = Annotated[bool, typer.Option("--unlimited", help="Of a METERED or CREDIT feature: without any limit.")]
_Source = Annotated[Source, typer.Option(case_sensitive=False, help="Where it comes from; TOP_UP was paid for.")]
_Priority = Annotated[
    int, typer.Option(min=0, max=1000, help="Of an amount: the lowest is used up first. Of equals, what ends first.")
]
_Refill = Annotated[
    options.ResetPeriod,
    typer.Option(case_sensitive=False, help="Of an amount: when it is full again. NEVER: it is used up once."),
]
_EffectiveAt = Annotated[
    str | None, typer.Option(metavar="TIME", help="In force from then on, in RFC 3339. Default: now.")
]


@app.command("add")
def add(
    workspace: options.Workspace,
    feature: options.Feature,
    *,
    amount: _Amount = None,
    unlimited: _Unlimited = False,
    value: options.Value = None,
    source: _Source = Source.MANUAL,
    priority: _Priority = 100,
    reset_period: _Refill = options.ResetPeriod.NEVER,
    effective_at: _EffectiveAt = None,
    expires_at: options.ExpiresAt = None,
    reason: options.Reason = None,
    idempotency_key: options.IdempotencyKey = None,
    as_json: options.Json = False,
) -> None:
    """Give a workspace something on top of its plans and print the grant's id, which `revoke` takes."""
    grant = Client.from_environment().change(
        "grantEntitlement",
        _PAYLOAD,
        idempotency_key,
        workspaceId=workspace,
        featureKey=feature,
        amount=amount,
        unlimited=unlimited,
        value=options.config_value(value),
        source=source,
        priority=priority,
        resetPeriod=reset_period,
        effectiveAt=effective_at,
        expiresAt=expires_at,
        reason=reason,
    )["grant"]
    output.answer(grant, grant["id"], as_json=as_json)


@app.command("revoke")
def revoke(
    grant: Annotated[str, typer.Argument(metavar="GRANT", help="The grant's id, grant_….")],
    reason: Annotated[str | None, typer.Option(help="Why, for people; replaces the grant's reason.")] = None,
    yes: options.Yes = False,
    idempotency_key: options.IdempotencyKey = None,
    as_json: options.Json = False,
) -> None:
    """Take a grant back now."""
    output.confirm(f"Take the grant {grant} back?", yes=yes)
    revoked = Client.from_environment().change("revokeGrant", _PAYLOAD, idempotency_key, grantId=grant, reason=reason)[
        "grant"
    ]
    output.answer(revoked, f"{grant} revoked at {revoked['revokedAt']}", as_json=as_json)
