"""/v1/billing_portal/sessions."""

from typing import Any

import pytest
from sandbox.portal import CANCEL, configuration, open_portal
from sandbox.stripe_account import Account


async def test_the_sdk_opens_a_portal(account: Account) -> None:
    customer = (await account.post("/v1/customers"))["id"]

    made = await account.sdk.v1.billing_portal.sessions.create_async(
        {"customer": customer, "return_url": "https://shop.test/account", "expand": ["configuration"]}
    )

    assert made.url == f"http://sandbox/p/session/{made.id}"
    assert (made.customer, made.return_url, made.flow) == (customer, "https://shop.test/account", None)
    assert not isinstance(made.configuration, str)
    assert made.configuration.is_default
    assert (await account.event_types())[-1] == "billing_portal.session.created"


async def test_the_configuration_s_address_is_the_way_back(account: Account) -> None:
    customer = (await account.post("/v1/customers"))["id"]
    named = await configuration(account, {"default_return_url": "https://shop.test/", f"{CANCEL}[enabled]": "true"})

    made = await account.post("/v1/billing_portal/sessions", {"customer": customer, "configuration": named})

    assert (made["configuration"], made["return_url"]) == (named, "https://shop.test/")


@pytest.mark.parametrize(
    ("form", "code", "param"),
    [
        pytest.param({"customer": ""}, "parameter_missing", "customer", id="no customer"),
        pytest.param({"customer": "cus_none"}, "resource_missing", "customer", id="unknown customer"),
        pytest.param({"configuration": "bpc_none"}, "resource_missing", "configuration", id="unknown configuration"),
        pytest.param({"return_url": "shop"}, "url_invalid", "return_url", id="no address"),
        pytest.param(
            {"flow_data[after_completion][type]": "portal_homepage"},
            "parameter_missing",
            "flow_data[type]",
            id="no flow",
        ),
        pytest.param({"flow_data[type]": "subscription_update"}, None, "flow_data[type]", id="feature is off"),
        pytest.param(
            {"flow_data[type]": "subscription_cancel"},
            "parameter_missing",
            "flow_data[subscription_cancel][subscription]",
            id="no subscription",
        ),
        pytest.param(
            {"flow_data[type]": "subscription_cancel", "flow_data[subscription_cancel][subscription]": "sub_none"},
            "resource_missing",
            "flow_data[subscription_cancel][subscription]",
            id="unknown subscription",
        ),
        pytest.param(
            {"flow_data[type]": "payment_method_update", "flow_data[after_completion][type]": "redirect"},
            "parameter_missing",
            "flow_data[after_completion][redirect][return_url]",
            id="no way on",
        ),
    ],
)
async def test_a_wrong_session_is_refused(account: Account, form: dict[str, Any], code: str | None, param: str) -> None:
    customer = (await account.post("/v1/customers"))["id"]

    body = await account.post("/v1/billing_portal/sessions", {"customer": customer, **form}, status=400)

    assert (body["error"].get("code"), body["error"]["param"]) == (code, param)


async def test_a_flow_is_about_the_customer_s_own_living_subscription(account: Account) -> None:
    portal, other = await open_portal(account), await account.subscription()
    ended = await account.subscription({"customer": portal.session["customer"]})
    await account.delete(f"/v1/subscriptions/{ended['id']}")

    for subscription in (other, ended):
        form = {
            "customer": portal.session["customer"],
            "flow_data[type]": "subscription_cancel",
            "flow_data[subscription_cancel][subscription]": subscription["id"],
        }
        await account.post("/v1/billing_portal/sessions", form, status=400)


async def test_an_inactive_configuration_opens_nothing(account: Account) -> None:
    customer = (await account.post("/v1/customers"))["id"]
    named = await configuration(account, {f"{CANCEL}[enabled]": "true"})
    await account.post(f"/v1/billing_portal/configurations/{named}", {"active": "false"})

    await account.post("/v1/billing_portal/sessions", {"customer": customer, "configuration": named}, status=400)
