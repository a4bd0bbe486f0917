"""Stripe's own entitlements as grants: a customer's features of the same lookup key, while Stripe gives them. Pure."""

from collections.abc import Callable, Iterator
from hashlib import sha256

import msgspec

from app.domain import ids
from app.domain.grant import Grant, GrantSource
from app.domain.stripe_facts import ActiveEntitlementsFacts

_ID_LENGTH = 32


class Entitled(msgspec.Struct, frozen=True):
    """What Stripe entitles a workspace to, as told of one of its customers."""

    workspace_id: str
    facts: ActiveEntitlementsFacts

    def grant_ids(self) -> dict[str, str]:
        """Return the ids of the grants by lookup key: always the same, so that each is there once."""
        customer_id = self.facts.customer_id
        return {key: grant_id(self.workspace_id, customer_id, key) for key in self.facts.lookup_keys}


def grant_id(*names: str) -> str:
    """Return the id of what Stripe gives, made of the names that make it one of its kind."""
    return f"{ids.GRANT}_{sha256('|'.join(names).encode()).hexdigest()[:_ID_LENGTH]}"


def changed_grants(
    before: Entitled | None, after: Entitled | None, find: Callable[[str], Grant | None], at: int
) -> Iterator[Grant]:
    """Yield the grants that begin or end at `at`; `find` returns a grant as it is stored."""
    wanted = after.grant_ids() if after else {}
    for key, id in wanted.items():  # noqa: A001 - the word
        grant = find(id)
        if after and (grant is None or grant.revoked_at is not None or grant.deleted_at is not None):
            blank = grant or Grant(
                id=id,
                workspace_id=after.workspace_id,
                feature_key=key,
                source=GrantSource.STRIPE_ENTITLEMENT,
                effective_at=at,
                reason=f"Stripe entitles {after.facts.customer_id}",
            )
            yield msgspec.structs.replace(blank, effective_at=at, revoked_at=None, deleted_at=None)
    for id in (before.grant_ids() if before else {}).values():  # noqa: A001 - the word
        grant = find(id)
        if id not in wanted.values() and grant is not None and grant.revoked_at is None:
            yield msgspec.structs.replace(grant, revoked_at=at)
