"""Payment intents: asked for, confirmed, authenticated, captured, canceled; and those of invoices."""

from typing import Any

import pytest
import stripe
from sandbox.stripe_account import Account

_DAY = 86_400


async def events_since(account: Account, before: list[str]) -> list[str]:
    return (await account.event_types())[len(before) :]


async def paying(account: Account, card: str = "visa", **more: Any) -> stripe.PaymentIntent:
    """Return a payment intent over 20.00 that was confirmed at once with a card of this kind."""
    asked = {"amount": 2000, "currency": "usd", "payment_method": f"pm_card_{card}", "confirm": True, **more}
    return await account.sdk.v1.payment_intents.create_async(asked)  # pyright: ignore[reportArgumentType]


async def test_what_is_asked_for_is_confirmed_and_paid(account: Account) -> None:
    customer = (await account.post("/v1/customers"))["id"]
    service = account.sdk.v1.payment_intents
    asked = await service.create_async(
        {"amount": 2000, "currency": "USD", "customer": customer, "metadata": {"a": "1"}}
    )
    changed = await service.update_async(asked.id, {"amount": 1500, "description": "Credits"})

    paid = await service.confirm_async(asked.id, {"payment_method": "pm_card_mastercard"})

    assert (asked.status, asked.currency, asked.setup_future_usage) == ("requires_payment_method", "usd", None)
    assert (changed.amount, changed.description) == (1500, "Credits")
    assert (paid.status, paid.amount_received, paid.metadata["a"]) == ("succeeded", 1500, "1")
    charge = await account.sdk.v1.charges.retrieve_async(str(paid.latest_charge))
    assert (charge.amount, charge.customer, charge.description, charge.paid) == (1500, customer, "Credits", True)
    told = ["customer.created", "payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]
    assert await account.event_types() == told


async def test_a_decline_is_raised_with_the_intent_that_failed(account: Account) -> None:
    with pytest.raises(stripe.CardError) as declined:
        await paying(account, "chargeDeclinedInsufficientFunds")

    error = declined.value.error
    assert error is not None
    assert error.payment_intent is not None
    assert (error.code, error.decline_code) == ("card_declined", "insufficient_funds")
    failed = await account.sdk.v1.payment_intents.retrieve_async(error.payment_intent["id"])
    assert (failed.status, failed.payment_method) == ("requires_payment_method", None)
    assert failed.last_payment_error is not None
    assert failed.last_payment_error.code == "card_declined"
    assert await account.event_types() == ["payment_intent.created", "charge.failed", "payment_intent.payment_failed"]
    again = await account.sdk.v1.payment_intents.confirm_async(failed.id, {"payment_method": "pm_card_visa"})
    assert (again.status, again.last_payment_error) == ("succeeded", None)


@pytest.mark.parametrize(
    ("card", "outcome", "status", "told"),
    [
        pytest.param(
            "authenticationRequired",
            "succeeded",
            "succeeded",
            ["charge.succeeded", "payment_intent.succeeded"],
            id="allowed",
        ),
        pytest.param(
            "threeDSecure2Required", "failed", "requires_payment_method", ["payment_intent.payment_failed"], id="not"
        ),
        pytest.param(
            "threeDSecureRequiredChargeDeclined",
            "succeeded",
            "requires_payment_method",
            ["charge.failed", "payment_intent.payment_failed"],
            id="allowed, but declined",
        ),
    ],
)
async def test_the_customer_is_asked_for_authentication(
    account: Account, card: str, outcome: str, status: str, told: list[str]
) -> None:
    asking = await paying(account, card)
    before = await account.event_types()

    shown = await account.control(f"payment_intents/{asking.id}/authenticate", {"outcome": outcome})

    assert (asking.status, asking.last_payment_error) == ("requires_action", None)
    assert asking.next_action is not None
    assert asking.next_action.type == "use_stripe_sdk"
    after = await account.sdk.v1.payment_intents.retrieve_async(asking.id)
    assert after.status == status == shown["status"]
    assert (after.next_action, before[-1]) == (None, "payment_intent.requires_action")
    assert await events_since(account, before) == told
    await account.control(f"payment_intents/{asking.id}/authenticate", {"outcome": outcome}, status=400)


@pytest.mark.parametrize("absent", ["off_session", "error_on_requires_action"])
async def test_who_is_absent_is_not_asked(account: Account, absent: str) -> None:
    with pytest.raises(stripe.CardError) as refused:
        await paying(account, "authenticationRequired", **{absent: True})

    assert refused.value.code == "authentication_required"
    assert (await account.get("/v1/payment_intents"))["data"][0]["status"] == "requires_payment_method"


async def test_a_card_is_kept_where_it_is_to_be_used_again(account: Account) -> None:
    customer = (await account.post("/v1/customers"))["id"]

    await paying(account, "visa", customer=customer)
    await paying(account, "amex", customer=customer, setup_future_usage="off_session")

    kept = (await account.get("/v1/payment_methods", {"customer": customer}))["data"]
    assert [method["card"]["brand"] for method in kept] == ["amex"]
    await account.post(
        "/v1/payment_intents", {"amount": 5, "currency": "usd", "payment_method": kept[0]["id"]}, status=400
    )


@pytest.mark.parametrize(("form", "captured"), [({}, 2000), ({"amount_to_capture": 1200}, 1200)])
async def test_what_is_authorized_is_captured_later(account: Account, form: Any, captured: int) -> None:
    held = await paying(account, capture_method="manual")
    charge = await account.sdk.v1.charges.retrieve_async(str(held.latest_charge))
    too_early = await account.post("/v1/refunds", {"charge": charge.id}, status=400)
    before = await account.event_types()

    taken = await account.sdk.v1.payment_intents.capture_async(held.id, form)

    assert (held.status, held.amount_capturable, held.amount_received) == ("requires_capture", 2000, 0)
    assert (charge.captured, charge.amount_captured, charge.paid) == (False, 0, True)
    assert "not been captured" in too_early["error"]["message"]
    assert (taken.status, taken.amount_received, taken.amount_capturable) == ("succeeded", captured, 0)
    assert before[-2:] == ["charge.succeeded", "payment_intent.amount_capturable_updated"]
    assert await events_since(account, before) == ["charge.captured", "payment_intent.succeeded"]
    refund = await account.sdk.v1.refunds.create_async({"payment_intent": held.id})
    assert refund.amount == captured
    await account.post(f"/v1/payment_intents/{held.id}/capture", status=400)


async def test_no_more_is_captured_than_was_held(account: Account) -> None:
    held = await paying(account, capture_method="manual")

    with pytest.raises(stripe.InvalidRequestError) as refused:
        await account.sdk.v1.payment_intents.capture_async(held.id, {"amount_to_capture": 2001})

    assert refused.value.code == "amount_too_large"


async def test_what_is_not_captured_in_a_week_is_released(account: Account) -> None:
    held = await paying(account, capture_method="manual")
    before = await account.event_types()

    await account.control("clock", {"by": 8 * _DAY})

    expired = await account.sdk.v1.payment_intents.retrieve_async(held.id)
    assert (expired.status, expired.cancellation_reason, expired.amount_capturable) == ("canceled", "automatic", 0)
    assert (await account.sdk.v1.charges.retrieve_async(str(held.latest_charge))).refunded
    assert await events_since(account, before) == ["charge.expired", "payment_intent.canceled"]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        pytest.param({"confirm": False}, ["payment_intent.canceled"], id="asked for"),
        pytest.param({"capture_method": "manual"}, ["charge.refunded", "payment_intent.canceled"], id="held"),
    ],
)
async def test_what_is_not_paid_yet_is_canceled(account: Account, more: dict[str, Any], told: list[str]) -> None:
    intent = await paying(account, **more)
    before = await account.event_types()

    canceled = await account.sdk.v1.payment_intents.cancel_async(intent.id, {"cancellation_reason": "abandoned"})

    assert (canceled.status, canceled.cancellation_reason) == ("canceled", "abandoned")
    assert await events_since(account, before) == told
    for verb in ("cancel", "confirm", "capture"):
        refused = await account.post(f"/v1/payment_intents/{intent.id}/{verb}", status=400)
        assert refused["error"]["code"] == "payment_intent_unexpected_state"
        assert refused["error"]["payment_intent"]["id"] == intent.id


@pytest.mark.parametrize(
    ("form", "param"),
    [
        pytest.param({"currency": "usd"}, "amount", id="no amount"),
        pytest.param({"amount": 0, "currency": "usd"}, "amount", id="nothing"),
        pytest.param({"amount": 5}, "currency", id="no currency"),
        pytest.param({"amount": 5, "currency": "usd", "off_session": "true"}, "off_session", id="not confirmed"),
        pytest.param({"amount": 5, "currency": "usd", "confirm": "true"}, "payment_method", id="nothing to pay with"),
        pytest.param({"amount": 5, "currency": "usd", "customer": "cus_none"}, "customer", id="nobody"),
        pytest.param({"amount": 5, "currency": "usd", "unicorn": 1}, "unicorn", id="unknown"),
    ],
)
async def test_a_wrong_intent_is_refused(account: Account, form: dict[str, Any], param: str) -> None:
    refused = await account.post("/v1/payment_intents", form, status=400)

    assert refused["error"]["param"] == param


async def _incomplete(account: Account) -> tuple[Any, Any]:
    """Return an incomplete subscription, and the payment intent of its first invoice."""
    subscription = await account.subscription({"payment_behavior": "default_incomplete"})
    return subscription, (await account.get("/v1/payment_intents"))["data"][0]


async def test_the_first_payment_confirmed_makes_the_subscription_active(account: Account) -> None:
    subscription, intent = await _incomplete(account)
    before = await account.event_types()

    secret = {"client_secret": intent["client_secret"], "payment_method": "pm_card_visa"}
    paid = await account.post(f"/v1/payment_intents/{intent['id']}/confirm", secret)

    after = await account.current(subscription)
    assert (paid["status"], after["status"], after["latest_invoice"]["status"]) == ("succeeded", "active", "paid")
    assert (await account.get("/v1/payment_methods", {"customer": subscription["customer"]}))["data"]
    assert await events_since(account, before) == [
        "charge.succeeded",
        "payment_intent.succeeded",
        "invoice_payment.paid",
        "invoice.updated",
        "invoice.paid",
        "invoice.payment_succeeded",
        "customer.subscription.updated",
        "payment_method.attached",
    ]


async def test_a_first_payment_that_fails_can_be_made_with_another_card(account: Account) -> None:
    subscription, intent = await _incomplete(account)
    path = f"/v1/payment_intents/{intent['id']}/confirm"

    await account.post(path, {"payment_method": "pm_card_chargeCustomerFail"}, status=402)
    between = await account.current(subscription)
    await account.post(path, {"payment_method": "pm_card_visa"})

    assert (between["status"], between["latest_invoice"]["attempt_count"]) == ("incomplete", 1)
    assert (await account.current(subscription))["status"] == "active"


@pytest.mark.parametrize(("outcome", "status"), [("succeeded", "active"), ("failed", "incomplete")])
async def test_a_first_payment_may_need_authentication(account: Account, outcome: str, status: str) -> None:
    subscription, intent = await _incomplete(account)
    path = f"/v1/payment_intents/{intent['id']}/confirm"

    asking = await account.post(path, {"payment_method": "pm_card_authenticationRequired"})
    told = (await account.event_types())[-2:]
    await account.control(f"payment_intents/{intent['id']}/authenticate", {"outcome": outcome})

    assert asking["status"] == "requires_action"
    assert told == ["invoice.payment_action_required", "payment_intent.requires_action"]
    assert (await account.current(subscription))["status"] == status


async def test_a_renewal_that_waits_for_authentication_is_allowed_by_the_customer(account: Account) -> None:
    customer = await account.customer_with("pm_card_visa")
    subscription = await account.subscription({"customer": customer})
    method = (await account.get("/v1/payment_methods", {"customer": customer}))["data"][0]["id"]
    await account.control(f"objects/{method}", {"set": {"card.last4": "3184"}})
    await account.control("clock", {"by": 32 * _DAY})
    intent = (await account.get("/v1/payment_intents"))["data"][0]

    behind = (await account.current(subscription))["status"]
    await account.control(f"payment_intents/{intent['id']}/authenticate", {"outcome": "succeeded"})

    assert (behind, intent["status"]) == ("past_due", "requires_action")
    assert (await account.current(subscription))["status"] == "active"


async def test_an_invoice_s_payment_ends_with_its_invoice(account: Account) -> None:
    _, intent = await _incomplete(account)
    path = f"/v1/payment_intents/{intent['id']}"

    await account.post(f"{path}/cancel", status=400)
    await account.post(path, {"amount": 5}, status=400)
    await account.post(f"{path}/confirm", {"client_secret": "wrong"}, status=400)


async def test_what_needs_authentication_is_refused_by_its_own_code(account: Account) -> None:
    customer, price = await account.customer_with("pm_card_authenticationRequired"), (await account.price())["id"]
    form = {"customer": customer, "items[0][price]": price}

    begun = await account.post("/v1/subscriptions", {**form, "payment_behavior": "error_if_incomplete"}, status=402)
    left = await account.post("/v1/subscriptions", {**form, "payment_behavior": "default_incomplete"})
    paid = await account.post(f"/v1/invoices/{left['latest_invoice']}/pay", status=402)

    assert begun["error"]["code"] == "subscription_payment_intent_requires_action"
    assert paid["error"]["code"] == "invoice_payment_intent_requires_action"
