"""/v1/billing_portal/configurations."""

from typing import Any

import pytest
from sandbox.stripe_account import Account

_UPDATE = "features[subscription_update]"


async def test_the_sdk_creates_reads_changes_and_lists(account: Account) -> None:
    price = await account.price()
    configurations = account.sdk.v1.billing_portal.configurations

    made = await configurations.create_async(
        {
            "name": "Plain",
            "features": {
                "invoice_history": {"enabled": True},
                "subscription_cancel": {"enabled": True, "mode": "immediately"},
                "subscription_update": {
                    "enabled": True,
                    "default_allowed_updates": ["price", "quantity"],
                    "products": [
                        {
                            "product": price["product"],
                            "prices": [price["id"]],
                            "adjustable_quantity": {"enabled": True, "maximum": 9},
                        }
                    ],
                },
            },
        }
    )
    account.clock.at += 5
    changed = await configurations.update_async(
        made.id, {"active": False, "features": {"subscription_cancel": {"proration_behavior": "create_prorations"}}}
    )
    read = await configurations.retrieve_async(made.id)
    active = await configurations.list_async({"active": True})

    features = changed.features
    assert (made.name, made.is_default, made.active) == ("Plain", False, True)
    assert made.features.payment_method_update.enabled is False
    assert made.features.subscription_update.products is not None
    assert made.features.subscription_update.products[0].adjustable_quantity.minimum == 1
    assert (features.subscription_cancel.mode, features.subscription_cancel.enabled) == ("immediately", True)
    assert features.subscription_cancel.proration_behavior == "create_prorations"
    assert (read.active, read.updated) == (False, made.created + 5)
    assert [one.is_default for one in active.data] == [True]
    told = [name for name in await account.event_types() if name.startswith("billing_portal.")]
    assert told == ["billing_portal.configuration.created", "billing_portal.configuration.updated"]


@pytest.mark.parametrize(
    ("form", "code", "param"),
    [
        pytest.param({}, "parameter_missing", "features", id="no features"),
        pytest.param(
            {f"{_UPDATE}[enabled]": "true"}, "parameter_missing", f"{_UPDATE}[default_allowed_updates]", id="no updates"
        ),
        pytest.param(
            {f"{_UPDATE}[enabled]": "true", f"{_UPDATE}[default_allowed_updates][0]": "price"},
            "parameter_missing",
            f"{_UPDATE}[products]",
            id="no products",
        ),
        pytest.param(
            {f"{_UPDATE}[products][0][product]": "prod_none", f"{_UPDATE}[products][0][prices][0]": "x"},
            "resource_missing",
            f"{_UPDATE}[products][0][product]",
            id="unknown product",
        ),
        pytest.param(
            {"features[subscription_pause][enabled]": "true"},
            "parameter_unknown",
            "features[subscription_pause]",
            id="not played",
        ),
    ],
)
async def test_a_wrong_configuration_is_refused(account: Account, form: dict[str, Any], code: str, param: str) -> None:
    body = await account.post("/v1/billing_portal/configurations", form, status=400)

    assert (body["error"].get("code"), body["error"]["param"]) == (code, param)


async def test_prices_are_of_their_product_and_recur(account: Account) -> None:
    first, other = await account.price(), await account.price()
    path = f"{_UPDATE}[products][0]"

    form = {f"{path}[product]": first["product"], f"{path}[prices][0]": other["id"]}
    body = await account.post("/v1/billing_portal/configurations", form, status=400)

    assert body["error"]["param"] == f"{path}[prices]"


async def test_the_default_is_there_and_stays_active(account: Account) -> None:
    default = (await account.get("/v1/billing_portal/configurations", {"is_default": "true"}))["data"][0]

    await account.post(f"/v1/billing_portal/configurations/{default['id']}", {"active": "false"}, status=400)

    assert default["features"]["subscription_cancel"]["enabled"] is True
    assert default["features"]["subscription_update"]["enabled"] is False
