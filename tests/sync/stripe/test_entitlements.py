"""Stripe's own entitlements as grants."""

import itertools
from collections.abc import Iterable

import msgspec
import pytest
from support.records import DAY, NOW

from app.domain.grant import Grant, GrantSource
from app.domain.stripe_facts import ActiveEntitlementsFacts
from sync.stripe.entitlements import Entitled, changed_grants, grant_id


def entitled(*keys: str, workspace: str = "ws_1", customer: str = "cus_1") -> Entitled:
    return Entitled(workspace, ActiveEntitlementsFacts(customer_id=customer, lookup_keys=keys))


class Store(dict[str, Grant]):
    """Grants as they are stored."""

    def change(self, before: Entitled | None, after: Entitled | None, at: int = NOW) -> int:
        """Store what changes, and return how much that is."""
        changed = list(changed_grants(before, after, self.get, at))
        self.update({grant.id: grant for grant in changed})
        return len(changed)

    def in_force(self, workspace: str = "ws_1") -> set[str]:
        return {g.feature_key for g in self.values() if g.revoked_at is None and g.workspace_id == workspace}


def test_a_feature_is_granted_under_its_lookup_key() -> None:
    store = Store()

    store.change(None, entitled("sso"))

    (grant,) = store.values()
    assert (grant.feature_key, grant.source) == ("sso", GrantSource.STRIPE_ENTITLEMENT)
    assert (grant.workspace_id, grant.effective_at, grant.amount) == ("ws_1", NOW, None)


def test_the_set_is_replaced() -> None:
    store = Store()
    store.change(None, entitled("sso", "audit"))

    store.change(entitled("sso", "audit"), entitled("audit", "export"), NOW + DAY)

    assert store.in_force() == {"audit", "export"}
    assert {g.feature_key: g.revoked_at for g in store.values()}["sso"] == NOW + DAY


def test_the_same_again_changes_nothing() -> None:
    store = Store()
    store.change(None, entitled("sso"))

    assert store.change(entitled("sso"), entitled("sso"), NOW + DAY) == 0
    assert store.change(None, entitled("sso"), NOW + DAY) == 0


def test_what_is_given_again_is_the_same_grant() -> None:
    store = Store()
    for before, after in itertools.pairwise([None, entitled("sso"), entitled(), entitled("sso")]):
        store.change(before, after)

    assert len(store) == 1
    assert store.in_force() == {"sso"}


def test_what_was_deleted_is_given_again() -> None:
    store = Store()
    store.change(None, entitled("sso"))
    store.update({grant.id: msgspec.structs.replace(grant, deleted_at=NOW) for grant in store.values()})

    store.change(entitled("sso"), entitled("sso"))

    assert [grant.deleted_at for grant in store.values()] == [None]


def test_a_customer_that_moves_takes_its_features_along() -> None:
    store = Store()
    store.change(None, entitled("sso"))

    store.change(entitled("sso"), entitled("sso", workspace="ws_2"))

    assert (store.in_force("ws_1"), store.in_force("ws_2")) == (set(), {"sso"})


def test_a_customer_that_is_gone_gives_nothing() -> None:
    store = Store()
    store.change(None, entitled("sso"))

    store.change(entitled("sso"), None)

    assert store.in_force() == set()


def test_another_customer_of_the_workspace_keeps_what_it_gives() -> None:
    store = Store()
    store.change(None, entitled("sso"))
    store.change(None, entitled("sso", customer="cus_2"))

    store.change(entitled("sso"), entitled())

    assert store.in_force() == {"sso"}


@pytest.mark.parametrize("names", [("a", "b"), ("a", "b", "c")])
def test_ids_are_made_of_all_names(names: Iterable[str]) -> None:
    assert grant_id(*names) == grant_id(*names) != grant_id(*names, "d")
