"""Invoices, as callers see them: over the real store."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from support.api import Api
from support.records import DAY, NOW, mirror, workspace
from support.runtime import put, running

from app.domain.stripe_facts import CustomerFacts, InvoiceFacts, InvoiceLine, InvoicePayment
from app.domain.stripe_object import StripeObject

PAGE = """query($w: ID! = "ws_1", $s: [InvoiceStatus!], $n: Int, $a: String) {
    invoices(workspaceId: $w, status: $s, first: $n, after: $a) {
    nodes { id } totalCount pageInfo { hasNextPage hasPreviousPage endCursor } } }"""
MONEY = "{ amountMinor currency exponent }"


def invoice(id: str, customer_id: str = "cus_1", **fields: Any) -> StripeObject:
    gone = bool(fields.pop("gone", False))
    values: dict[str, Any] = {"customer_id": customer_id, "status": "paid", "currency": "eur", **fields}
    return mirror(id, InvoiceFacts(**values), gone=gone)


def customer(id: str, workspace_id: str | None, **fields: Any) -> StripeObject:
    return mirror(id, CustomerFacts(), workspace_id=workspace_id, **fields)


@pytest.fixture
async def api(mongodb_uri: str, database: str) -> AsyncIterator[Api]:
    async with running(mongodb_uri, database) as rt:
        await put(rt, workspace("ws_1", external_id="acme"), workspace("ws_2"), workspace("ws_3"))
        customers = [customer("cus_1", "ws_1"), customer("cus_2", "ws_1"), customer("cus_3", "ws_2")]
        await rt.store.write([*customers, customer("cus_4", None), customer("cus_5", "ws_3", gone=True)], (), None)
        yield Api(rt)


async def told(api: Api, *mirrors: StripeObject) -> None:
    await api.rt.store.write(mirrors, (), None)


async def found(api: Api, **asked: Any) -> list[str]:
    page = (await api.data(PAGE, asked))["invoices"]
    return [node["id"] for node in page["nodes"]]


async def test_a_workspaces_invoices_are_those_of_all_its_customers_the_newest_first(api: Api) -> None:
    await told(
        api,
        invoice("in_1", created_at=NOW - 2 * DAY),
        invoice("in_2", "cus_2", created_at=NOW - DAY),
        invoice("in_3", created_at=NOW),
        invoice("in_4", "cus_3", created_at=NOW),
        invoice("in_5", "cus_4", created_at=NOW),
        invoice("in_6", created_at=NOW, gone=True),
    )

    assert await found(api) == await found(api, w="acme") == ["in_3", "in_2", "in_1"]
    assert await found(api, w="ws_2") == ["in_4"]


@pytest.mark.parametrize("workspace_id", ["ws_3", "nobody", "a" * 300, "a\0"])
async def test_without_a_customer_there_are_none_and_no_error(api: Api, workspace_id: str) -> None:
    await told(api, invoice("in_1", "cus_5"))

    page = (await api.data(PAGE, {"w": workspace_id}))["invoices"]

    assert (page["nodes"], page["totalCount"], page["pageInfo"]["hasNextPage"]) == ([], 0, False)


async def test_some_statuses_only(api: Api) -> None:
    await told(api, *(invoice(f"in_{word}", status=word) for word in ("draft", "open", "paid", "void")))

    assert await found(api, s=["OPEN"]) == ["in_open"]
    assert sorted(await found(api, s=["OPEN", "DRAFT"])) == ["in_draft", "in_open"]
    assert len(await found(api, s=[])) == 4
    assert (await api.data(PAGE, {"s": ["PAID", "VOID"], "n": 1}))["invoices"]["totalCount"] == 2


async def test_pages_follow_each_other_where_many_were_made_at_once(api: Api) -> None:
    made = [invoice(f"in_{n}", f"cus_{1 + n % 2}", created_at=NOW + n // 3 * 1000) for n in range(8)]
    await told(api, *made)
    seen: list[str] = []
    after: str | None = None

    for _ in range(8):
        page = (await api.data(PAGE, {"n": 3, "a": after}))["invoices"]
        seen += [node["id"] for node in page["nodes"]]
        assert page["pageInfo"]["hasPreviousPage"] is (after is not None)
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break

    assert seen == ["in_7", "in_6", "in_5", "in_4", "in_3", "in_2", "in_1", "in_0"]


async def test_a_cursor_serves_its_own_listing_only(api: Api) -> None:
    await told(api, invoice("in_1"), invoice("in_2"))
    cursor = (await api.data(PAGE, {"n": 1}))["invoices"]["pageInfo"]["endCursor"]

    assert await api.code(PAGE, {"a": cursor, "w": "ws_2"}) == "BAD_USER_INPUT"
    assert await api.code(PAGE, {"a": cursor, "s": ["PAID"]}) == "BAD_USER_INPUT"
    assert await api.code(PAGE, {"n": 101}) == "BAD_USER_INPUT"


async def test_an_invoice_tells_all_of_itself(api: Api) -> None:
    line = InvoiceLine(
        id="il_1",
        description="Unused time on Pro",
        amount=-1_234,
        discount=-12,
        quantity=Decimal(3),
        price_id="price_1",
        proration=True,
        period_start_at=NOW,
        period_end_at=NOW + DAY,
    )
    payments = (InvoicePayment(payment_intent_id="pi_1", status="paid", amount_paid=900), InvoicePayment(status="open"))
    whole = invoice(
        "in_1",
        status="open",
        number="A-1",
        billing_reason="subscription_cycle",
        subscription_id="sub_1",
        subtotal=1_000,
        discount=100,
        tax=90,
        total=990,
        amount_due=980,
        amount_paid=900,
        amount_remaining=80,
        attempt_count=2,
        next_attempt_at=NOW + DAY,
        first_failed_at=NOW - DAY,
        created_at=NOW,
        finalized_at=NOW,
        due_at=NOW + DAY,
        hosted_url="https://invoice.test/1",
        lines=(line,),
        payments=payments,
    )
    await told(api, whole)

    named = {"subtotal": 1_000, "discount": 100, "tax": 90, "total": 990}
    named |= {"amountDue": 980, "amountPaid": 900, "amountRemaining": 80}
    amounts = " ".join(f"{name} {MONEY}" for name in named)
    facts = (
        await api.data(
            f"""{{ invoice(id: "in_1") {{ number status billingReason customerId subscriptionId {amounts} attemptCount
            nextAttemptAt firstFailedAt createdAt finalizedAt dueAt paidAt voidedAt hostedUrl
            lines {{ id description amount {MONEY} discount {MONEY} quantity proration periodStartAt periodEndAt priceId
              productId }}
            payments {{ paymentId chargeId status amountPaid {MONEY} }} }} }}"""
        )
    )["invoice"]

    assert {name: facts.pop(name) for name in named} == {name: euros(amount) for name, amount in named.items()}
    assert facts.pop("lines") == [
        {
            "id": "il_1",
            "description": "Unused time on Pro",
            "amount": euros(-1_234),
            "discount": euros(-12),
            "quantity": "3",
            "proration": True,
            "periodStartAt": "2026-09-21T14:13:20.000Z",
            "periodEndAt": "2026-09-22T14:13:20.000Z",
            "priceId": "price_1",
            "productId": None,
        }
    ]
    assert facts.pop("payments") == [
        {"paymentId": "pi_1", "chargeId": None, "status": "paid", "amountPaid": euros(900)},
        {"paymentId": None, "chargeId": None, "status": "open", "amountPaid": None},
    ]
    assert facts == {
        "number": "A-1",
        "status": "OPEN",
        "billingReason": "subscription_cycle",
        "customerId": "cus_1",
        "subscriptionId": "sub_1",
        "attemptCount": 2,
        "nextAttemptAt": "2026-09-22T14:13:20.000Z",
        "firstFailedAt": "2026-09-20T14:13:20.000Z",
        "createdAt": "2026-09-21T14:13:20.000Z",
        "finalizedAt": "2026-09-21T14:13:20.000Z",
        "dueAt": "2026-09-22T14:13:20.000Z",
        "paidAt": None,
        "voidedAt": None,
        "hostedUrl": "https://invoice.test/1",
    }


def euros(amount: int) -> dict[str, Any]:
    return {"amountMinor": str(amount), "currency": "EUR", "exponent": 2}


@pytest.mark.parametrize(("currency", "exponent"), [("jpy", 0), ("kwd", 3)])
async def test_amounts_are_text_with_the_currencys_decimals(api: Api, currency: str, exponent: int) -> None:
    await told(api, invoice("in_1", currency=currency, total=5_000_000_000))

    total = (await api.data(f'{{ invoice(id: "in_1") {{ total {MONEY} }} }}'))["invoice"]["total"]

    assert total == {"amountMinor": "5000000000", "currency": currency.upper(), "exponent": exponent}


async def test_one_is_found_by_its_id_and_as_a_node(api: Api) -> None:
    await told(api, invoice("in_1"), invoice("in_2", gone=True), invoice("in_3", status="of_tomorrow"))

    answer = await api.data(
        '{ a: invoice(id: "in_1") { id } b: invoice(id: "in_2") { id } c: invoice(id: "cus_1") { id } '
        'd: invoice(id: "in_9") { id } e: invoice(id: "in_3") { status } '
        'f: node(id: "in_1") { __typename id } g: node(id: "in_9") { id } }'
    )

    assert answer == {
        "a": {"id": "in_1"},
        "b": None,
        "c": None,
        "d": None,
        "e": {"status": None},
        "f": {"__typename": "Invoice", "id": "in_1"},
        "g": None,
    }
