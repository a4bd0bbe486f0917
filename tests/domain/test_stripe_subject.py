from typing import Any

import pytest

from app.domain.stripe_event import ObjectName
from app.domain.stripe_object import customer_of_entitlements, entitlements_id
from app.domain.stripe_subject import subject_of

SUMMARY = "entitlements.active_entitlement_summary"


@pytest.mark.parametrize(
    ("type", "told", "expected"),
    [
        pytest.param("charge.refunded", {"object": "charge", "id": "ch_1"}, ("charge", "ch_1"), id="itself"),
        pytest.param(
            f"{SUMMARY}.updated", {"object": SUMMARY, "customer": "cus_1"}, (SUMMARY, "entitlements:cus_1"), id="no id"
        ),
        pytest.param(
            "invoice_payment.paid",
            {"object": "invoice_payment", "id": "inpay_1", "invoice": "in_1"},
            ("invoice", "in_1"),
            id="payment of an invoice",
        ),
        pytest.param(
            "invoiceitem.created",
            {"object": "invoiceitem", "id": "ii_1", "invoice": {"object": "invoice", "id": "in_1"}},
            ("invoice", "in_1"),
            id="item of an invoice, which is expanded",
        ),
        pytest.param("invoiceitem.created", {"object": "invoiceitem", "id": "ii_1", "invoice": None}, None, id="item"),
        pytest.param(
            "customer.discount.created",
            {"object": "discount", "id": "di_1", "customer": "cus_1", "subscription": "sub_1"},
            ("subscription", "sub_1"),
            id="discount of a subscription",
        ),
        pytest.param(
            "customer.discount.created",
            {"object": "discount", "id": "di_1", "customer": "cus_1", "subscription": None},
            ("customer", "cus_1"),
            id="discount of a customer",
        ),
        pytest.param(
            "invoice.upcoming",
            {"object": "invoice", "parent": {"subscription_details": {"subscription": "sub_1"}}},
            ("subscription", "sub_1"),
            id="what is to be owed",
        ),
        pytest.param(
            "invoice.upcoming",
            {"object": "invoice", "id": "upcoming_in_1", "subscription": "sub_1"},
            ("subscription", "sub_1"),
            id="what is to be owed, before basil",
        ),
        pytest.param("invoice.upcoming", {"object": "invoice"}, None, id="what is to be owed, of nothing"),
        pytest.param("invoice.created", {"object": "invoice"}, None, id="an id is missing"),
        pytest.param("invoice.created", {"object": "invoice", "id": 7}, None, id="an id is no word"),
        pytest.param("setup_intent.created", {"object": "setup_intent", "id": "seti_1"}, None, id="not used"),
        pytest.param("payment_method.attached", {"object": "payment_method", "customer": "cus_1"}, None, id="card"),
        pytest.param("x", {"object": ["list"], "id": "x_1"}, None, id="hostile"),
        pytest.param("x", {}, None, id="nothing"),
    ],
)
def test_an_event_is_about_the_object_in_it_or_the_one_that_this_tells_of(
    type: str, told: dict[str, Any], expected: tuple[str, str] | None
) -> None:
    assert subject_of(type, told) == (ObjectName(*expected) if expected else None)


def test_the_id_of_entitlements_leads_back_to_the_customer() -> None:
    assert customer_of_entitlements(entitlements_id("cus_1")) == "cus_1"
