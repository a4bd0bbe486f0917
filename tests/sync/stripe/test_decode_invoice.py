"""Invoices in both API shapes."""

import json
from typing import Any

import msgspec
import pytest
from support.stripe import DAY, T0, Json
from support.stripe_shapes import invoice, invoice_before_basil, invoice_line

from app.domain.stripe_facts import InvoicePayment, StripeFacts
from sync.stripe.decode_facts import decode_facts


def read(told: Json, before: StripeFacts | None = None) -> Any:
    return decode_facts(told["object"], json.dumps(told), before)


@pytest.mark.parametrize("status", ["draft", "open", "paid", "void", "uncollectible"])
def test_an_invoice_reads_the_same_in_both_shapes(status: str) -> None:
    lines = [
        invoice_line(),
        invoice_line(
            "il_2",
            amount=-166,
            discount_amounts=[{"amount": 3, "discount": "di_1"}],
            parent={
                "subscription_item_details": None,
                "invoice_item_details": {"proration": True, "subscription": "sub_1", "subscription_item": None},
            },
        ),
    ]
    told = invoice("in_1", status, lines=lines, total_taxes=[{"amount": 19}, {"amount": 7}])
    if status == "void":
        told["payments"]["data"][0]["status"] = "canceled"

    facts = read(told)

    assert facts == read(invoice_before_basil(told))
    assert (facts.subscription_id, facts.tax, facts.status) == ("sub_1", 26, status)
    assert [(line.price_id, line.product_id, line.proration) for line in facts.lines] == [
        ("price_pro", "prod_pro", False),
        ("price_pro", "prod_pro", True),
    ]
    assert facts.lines[1].discount == 3


def test_an_invoice_tells_its_instants_amounts_and_payments() -> None:
    facts = read(invoice(total_discount_amounts=[{"amount": 40}, {"amount": 2}], due_date=T0 + DAY))

    assert (facts.finalized_at, facts.paid_at, facts.due_at) == (T0 * 1000, T0 * 1000, (T0 + DAY) * 1000)
    assert (facts.total, facts.amount_paid, facts.discount) == (1000, 1000, 42)
    assert facts.payments == (InvoicePayment(payment_intent_id="pi_1", status="paid", amount_paid=1000),)
    assert facts.is_paid


def test_an_invoice_of_no_subscription_names_none() -> None:
    assert read(invoice(parent=None)).subscription_id is None


def test_an_invoice_paid_without_stripe_has_a_payment_that_was_canceled() -> None:
    told = invoice()
    told["payments"]["data"][0] |= {"status": "canceled", "amount_paid": None}

    assert read({**invoice_before_basil(told), "paid_out_of_band": True}) == read(told)


def test_an_invoice_that_a_charge_alone_paid_names_the_charge() -> None:
    told = {**invoice_before_basil(invoice()), "payment_intent": None}

    assert read(told).payments == (InvoicePayment(charge_id="ch_1", status="paid", amount_paid=1000),)


def test_an_invoice_of_the_time_before_it_had_a_status_is_paid_where_it_says_so() -> None:
    told = {key: value for key, value in invoice_before_basil(invoice()).items() if key != "status"}

    assert read(told).is_paid


def test_a_line_of_the_time_of_plans_has_its_price() -> None:
    told = invoice_before_basil(invoice())
    told["lines"]["data"][0] |= {"price": None, "plan": {"id": "gold", "object": "plan", "product": "prod_gold"}}

    line = read(told).lines[0]

    assert (line.price_id, line.product_id) == ("gold", "prod_gold")


def test_what_only_events_tell_of_an_invoice_stays() -> None:
    before = msgspec.structs.replace(read(invoice("in_1", "open")), first_failed_at=5)

    assert read(invoice(), before).first_failed_at == 5
