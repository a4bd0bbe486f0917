"""What is left to do until a Stripe account that existed before is adopted."""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from app.domain.stripe_email import EmailAmbiguity
from app.domain.stripe_object import StripeObject


class AdoptionIssueKind(StrEnum):
    """UNLINKED waits for a workspace, UNMAPPED for a plan; the others do not tell who pays for what."""

    UNLINKED_CUSTOMER = "UNLINKED_CUSTOMER"
    UNLINKED_SUBSCRIPTION = "UNLINKED_SUBSCRIPTION"
    UNMAPPED_PRICE = "UNMAPPED_PRICE"
    SEVERAL_CUSTOMERS = "SEVERAL_CUSTOMERS"
    AMBIGUOUS_EMAIL = "AMBIGUOUS_EMAIL"


class AdoptionIssue(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to do: `key` is what it is about, `message` what to do. What is not concerned is empty."""

    kind: AdoptionIssueKind
    key: str
    message: str
    customer_ids: tuple[str, ...] = ()
    workspace_ids: tuple[str, ...] = ()
    subscription_ids: tuple[str, ...] = ()


class MirrorCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What is mirrored of an account: how many customers exist, how many of what exists no workspace is known for."""

    customers: int
    unlinked_customers: int
    unlinked_subscriptions: int
    shared_workspaces: int
    """Workspaces that several customers are linked to."""


class SharedWorkspace(msgspec.Struct, frozen=True):
    """A workspace that several customers are linked to."""

    workspace_id: str
    customer_ids: tuple[str, ...]


def unlinked_customer(customer: StripeObject, subscriptions: Sequence[str]) -> AdoptionIssue:
    """Say what to do about a customer that no workspace is known for."""
    command = f"`entitled stripe link {customer.id} WORKSPACE`"
    if customer.parked_under:
        advice = f"{_unknown(customer.parked_under[0])}, or link another one by {command}"
    else:
        advice = f"link it by {command}, by --file or --by-email, or by workspace_id in its metadata at Stripe"
    return AdoptionIssue(
        kind=AdoptionIssueKind.UNLINKED_CUSTOMER,
        key=customer.id,
        message=advice,
        customer_ids=(customer.id,),
        subscription_ids=tuple(subscriptions),
    )


def unlinked_subscription(sub: StripeObject, customers: frozenset[str]) -> AdoptionIssue:
    """Say what to do about a subscription that no workspace is known for; `customers` are those that are known."""
    parent = sub.parked_under[0] if sub.parked_under else ""
    if parent and parent not in customers:
        advice = f"{_unknown(parent)}, or link the customer; one that is not known yet comes by a backfill"
    else:
        advice = "link its customer"
    return AdoptionIssue(
        kind=AdoptionIssueKind.UNLINKED_SUBSCRIPTION,
        key=sub.id,
        message=advice,
        customer_ids=(parent,) if parent in customers else (),
        subscription_ids=(sub.id,),
    )


def unmapped_price(price_id: str) -> AdoptionIssue:
    """Say what to do about a price that subscriptions hold and no plan names."""
    advice = "name it in a plan or an add-on; `entitled catalog import --from-stripe` writes a first file"
    return AdoptionIssue(kind=AdoptionIssueKind.UNMAPPED_PRICE, key=price_id, message=advice)


def shared_workspace(shared: SharedWorkspace) -> AdoptionIssue:
    """Say what to do about a workspace with several customers."""
    advice = "what all of them pay counts; link the one that is its own, and the others elsewhere where that is wrong"
    return AdoptionIssue(
        kind=AdoptionIssueKind.SEVERAL_CUSTOMERS,
        key=shared.workspace_id,
        message=advice,
        customer_ids=shared.customer_ids,
        workspace_ids=(shared.workspace_id,),
    )


def ambiguous_email(found: EmailAmbiguity) -> AdoptionIssue:
    """Say what to do about an address that does not tell who pays for what."""
    return AdoptionIssue(
        kind=AdoptionIssueKind.AMBIGUOUS_EMAIL,
        key=found.email,
        message=found.message,
        customer_ids=found.customer_ids,
        workspace_ids=found.workspace_ids,
    )


def _unknown(ref: str) -> str:
    return f"its metadata names the workspace {ref!r}: create it under this external id"
