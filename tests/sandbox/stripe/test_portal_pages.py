"""The billing portal's pages, as a person meets them."""

from typing import Any

import pytest
from sandbox.portal import CANCEL, RETURN, UPDATE, Portal, configuration, offering, open_portal, portal_of
from sandbox.stripe_account import Account

_NASTY = "<img src=x onerror=alert(1)>"


async def test_home_shows_subscription_card_details_and_invoices(account: Account) -> None:
    portal = await open_portal(account)

    shown = (await portal.look()).text

    for said in ("Pro", "10.00 USD per month", "active", "Renews on 15 Feb 2027", "Visa ···· 4242", "paid", RETURN):
        assert said in shown
    assert "Pay</button>" not in shown
    assert "Change the subscription" not in shown


async def test_what_is_off_is_not_offered(account: Account) -> None:
    named = await configuration(account, {"features[invoice_history][enabled]": "true"})
    portal = await open_portal(account, {"configuration": named})

    shown = (await portal.look()).text
    refused = [
        await portal.look(*portal.of_subscription("cancel")),
        await portal.look(*portal.of_subscription("update")),
        await portal.look("payment_method"),
    ]

    assert "Invoices" in shown
    for heading in ("Payment method", "Your details", "Cancel"):
        assert heading not in shown
    assert [answer.status_code for answer in refused] == [403] * 3


async def test_a_scheduled_end_is_told_and_can_be_taken_back(account: Account) -> None:
    portal = await open_portal(account)

    asked = (await portal.look(*portal.of_subscription("cancel"))).text
    answer = await portal.send(*portal.of_subscription("cancel"))
    after = await account.http.get(answer.headers["location"])

    assert "You can use it until 15 Feb 2027." in asked
    assert "It is too expensive" in asked
    assert "Your subscription is canceled." in after.text
    assert "Ends on 15 Feb 2027." in after.text
    assert "Don&#x27;t cancel" in after.text


async def test_names_are_shown_as_text(account: Account) -> None:
    portal = await open_portal(account)
    await account.post(f"/v1/customers/{portal.session['customer']}", {"name": _NASTY})

    shown = (await portal.look()).text

    assert "<img" not in shown
    assert "&lt;img src=x onerror=alert(1)&gt;" in shown


async def test_the_news_are_those_that_the_portal_knows(account: Account) -> None:
    portal = await open_portal(account)

    shown = await account.http.get(f"/p/session/{portal.session['id']}", params={"said": _NASTY})

    assert shown.status_code == 200
    assert "onerror" not in shown.text


async def test_a_form_offers_prices_and_quantities(account: Account) -> None:
    subscription = await account.subscription({"customer": await account.customer_with("pm_card_visa")})
    limits = f"{UPDATE}[products][0][adjustable_quantity]"
    form = {f"{UPDATE}[default_allowed_updates][1]": "quantity", f"{limits}[enabled]": "true", f"{limits}[maximum]": 5}
    named, _ = await offering(account, subscription, form)
    portal = await portal_of(account, subscription, {"configuration": named})

    shown = (await portal.look(*portal.of_subscription("update"))).text

    assert "Big, 30.00 USD per month" in shown
    assert 'type="number" name="quantity" value="1" required min="1" max="5"' in shown


async def test_an_open_invoice_has_a_button_to_pay_it(account: Account) -> None:
    customer = await account.customer_with("pm_card_authenticationRequired")
    portal = await portal_of(account, await account.subscription({"customer": customer}))
    invoice = (await portal.subscription())["latest_invoice"]

    shown = (await portal.look()).text
    asked = (await portal.look("invoices", invoice, "authenticate")).text

    assert "Pay</button>" in shown
    assert "allow a payment of 10.00 USD" in asked


async def test_who_watches_the_sandbox_opens_a_portal_with_a_button(account: Account) -> None:
    subscription = await account.subscription()

    home = await account.http.get("/")
    opened = await account.http.post(f"/p/customer/{subscription['customer']}")
    missing = await account.http.post("/p/customer/cus_none")

    assert f'action="/p/customer/{subscription["customer"]}"' in home.text
    assert "Renews on" in (await account.http.get(opened.headers["location"])).text
    assert missing.status_code == 400


async def test_who_has_nothing_sees_that(account: Account) -> None:
    customer = (await account.post("/v1/customers"))["id"]
    session = await account.post("/v1/billing_portal/sessions", {"customer": customer})

    shown = (await account.http.get(f"/p/session/{session['id']}")).text

    assert "There is no subscription." in shown
    assert "There is no invoice." in shown


async def test_a_portal_that_there_is_not_says_so(account: Account) -> None:
    portal = await open_portal(account)
    await account.delete(f"/v1/customers/{portal.session['customer']}")

    assert (await account.http.get("/p/session/bps_none")).status_code == 404
    assert (await portal.look()).status_code == 404


async def _flow(account: Account, kind: str, completion: dict[str, Any]) -> Portal:
    """Open a portal for a flow about a new subscription."""
    subscription = await account.subscription({"customer": await account.customer_with("pm_card_visa")})
    form = {f"{CANCEL}[enabled]": "true", "features[payment_method_update][enabled]": "true"}
    named, price = await offering(account, subscription, form)
    flow = {"flow_data[type]": kind, f"flow_data[{kind}][subscription]": subscription["id"], "configuration": named}
    if kind == "payment_method_update":
        del flow[f"flow_data[{kind}][subscription]"]
    if kind == "subscription_update_confirm":
        flow[f"flow_data[{kind}][items][0][id]"] = subscription["items"]["data"][0]["id"]
        flow[f"flow_data[{kind}][items][0][price]"] = price
    return await portal_of(account, subscription, {**flow, **completion})


@pytest.mark.parametrize(
    ("kind", "action", "sent"),
    [
        pytest.param("payment_method_update", "payment_method", {"means": "visa"}, id="card"),
        pytest.param("subscription_cancel", "cancel", {}, id="cancel"),
        pytest.param("subscription_update", "update", {}, id="update"),
    ],
)
async def test_a_flow_leads_to_its_page_and_on_from_there(
    account: Account, kind: str, action: str, sent: dict[str, str]
) -> None:
    to = "https://shop.test/thanks"
    completion = {
        "flow_data[after_completion][type]": "redirect",
        "flow_data[after_completion][redirect][return_url]": to,
    }
    portal = await _flow(account, kind, completion)

    start = (await portal.look()).headers["location"]
    shown = await account.http.get(start)
    done = await account.http.post(start, data=sent)
    home = await portal.look()

    assert start.endswith(action)
    assert RETURN in shown.text
    assert done.headers["location"] == to
    assert home.status_code == 200


async def test_a_confirmed_change_is_the_one_that_was_named(account: Account) -> None:
    message = "Thank you <b>"
    completion = {
        "flow_data[after_completion][type]": "hosted_confirmation",
        "flow_data[after_completion][hosted_confirmation][custom_message]": message,
    }
    portal = await _flow(account, "subscription_update_confirm", completion)
    named = portal.session["flow"]["subscription_update_confirm"]["items"][0]["price"]

    shown = (await account.http.get((await portal.look()).headers["location"])).text
    done = await portal.send(*portal.of_subscription("update"), price=named)

    assert "What it becomes" in shown
    assert "30.00 USD per month" in shown
    assert "Thank you &lt;b&gt;" in done.text
    assert (await portal.subscription())["items"]["data"][0]["price"]["id"] == named
