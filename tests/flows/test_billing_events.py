"""What happens at Stripe as the service tells it: each once, however it was delivered."""

from collections import Counter

import httpx
import pytest
from support.service import Api, Service, api, eventually_equal, live, make_workspace
from support.stripe_account import Account, deliver

LIST = """query($w: ID!, $after: String) { billingEvents(workspaceId: $w, first: 100, after: $after) {
    nodes { type objectId workspaceId } pageInfo { hasNextPage endCursor } } }"""
LIVE = """subscription($w: ID) { billingEventOccurred(workspaceId: $w) { id type } }"""


async def told(client: Api, workspace: str) -> Counter[str]:
    page = (await client.query(LIST, w=workspace))["billingEvents"]
    assert not page["pageInfo"]["hasNextPage"]
    return Counter(node["type"] for node in page["nodes"])


async def waiting(client: Api) -> int:
    return (await client.query("{ syncStatus { stripe { pending } } }"))["syncStatus"]["stripe"]["pending"]


PAID = {
    "CUSTOMER_CREATED",
    "CUSTOMER_LINKED",
    "SUBSCRIPTION_CREATED",
    "SUBSCRIPTION_ACTIVATED",
    "INVOICE_CREATED",
    "INVOICE_FINALIZED",
    "INVOICE_PAID",
    "PAYMENT_SUCCEEDED",
}
FAILED = PAID - {"SUBSCRIPTION_ACTIVATED", "INVOICE_PAID", "PAYMENT_SUCCEEDED"} | {"PAYMENT_FAILED"}
BLOCKED = FAILED | {"PAYMENT_ACTION_REQUIRED"}


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        pytest.param("pm_card_visa", PAID, id="paid"),
        pytest.param("pm_card_chargeCustomerFail", FAILED, id="declined"),
        pytest.param("pm_card_authenticationRequired", BLOCKED, id="to be confirmed"),
    ],
)
async def test_a_subscription_is_told_once_whatever_order_its_events_come_in(
    with_stripe: Service, account: Account, name: str, card: str, expected: set[str]
) -> None:
    price, known = account.price(), {event["id"] for event in account.events()}
    method = {"payment_method": card, "invoice_settings[default_payment_method]": card}
    async with api(with_stripe) as client:
        await make_workspace(client, name)
        async with live(with_stripe, LIVE, w=name) as pushed:
            customer = account.create("customers", **{"metadata[workspace_id]": name, **method})["id"]
            subscription = account.create("subscriptions", customer=customer, **{"items[0][price]": price})["id"]
            events = [event for event in account.events() if event["id"] not in known]
            for event in (*reversed(events), *events):
                assert await deliver(client.client, with_stripe, event) == httpx.codes.OK
            await eventually_equal(lambda: waiting(client), 0, within_s=60)
            found = await told(client, name)
            live_types = Counter([(await pushed())["billingEventOccurred"]["type"] for _ in range(found.total())])
        assert live_types == found == Counter(expected)

        account.change(subscription, {"cancel_at_period_end": True}, deliver=False)
        for event in account.events()[-1:] * 2:
            await deliver(client.client, with_stripe, event)
        await eventually_equal(lambda: waiting(client), 0, within_s=60)
        assert await told(client, name) - found == Counter(["SUBSCRIPTION_CANCEL_SCHEDULED"])
