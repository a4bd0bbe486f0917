"""Payments, as callers see them: over the real store."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from support.api import Api
from support.records import DAY, NOW, mirror, workspace
from support.runtime import put, running

from app.domain.stripe_facts import (
    ChargeFacts,
    CustomerFacts,
    DisputeFacts,
    InvoiceFacts,
    InvoicePayment,
    PaymentIntentFacts,
    StripeFacts,
)
from app.domain.stripe_object import StripeObject

MONEY = "{ amountMinor currency exponent }"
PAGE = """query($w: ID! = "ws_1", $n: Int, $a: String) { payments(workspaceId: $w, first: $n, after: $a) {
    nodes { id } totalCount pageInfo { hasNextPage endCursor } } }"""
WHOLE = f"""{{ payments(workspaceId: "acme") {{ nodes {{ id status amount {MONEY} amountReceived {MONEY}
    amountRefunded {MONEY} amountDisputed {MONEY} failureCode declineCode failureMessage customerId invoiceId createdAt
    charge {{ id status amountCaptured {MONEY} refunded disputed failureCode }}
    disputes {{ id status amount {MONEY} reason evidenceDueAt }} }} }} }}"""


def intent(id: str, customer_id: str = "cus_1", **fields: Any) -> StripeObject:
    values: dict[str, Any] = {"status": "succeeded", "amount": 1_000, "currency": "eur", "created_at": NOW, **fields}
    return mirror(id, PaymentIntentFacts(customer_id=customer_id, **values))


def yen(amount: int) -> dict[str, Any]:
    return {"amountMinor": str(amount), "currency": "JPY", "exponent": 0}


@pytest.fixture
async def api(mongodb_uri: str, database: str) -> AsyncIterator[Api]:
    async with running(mongodb_uri, database) as rt:
        await put(rt, workspace("ws_1", external_id="acme"), workspace("ws_2"))
        customers = [mirror(f"cus_{n}", CustomerFacts(), workspace_id="ws_1") for n in (1, 2)]
        await rt.store.write([*customers, mirror("cus_3", CustomerFacts())], (), None)
        yield Api(rt)


async def told(api: Api, *mirrors: StripeObject) -> None:
    await api.rt.store.write(mirrors, (), None)


async def test_a_workspaces_payments_come_in_pages_the_newest_first(api: Api) -> None:
    await told(
        api,
        intent("pi_1", created_at=NOW - DAY),
        intent("pi_2", "cus_2"),
        intent("pi_3", "cus_3"),
        intent("pi_4", status="requires_payment_method"),
    )

    first = (await api.data(PAGE, {"n": 2}))["payments"]
    rest = (await api.data(PAGE, {"n": 2, "a": first["pageInfo"]["endCursor"]}))["payments"]

    assert [node["id"] for node in (*first["nodes"], *rest["nodes"])] == ["pi_4", "pi_2", "pi_1"]
    assert (first["totalCount"], first["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasNextPage"]) == (3, True, False)


@pytest.mark.parametrize("workspace_id", ["ws_2", "nobody"])
async def test_without_a_customer_there_are_none_and_no_error(api: Api, workspace_id: str) -> None:
    await told(api, intent("pi_1"))

    page = (await api.data(PAGE, {"w": workspace_id}))["payments"]

    assert (page["nodes"], page["totalCount"]) == ([], 0)


async def test_a_payment_tells_of_its_charge_refunds_disputes_and_invoice(api: Api) -> None:
    around: dict[str, StripeFacts] = {
        "ch_1": ChargeFacts(
            status="succeeded", amount=1_000, amount_captured=1_000, amount_refunded=250, currency="jpy", disputed=True
        ),
        "dp_1": DisputeFacts(
            status="needs_response",
            amount=750,
            currency="jpy",
            charge_id="ch_1",
            reason="fraudulent",
            evidence_due_at=NOW + DAY,
        ),
        "dp_2": DisputeFacts(status="lost", amount=1, currency="jpy", charge_id="ch_2"),
        "in_1": InvoiceFacts(currency="jpy", payments=(InvoicePayment(payment_intent_id="pi_1", charge_id="ch_1"),)),
        "in_2": InvoiceFacts(currency="jpy", payments=(InvoicePayment(payment_intent_id="pi_2"),)),
    }
    await told(api, intent("pi_1", currency="jpy", amount_received=1_000, latest_charge_id="ch_1"))
    await told(api, *(mirror(name, facts) for name, facts in around.items()))

    assert (await api.data(WHOLE))["payments"]["nodes"] == [
        {
            "id": "pi_1",
            "status": "SUCCEEDED",
            "amount": yen(1_000),
            "amountReceived": yen(1_000),
            "amountRefunded": yen(250),
            "amountDisputed": yen(750),
            "failureCode": None,
            "declineCode": None,
            "failureMessage": None,
            "customerId": "cus_1",
            "invoiceId": "in_1",
            "createdAt": "2026-09-21T14:13:20.000Z",
            "charge": {
                "id": "ch_1",
                "status": "succeeded",
                "amountCaptured": yen(1_000),
                "refunded": False,
                "disputed": True,
                "failureCode": None,
            },
            "disputes": [
                {
                    "id": "dp_1",
                    "status": "needs_response",
                    "amount": yen(750),
                    "reason": "fraudulent",
                    "evidenceDueAt": "2026-09-22T14:13:20.000Z",
                }
            ],
        }
    ]


async def test_one_that_failed_says_why_and_is_found_as_a_node(api: Api) -> None:
    failure = {"failure_code": "card_declined", "decline_code": "insufficient_funds", "failure_message": "No funds."}
    await told(api, intent("pi_1", status="requires_payment_method", latest_charge_id="ch_1", **failure))

    found = await api.data(
        '{ a: node(id: "pi_1") { ... on Payment { status failureCode declineCode failureMessage charge { id } } } '
        'b: node(id: "pi_9") { id } }'
    )

    assert found["b"] is None
    assert found["a"] == {
        "status": "REQUIRES_PAYMENT_METHOD",
        "failureCode": "card_declined",
        "declineCode": "insufficient_funds",
        "failureMessage": "No funds.",
        "charge": None,
    }
