"""Entitlement features, and which product has which."""

from typing import Any

import pytest
from sandbox.stripe_account import Account

FEATURES = "/v1/entitlements/features"


async def new_feature(account: Account, lookup_key: str = "sso", **form: Any) -> Any:
    return await account.post(FEATURES, {"lookup_key": lookup_key, "name": lookup_key.upper(), **form})


async def test_a_feature_keeps_what_it_was_given(account: Account) -> None:
    feature = await new_feature(account, **{"metadata[team]": "core"})

    assert feature["id"].startswith("feat_test_")
    assert (feature["object"], feature["active"]) == ("entitlements.feature", True)
    assert (feature["lookup_key"], feature["name"], feature["metadata"]) == ("sso", "SSO", {"team": "core"})
    assert await account.get(f"{FEATURES}/{feature['id']}") == feature


async def test_features_make_no_events(account: Account) -> None:
    feature = await new_feature(account)
    await account.post(f"{FEATURES}/{feature['id']}", {"name": "Single sign-on"})

    assert await account.event_types() == []


async def test_features_are_listed_in_pages_newest_first(account: Account) -> None:
    for number in range(5):
        await new_feature(account, f"f{number}")

    first = await account.get(FEATURES, {"limit": 3})
    rest = await account.get(FEATURES, {"limit": 3, "starting_after": first["data"][-1]["id"]})

    assert [[feature["lookup_key"] for feature in page["data"]] for page in (first, rest)] == [
        ["f4", "f3", "f2"],
        ["f1", "f0"],
    ]
    assert (first["has_more"], rest["has_more"]) == (True, False)


async def test_an_archived_feature_is_listed_only_where_it_is_asked_for(account: Account) -> None:
    old = await new_feature(account, "old")
    await new_feature(account, "new")

    await account.post(f"{FEATURES}/{old['id']}", {"active": "false"})

    assert [feature["lookup_key"] for feature in (await account.get(FEATURES))["data"]] == ["new"]
    archived = await account.get(FEATURES, {"archived": "true"})
    assert [feature["lookup_key"] for feature in archived["data"]] == ["old"]


async def test_a_feature_is_found_by_its_lookup_key(account: Account) -> None:
    await new_feature(account, "a")
    await new_feature(account, "b")

    assert len((await account.get(FEATURES, {"lookup_key": "a"}))["data"]) == 1


async def test_a_product_lists_the_features_that_were_attached(account: Account) -> None:
    product = await account.post("/v1/products", {"name": "Pro"})
    feature = await new_feature(account)

    attached = await account.post(f"/v1/products/{product['id']}/features", {"entitlement_feature": feature["id"]})

    assert attached["id"].startswith("prodft_")
    assert attached["entitlement_feature"] == feature
    listed = await account.get(f"/v1/products/{product['id']}/features")
    assert (listed["data"], listed["url"]) == ([attached], f"/v1/products/{product['id']}/features")
    other = await account.post("/v1/products", {"name": "Other"})
    assert (await account.get(f"/v1/products/{other['id']}/features"))["data"] == []


@pytest.mark.parametrize(
    ("form", "param"),
    [
        pytest.param({"name": "x"}, "lookup_key", id="no lookup key"),
        pytest.param({"lookup_key": "x"}, "name", id="no name"),
        pytest.param({"lookup_key": "sso", "name": "x"}, "lookup_key", id="taken lookup key"),
        pytest.param({"lookup_key": "x" * 81, "name": "x"}, "lookup_key", id="long lookup key"),
    ],
)
async def test_a_feature_that_cannot_be_is_refused(account: Account, form: dict[str, str], param: str) -> None:
    await new_feature(account)

    assert (await account.post(FEATURES, form, status=400))["error"]["param"] == param


async def test_only_what_exists_is_attached(account: Account) -> None:
    product = await account.post("/v1/products", {"name": "Pro"})
    archived = await new_feature(account)
    await account.post(f"{FEATURES}/{archived['id']}", {"active": "false"})
    path = f"/v1/products/{product['id']}/features"

    await account.post(path, {"entitlement_feature": "feat_none"}, status=400)
    await account.post(path, {"entitlement_feature": archived["id"]}, status=400)
    await account.get("/v1/products/prod_none/features", status=404)
