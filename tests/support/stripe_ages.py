"""Objects as Stripe has told of them since 2012, made by hand: what was renamed, moved and dropped stands as it did."""

from typing import Any, Final

from support.stripe import DAY, T0, Json

PLAN: Final[Json] = {
    "id": "gold",
    "object": "plan",
    "amount": 1000,
    "currency": "usd",
    "interval": "month",
    "name": "Gold",
}
PRICE: Final[Json] = {"id": "price_1", "object": "price", "currency": "usd", "unit_amount": 1000, "product": "prod_1"}
CARD: Final[Json] = {"id": "card_1", "object": "card", "last4": "4242", "type": "Visa", "exp_year": 2015}
SPAN: Final[Json] = {"current_period_start": T0, "current_period_end": T0 + 30 * DAY}


def _sub(**fields: Any) -> Json:
    return {"id": "sub_1", "object": "subscription", "customer": "cus_1", "status": "active", **fields}


def _invoice(**fields: Any) -> Json:
    return {"id": "in_1", "object": "invoice", "customer": "cus_1", "currency": "usd", "total": 1000, **fields}


def _charge(**fields: Any) -> Json:
    return {"id": "ch_1", "object": "charge", "amount": 1000, "currency": "usd", "created": T0, **fields}


AGES: Final[dict[str, Json]] = {
    "customer 2012, its card and subscription in it": {
        "id": "cus_1",
        "object": "customer",
        "created": T0,
        "active_card": {key: value for key, value in CARD.items() if key != "id"},
        "subscription": _sub(plan=PLAN, start=T0, **SPAN),
        "account_balance": -500,
        "discount": None,
    },
    "customer 2014, cards and subscriptions as lists": {
        "id": "cus_1",
        "object": "customer",
        "created": T0,
        "cards": {"object": "list", "count": 1, "data": [CARD], "url": "/v1/customers/cus_1/cards"},
        "default_card": "card_1",
        "subscriptions": {"object": "list", "count": 1, "data": [_sub(plan=PLAN, start=T0, **SPAN)]},
        "metadata": {"workspace_id": "ws_1"},
    },
    "customer 2016, sources": {
        "id": "cus_1",
        "object": "customer",
        "created": T0,
        "sources": {"object": "list", "data": [CARD], "has_more": False, "total_count": 1},
        "default_source": "card_1",
        "business_vat_id": None,
        "shipping": None,
    },
    "customer, deleted": {"id": "cus_1", "object": "customer", "deleted": True},
    "customer without anything": {"id": "cus_1", "object": "customer"},
    "subscription 2012, without an id and items": {
        **{key: value for key, value in _sub(plan=PLAN, start=T0, **SPAN).items() if key != "id"},
    },
    "subscription 2014, one plan": _sub(plan=PLAN, start=T0, quantity=3, ended_at=None, trial_end=None, **SPAN),
    "subscription 2017, items of plans": _sub(
        plan=None, created=T0, items={"object": "list", "data": [{"id": "si_1", "plan": PLAN, "quantity": 2}]}, **SPAN
    ),
    "subscription 2018, metered": _sub(
        created=T0,
        items={"object": "list", "data": [{"id": "si_1", "plan": {**PLAN, "usage_type": "metered"}}]},
        billing="charge_automatically",
        **SPAN,
    ),
    "subscription 2020, prices": _sub(
        created=T0,
        items={"object": "list", "data": [{"id": "si_1", "price": PRICE, "plan": PLAN, "quantity": 1}]},
        **SPAN,
    ),
    "subscription 2025, periods on items": _sub(
        created=T0, items={"object": "list", "data": [{"id": "si_1", "price": PRICE, "quantity": 1, **SPAN}]}
    ),
    "subscription of a status to come": _sub(created=T0, status="hibernating", items={"data": []}, **SPAN),
    "subscription, expanded": _sub(
        created=T0,
        customer={"id": "cus_1", "object": "customer"},
        items={"data": [{"id": "si_1", "price": {**PRICE, "product": {"id": "prod_1", "object": "product"}}, **SPAN}]},
        latest_invoice=_invoice(),
    ),
    "plan 2012": PLAN,
    "plan 2018": {**PLAN, "product": "prod_1", "nickname": None, "tiers": None, "usage_type": "licensed"},
    "price of a fraction": {**PRICE, "unit_amount": None, "unit_amount_decimal": "0.000000000001", "active": True},
    "price with tiers of every kind": {
        **PRICE,
        "tiers_mode": "graduated",
        "tiers": [{"up_to": 5, "unit_amount": 1}, {"up_to": None, "flat_amount_decimal": "2.5"}, {"up_to": "inf"}],
    },
    "product 2015, a good with skus": {
        "id": "prod_1",
        "object": "product",
        "name": "T-shirt",
        "attributes": ["size"],
        "skus": {"object": "list", "data": []},
        "shippable": True,
    },
    "product, deleted": {"id": "prod_1", "object": "product", "deleted": True},
    "invoice 2012, lines by kind": _invoice(
        date=T0,
        closed=True,
        paid=True,
        attempted=True,
        lines={"invoiceitems": [], "prorations": [], "subscriptions": [{"plan": PLAN, "amount": 1000}]},
        charge="ch_1",
        discount=None,
    ),
    "invoice 2015": _invoice(
        date=T0,
        subscription="sub_1",
        lines={"object": "list", "data": [{"id": "sub_1", "amount": 1000, "plan": PLAN, "type": "subscription"}]},
        application_fee=None,
        forgiven=False,
    ),
    "invoice 2019": _invoice(
        created=T0,
        status="open",
        subscription="sub_1",
        payment_intent="pi_1",
        lines={"data": [{"id": "il_1", "amount": 1000, "price": PRICE, "proration": True, "period": {"start": T0}}]},
        status_transitions={"finalized_at": T0, "paid_at": None},
    ),
    "invoice 2025": _invoice(
        created=T0,
        status="paid",
        parent={"type": "subscription_details", "subscription_details": {"subscription": "sub_1"}},
        lines={"data": [{"id": "il_1", "amount": 1000, "pricing": {"price_details": {"price": "price_1"}}}]},
        payments={"data": [{"payment": {"type": "payment_intent", "payment_intent": "pi_1"}, "status": "paid"}]},
    ),
    "invoice to come, without an id": {key: value for key, value in _invoice(created=T0).items() if key != "id"},
    "charge 2012, refunds as an array": _charge(
        card=CARD, fee=59, fee_details=[{"amount": 59}], refunds=[{"amount": 500}], refunded=False, dispute=None
    ),
    "charge 2014": _charge(
        card=CARD,
        refunds={"object": "list", "data": []},
        status="paid",
        invoice="in_1",
        dispute={"id": "dp_1", "object": "dispute", "status": "needs_response"},
    ),
    "charge 2024": _charge(payment_intent="pi_1", status="succeeded", amount_refunded=0, billing_details={}),
    "dispute 2013, without an id": {"object": "dispute", "charge": "ch_1", "amount": 1000, "evidence": "she said"},
    "refund 2014": {"id": "re_1", "object": "refund", "amount": 500, "currency": "usd", "charge": "ch_1"},
    "payment intent 2018": {
        "id": "pi_1",
        "object": "payment_intent",
        "amount": 1000,
        "currency": "usd",
        "status": "requires_source",
        "charges": {"object": "list", "data": [_charge()]},
        "next_source_action": None,
    },
    "coupon 2012": {"id": "off", "object": "coupon", "percent_off": 25, "duration": "once", "times_redeemed": 0},
    "coupon 2018": {"id": "off", "object": "coupon", "percent_off": 12.5, "duration": "repeating", "valid": True},
    "promotion code 2020": {
        "id": "promo_1",
        "object": "promotion_code",
        "code": "SPRING",
        "coupon": {"id": "off", "object": "coupon", "duration": "once"},
    },
    "checkout session 2019": {
        "id": "cs_1",
        "object": "checkout.session",
        "display_items": [{"amount": 1000, "plan": PLAN}],
        "mode": None,
        "subscription": "sub_1",
        "livemode": False,
    },
    "entitlements": {
        "object": "entitlements.active_entitlement_summary",
        "customer": "cus_1",
        "entitlements": {"object": "list", "data": [], "has_more": True},
    },
    "source 2017": {"id": "src_1", "object": "source", "type": "bitcoin", "customer": "cus_1"},
    "bitcoin receiver 2014": {"id": "btcrcv_1", "object": "bitcoin_receiver", "filled": False},
    "transfer 2012, with its charges": {"id": "tr_1", "object": "transfer", "summary": {"charge_count": 1}},
    "recipient 2013": {"id": "rp_1", "object": "recipient", "active_account": None},
    "balance, without an id": {"object": "balance", "available": [{"amount": 1, "currency": "usd"}]},
    "something to come": {"id": "gx_1", "object": "galaxy", "stars": [{"id": 1}, None]},
}
"""Each by what it is and when Stripe told of it so."""

ENVELOPES: Final[dict[str, Json]] = {
    "2012": {"pending_webhooks": 1, "request": "iar_1"},
    "2014": {"pending_webhooks": 0, "request": None, "api_version": "2014-12-22", "user_id": "acct_1"},
    "2017": {"request": {"id": "req_1", "idempotency_key": None}, "api_version": "2017-06-05"},
    "now": {"request": {"id": None, "idempotency_key": "k"}, "api_version": "2026-10-28.endive", "context": None},
}
"""What stands around them."""
