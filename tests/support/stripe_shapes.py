"""Stripe's money objects as tests need them, in the shape since basil and in the one before."""

from support.stripe import DAY, T0, Json, price


def invoice_line(id: str = "il_1", *, amount: int = 1000, **fields: object) -> Json:
    return {
        "id": id,
        "object": "line_item",
        "amount": amount,
        "currency": "usd",
        "description": "1 x Pro",
        "discount_amounts": [],
        "quantity": 1,
        "quantity_decimal": "1",
        "period": {"start": T0, "end": T0 + 30 * DAY},
        "subscription": "sub_1",
        "taxes": [],
        "pricing": {"type": "price_details", "price_details": {"price": "price_pro", "product": "prod_pro"}},
        "parent": {
            "type": "subscription_item_details",
            "invoice_item_details": None,
            "subscription_item_details": {
                "invoice_item": None,
                "proration": False,
                "subscription": "sub_1",
                "subscription_item": "si_1",
            },
        },
        **fields,
    }


def invoice(id: str = "in_1", status: str = "paid", *, lines: list[Json] | None = None, **fields: object) -> Json:
    """Build one of a subscription, paid by `pi_1` where it is paid."""
    is_paid = status == "paid"
    link = {"payment": {"type": "payment_intent", "payment_intent": "pi_1"}, "status": "paid" if is_paid else "open"}
    return {
        "id": id,
        "object": "invoice",
        "amount_due": 1000,
        "amount_paid": 1000 if is_paid else 0,
        "amount_remaining": 0 if is_paid else 1000,
        "attempt_count": 1,
        "attempted": True,
        "billing_reason": "subscription_create",
        "collection_method": "charge_automatically",
        "created": T0,
        "currency": "usd",
        "customer": "cus_1",
        "hosted_invoice_url": "https://invoice.example/i",
        "lines": {"object": "list", "data": lines or [invoice_line()], "has_more": False},
        "next_payment_attempt": None if is_paid else T0 + 3 * DAY,
        "number": "X-0001",
        "parent": {"type": "subscription_details", "subscription_details": {"subscription": "sub_1"}},
        "payments": {
            "object": "list",
            "data": [{"id": "inpay_1", "object": "invoice_payment", "amount_paid": 1000 if is_paid else None, **link}],
            "has_more": False,
        },
        "period_start": T0,
        "period_end": T0,
        "status": status,
        "status_transitions": {"finalized_at": T0, "paid_at": T0 if is_paid else None, "voided_at": None},
        "subtotal": 1000,
        "total": 1000,
        "total_discount_amounts": [],
        "total_taxes": [],
        **fields,
    }


def invoice_before_basil(given: Json) -> Json:
    """Rewrite an invoice into the older shape: it names its subscription and its one payment itself."""
    link = given["payments"]["data"][0] if given["payments"]["data"] else None
    gone = ("parent", "payments", "total_taxes")
    return {
        **{key: value for key, value in given.items() if key not in gone},
        "charge": "ch_1" if link else None,
        "lines": {**given["lines"], "data": [line_before_basil(line) for line in given["lines"]["data"]]},
        "paid": given["status"] == "paid",
        "payment_intent": link["payment"]["payment_intent"] if link else None,
        "subscription": given["parent"]["subscription_details"]["subscription"] if given["parent"] else None,
        "tax": sum(tax["amount"] for tax in given["total_taxes"]) or None,
        "total_tax_amounts": [{**tax, "tax_rate": "txr_1"} for tax in given["total_taxes"]],
    }


def line_before_basil(line: Json) -> Json:
    source = line["parent"]["subscription_item_details"] or line["parent"]["invoice_item_details"]
    sold = line["pricing"]["price_details"]
    gone = ("parent", "pricing", "quantity_decimal", "taxes")
    return {
        **{key: value for key, value in line.items() if key not in gone},
        "price": price(sold["price"], product=sold["product"]),
        "plan": None,
        "proration": source["proration"],
        "subscription_item": source.get("subscription_item"),
        "tax_amounts": [],
        "type": "subscription",
    }


def payment_intent(id: str = "pi_1", status: str = "succeeded", **fields: object) -> Json:
    return {
        "id": id,
        "object": "payment_intent",
        "amount": 1000,
        "amount_received": 1000 if status == "succeeded" else 0,
        "created": T0,
        "currency": "usd",
        "customer": "cus_1",
        "last_payment_error": None,
        "latest_charge": "ch_1",
        "status": status,
        **fields,
    }


def charge(id: str = "ch_1", status: str = "succeeded", **fields: object) -> Json:
    return {
        "id": id,
        "object": "charge",
        "amount": 1000,
        "amount_captured": 1000 if status == "succeeded" else 0,
        "amount_refunded": 0,
        "captured": status == "succeeded",
        "created": T0,
        "currency": "usd",
        "customer": "cus_1",
        "disputed": False,
        "failure_code": None,
        "failure_message": None,
        "paid": status == "succeeded",
        "payment_intent": "pi_1",
        "refunded": False,
        "status": status,
        **fields,
    }


def refund(id: str = "re_1", status: str = "succeeded", **fields: object) -> Json:
    return {
        "id": id,
        "object": "refund",
        "amount": 400,
        "charge": "ch_1",
        "created": T0,
        "currency": "usd",
        "payment_intent": "pi_1",
        "reason": None,
        "status": status,
        **fields,
    }


def dispute(id: str = "dp_1", status: str = "needs_response", **fields: object) -> Json:
    return {
        "id": id,
        "object": "dispute",
        "amount": 1000,
        "charge": "ch_1",
        "created": T0,
        "currency": "usd",
        "evidence_details": {"due_by": T0 + 7 * DAY},
        "payment_intent": "pi_1",
        "reason": "fraudulent",
        "status": status,
        **fields,
    }


def checkout_session(id: str = "cs_1", *, workspace: str | None = "ws_1", **fields: object) -> Json:
    return {
        "id": id,
        "object": "checkout.session",
        "amount_total": 1000,
        "client_reference_id": workspace,
        "created": T0,
        "currency": "usd",
        "customer": "cus_1",
        "expires_at": T0 + DAY,
        "invoice": None,
        "line_items": {
            "object": "list",
            "data": [{"id": "li_1", "object": "item", "price": price(), "quantity": 1}],
            "has_more": False,
        },
        "metadata": {},
        "mode": "payment",
        "payment_intent": "pi_1",
        "payment_status": "paid",
        "status": "complete",
        "subscription": None,
        **fields,
    }


def coupon(id: str = "co_1", **fields: object) -> Json:
    return {
        "id": id,
        "object": "coupon",
        "amount_off": None,
        "applies_to": {"products": ["prod_pro"]},
        "created": T0,
        "currency": None,
        "duration": "repeating",
        "duration_in_months": 3,
        "max_redemptions": None,
        "name": "A quarter off",
        "percent_off": 25.5,
        "redeem_by": None,
        "times_redeemed": 2,
        "valid": True,
        **fields,
    }


def promotion_code(id: str = "promo_1", **fields: object) -> Json:
    return {
        "id": id,
        "object": "promotion_code",
        "active": True,
        "code": "HELLO",
        "created": T0,
        "customer": None,
        "expires_at": None,
        "max_redemptions": None,
        "promotion": {"type": "coupon", "coupon": "co_1"},
        "times_redeemed": 0,
        **fields,
    }


def promotion_code_before_clover(code: Json) -> Json:
    shown = {key: value for key, value in code.items() if key != "promotion"}
    return {**shown, "coupon": coupon(code["promotion"]["coupon"])}


def meter(id: str = "mtr_1", **fields: object) -> Json:
    return {
        "id": id,
        "object": "billing.meter",
        "created": T0,
        "default_aggregation": {"formula": "sum"},
        "display_name": "Calls",
        "event_name": "api_calls",
        "status": "active",
        **fields,
    }


def schedule(id: str = "sub_sched_1", status: str = "active", **fields: object) -> Json:
    phase = {"start_date": T0, "end_date": T0 + 30 * DAY, "items": [{"price": "price_pro", "quantity": 1}]}
    return {
        "id": id,
        "object": "subscription_schedule",
        "created": T0,
        "customer": "cus_1",
        "phases": [phase],
        "status": status,
        "subscription": "sub_1",
        **fields,
    }


def active_entitlements(*lookup_keys: str, customer: str = "cus_1", has_more: bool = False) -> Json:
    active = [
        {"id": f"ent_{key}", "object": "entitlements.active_entitlement", "feature": f"feat_{key}", "lookup_key": key}
        for key in lookup_keys
    ]
    return {
        "object": "entitlements.active_entitlement_summary",
        "customer": customer,
        "entitlements": {"object": "list", "data": active, "has_more": has_more},
        "livemode": False,
    }
