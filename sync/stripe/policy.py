"""The policy for customers that no workspace is known for: what a workspace made for one holds. Pure."""

from app.domain.stripe_facts import CustomerFacts
from app.domain.workspace import Workspace
from app.domain.workspace_rules import email_faults, external_id_faults, name_faults


def workspace_for(external_id: str, facts: CustomerFacts, *, id: str) -> Workspace | None:
    """Build the workspace for a customer; None under what can be no external id.

    Name and e-mail are the customer's, where they may be a workspace's.
    """
    if any(external_id_faults(external_id)):
        return None
    name, email = facts.name or None, facts.email or None
    return Workspace(
        id=id,
        external_id=external_id,
        name=None if any(name_faults(name)) else name,
        email=None if any(email_faults(email)) else email,
    )
