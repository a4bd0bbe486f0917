"""From an Authorization header to a principal."""

import pytest
from support.api import SECRET, Api

from app.domain.api_key import Principal, Scope
from app.http.auth import authenticate


@pytest.mark.parametrize(
    "header", ["Bearer {}", "bearer {}", "BEARER   {} ", " Bearer {}"], ids=["plain", "lower", "spaces", "leading"]
)
def test_a_good_key_is_its_principal(header: str) -> None:
    api = Api()
    api.key(Scope.OPERATOR, expires_at=api.clock.now_at() + 1)

    assert authenticate(api.rt, header.format(f"ent_key_1_{SECRET}")) == Principal(
        "key_1", frozenset({Scope.OPERATOR}), api.clock.now_at() + 1
    )


@pytest.mark.parametrize("header", [None, "", "Bearer", "Basic ent_key_1_" + SECRET, "ent_key_1_" + SECRET, "Bearer x"])
def test_anything_else_is_nobody(header: str | None) -> None:
    api = Api()
    api.key()

    assert authenticate(api.rt, header) is None
