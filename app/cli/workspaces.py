"""`entitled workspaces`: who pays and who is limited."""

from typing import Annotated, Any, Final

import typer

from app.cli import entitlement, options, output
from app.cli.client import Client

app = typer.Typer(help="Workspaces: who pays and who is limited.", no_args_is_help=True)

_WORKSPACE: Final = "id externalId name email stripeCustomerId createdAt archivedAt version"
_DETAILS: Final = """
  id externalId name email stripeCustomerId metadata
  billing { legalName address { line1 line2 city state postalCode country } taxIds { type value } }
  trial { plan { key version } startedAt endsAt } createdAt updatedAt archivedAt version
  entitlements { accessDeniedReason entitlements { %s } }
"""
_LIST: Final = f"""
query($first: Int!, $after: String) {{
  workspaces(first: $first, after: $after) {{ nodes {{ {_WORKSPACE} }} pageInfo {{ hasNextPage endCursor }} }}
}}
"""
_SHOW: Final = f"""
query($ref: ID!, $externalId: String!) {{
  byId: workspace(id: $ref) {{ ...details }}
  byExternalId: workspace(externalId: $externalId) {{ ...details }}
}}
fragment details on Workspace {{ {_DETAILS % entitlement.SELECTION} }}
"""
_SUBSCRIPTIONS: Final = """
query($id: ID!, $first: Int!, $after: String) {
  subscriptions(workspaceId: $id, first: $first, after: $after) {
    nodes {
      id status startedAt currentPeriodStartAt currentPeriodEndAt trialEndsAt cancelAtPeriodEnd cancelAt endedAt
      graceEndsAt stripeCustomerId provisional version
      plans { key version } addOns { quantity addOn { key version } } items { priceId lookupKey quantity }
    }
    pageInfo { hasNextPage endCursor }
  }
}
"""
_COLUMNS: Final[dict[str, output.Column]] = {
    "WORKSPACE": "id",
    "EXTERNAL ID": "externalId",
    "NAME": "name",
    "STRIPE CUSTOMER": "stripeCustomerId",
    "CREATED": "createdAt",
    "ARCHIVED": "archivedAt",
}
_SUBSCRIPTION_COLUMNS: Final[dict[str, output.Column]] = {
    "SUBSCRIPTION": "id",
    "STATUS": "status",
    "PLANS": lambda sub: [f"{plan['key']} v{plan['version']}" for plan in sub["plans"]],
    "ADD-ONS": lambda sub: [
        f"{bought['quantity']} {bought['addOn']['key']} v{bought['addOn']['version']}" for bought in sub["addOns"]
    ],
    "RENEWS": "currentPeriodEndAt",
    "CANCELS AT END": "cancelAtPeriodEnd",
    "GRACE ENDS": "graceEndsAt",
    "ENDED": "endedAt",
}


_BY_HAND: Final = ("MANUAL", "PROMOTIONAL", "TOP_UP", "OVERRIDE")
_GRANT_COLUMNS: Final[dict[str, output.Column]] = {
    "ID": "id",
    "SOURCE": "source",
    "FEATURE": "featureKey",
    "AMOUNT": lambda grant: "unlimited" if grant["limitBehavior"] == "UNLIMITED" else grant["amount"],
    "LEFT": "remaining",
    "VALUE": "value",
    "EXPIRES": "expiresAt",
}


@app.command("list")
def list_workspaces(limit: options.Limit = None, as_json: options.Json = False) -> None:
    """List workspaces in the order of their creation, archived ones too."""
    found = Client.from_environment().collect(_LIST, "workspaces", limit=limit)
    output.records(found, _COLUMNS, as_json=as_json)


@app.command("show")
def show(workspace: options.Workspace, as_json: options.Json = False) -> None:
    """Show a workspace, its subscriptions and all that it may use now."""
    client = Client.from_environment()
    data = client.query(_SHOW, {"ref": workspace, "externalId": workspace})
    found = data["byId"] or data["byExternalId"]
    if not found:
        raise options.no_workspace(workspace)
    found["subscriptions"] = client.collect(_SUBSCRIPTIONS, "subscriptions", {"id": found["id"]})
    if as_json:
        output.result_json(found)
    else:
        _print(found)


def _print(workspace: dict[str, Any]) -> None:
    subscriptions, entitlements = workspace.pop("subscriptions"), workspace.pop("entitlements")
    output.fields(workspace)
    output.section("SUBSCRIPTIONS", subscriptions, _SUBSCRIPTION_COLUMNS)
    output.section("GRANTS AND OVERRIDES", _beside_plans(entitlements["entitlements"]), _GRANT_COLUMNS)
    output.section("ENTITLEMENTS", entitlements["entitlements"], entitlement.COLUMNS)


def _beside_plans(entitlements: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what `grants` and `overrides` gave, each once; features that draw on credits name those' grants too."""
    given = {grant["id"]: grant for each in entitlements for grant in each["grants"]}
    return [grant for grant in given.values() if grant["source"] in _BY_HAND]


@app.command("create")
def create(
    external_id: Annotated[
        str | None, typer.Option(help="Your own id of it: unique, and taken wherever a workspace is named.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="For people.")] = None,
    email: Annotated[str | None, typer.Option(help="Where billing mail goes.")] = None,
    metadata: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="A text of your own; may be given again.")
    ] = None,
    idempotency_key: options.IdempotencyKey = None,
    as_json: options.Json = False,
) -> None:
    """Create a workspace and print its id. Needs the scope BILLING_WRITE."""
    made = Client.from_environment().change(
        "createWorkspace",
        f"... on WorkspacePayload {{ replayed workspace {{ {_WORKSPACE} }} }}",
        idempotency_key,
        externalId=external_id,
        name=name,
        email=email,
        metadata=options.pairs(metadata, "--metadata"),
    )["workspace"]
    output.answer(made, made["id"], as_json=as_json)


@app.command("archive")
def archive(
    workspace: options.Workspace,
    if_version: options.IfVersion = None,
    yes: options.Yes = False,
    idempotency_key: options.IdempotencyKey = None,
    as_json: options.Json = False,
) -> None:
    """End every access of a workspace, for good. Needs the scope BILLING_WRITE."""
    output.confirm(
        f"Archive the workspace {workspace}? It may use nothing from then on, and cannot come back.", yes=yes
    )
    archived = Client.from_environment().change(
        "archiveWorkspace",
        f"... on WorkspacePayload {{ replayed workspace {{ {_WORKSPACE} }} }}",
        idempotency_key,
        workspaceId=workspace,
        ifVersion=if_version,
    )["workspace"]
    output.answer(archived, f"{workspace} archived at {archived['archivedAt']}", as_json=as_json)
