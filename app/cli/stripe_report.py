"""`entitled stripe report`: what is left to do until a Stripe account is adopted."""

from typing import Annotated, Any, Final

import typer

from app.cli import options, output
from app.cli.client import Client

_COUNTS: Final = """{ stripeAdoption { customers linkedCustomers unlinkedCustomers unlinkedSubscriptions unmappedPrices
  workspacesWithSeveralCustomers ambiguousEmails } }"""
_ISSUES: Final = """query($kind: StripeAdoptionIssueKind!, $first: Int, $after: String) {
  stripeAdoptionIssues(kind: $kind, first: $first, after: $after) {
    nodes { kind key message customerIds workspaceIds subscriptionIds } pageInfo { hasNextPage endCursor } } }"""
_SECTIONS: Final[dict[str, tuple[str, dict[str, output.Column]]]] = {
    "UNLINKED_CUSTOMER": ("Unlinked customers", {"CUSTOMER": "key", "SUBSCRIPTIONS": "subscriptionIds"}),
    "UNLINKED_SUBSCRIPTION": ("Unlinked subscriptions", {"SUBSCRIPTION": "key", "CUSTOMER": "customerIds"}),
    "UNMAPPED_PRICE": ("Unmapped prices", {"PRICE": "key"}),
    "SEVERAL_CUSTOMERS": ("Workspaces with several customers", {"WORKSPACE": "key", "CUSTOMERS": "customerIds"}),
    "AMBIGUOUS_EMAIL": (
        "Ambiguous e-mail addresses",
        {"E-MAIL": "key", "CUSTOMERS": "customerIds", "WORKSPACES": "workspaceIds"},
    ),
}
_SHOWN: Final = 20


def report(
    limit: Annotated[int, typer.Option(min=1, help="How many of each kind at most.")] = _SHOWN,
    as_json: options.Json = False,
) -> None:
    """Tell what is unlinked, unmapped or ambiguous, with counts first and what to do about each. Needs OPERATOR."""
    client = Client.from_environment()
    counts = client.query(_COUNTS)["stripeAdoption"]
    issues: dict[str, list[dict[str, Any]]] = {
        kind: client.collect(_ISSUES, "stripeAdoptionIssues", {"kind": kind}, limit=limit) for kind in _SECTIONS
    }
    if as_json:
        output.result_json({"counts": counts, "issues": [issue for found in issues.values() for issue in found]})
        return
    output.fields(counts)
    for kind, (title, columns) in _SECTIONS.items():
        if issues[kind]:
            output.section(title, issues[kind], {**columns, "WHAT TO DO": "message"})
