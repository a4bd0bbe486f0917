"""The page of a checkout session, as a person meets it."""

from typing import Any

from sandbox.checkout import CANCEL, answer_bank, current, look, open_session, submit
from sandbox.stripe_account import Account

_NASTY = "<img src=x onerror=alert(1)>"


async def _promotion_code(account: Account, **more: Any) -> Any:
    coupon = (await account.post("/v1/coupons", {"percent_off": 25}))["id"]
    form = {"promotion[type]": "coupon", "promotion[coupon]": coupon, "code": "SAVE25", **more}
    return await account.post("/v1/promotion_codes", form)


async def _send_code(account: Account, session: dict[str, Any], code: str) -> str:
    """Apply a promotion code and return the page that follows."""
    path = f"/c/pay/{session['id']}/code"
    return (await account.http.post(path, data={"code": code}, follow_redirects=True)).text


async def test_the_page_shows_lines_total_and_every_way_to_pay(account: Account) -> None:
    session = await open_session(account, {"line_items[0][quantity]": 3})

    shown = (await look(account, session)).text

    assert "Credits" in shown
    assert "150.00 USD" in shown
    for said in ("works", "is declined", "asks for authentication", "when a subscription renews", "after three days"):
        assert said in shown
    assert f'href="{CANCEL}"' in shown


async def test_what_callers_name_is_shown_as_text(account: Account) -> None:
    line = {"line_items[0][price_data][currency]": "usd", "line_items[0][price_data][unit_amount]": 700}
    session = await open_session(account, {**line, "line_items[0][price_data][product_data][name]": _NASTY})

    answer = await submit(account, session, "chargeDeclined", email='"><b>', name=_NASTY)

    assert "<img" not in answer.text
    assert "&lt;img src=x onerror=alert(1)&gt;" in answer.text
    assert 'value="&quot;&gt;&lt;b&gt;"' in answer.text


async def test_who_is_not_known_is_asked_for_an_address(account: Account) -> None:
    unknown = await open_session(account)
    known = await open_session(account, {"customer_email": "bob@example.com"})

    refused = await submit(account, unknown, email=" ")
    await submit(account, known, email="mallory@example.com")

    assert "Enter an e-mail address." in refused.text
    assert (await current(account, unknown))["status"] == "open"
    assert 'name="email"' not in (await look(account, known)).text
    assert (await current(account, known))["customer_details"]["email"] == "bob@example.com"


async def test_only_what_is_offered_can_be_paid_with(account: Account) -> None:
    session = await open_session(account, mode="subscription")

    for means in ("debit", "", "unicorn"):
        assert "Choose what to pay with." in (await submit(account, session, means)).text

    assert (await current(account, session))["status"] == "open"


async def test_a_promotion_code_is_taken_off_and_can_be_removed(account: Account) -> None:
    code = await _promotion_code(account)
    session = await open_session(account, {"allow_promotion_codes": "true"})

    applied = await _send_code(account, session, " save25 ")
    with_code = await current(account, session)
    removed = await _send_code(account, session, "")
    wrong = await _send_code(account, session, "NONE")

    assert "-12.50 USD" in applied
    assert "37.50 USD" in applied
    assert with_code["discounts"] == [{"coupon": None, "promotion_code": code["id"]}]
    assert (with_code["amount_total"], with_code["total_details"]["amount_discount"]) == (3750, 1250)
    assert "37.50 USD" not in removed
    assert "This code is invalid." in wrong


async def test_a_payment_that_a_code_makes_needless_is_withdrawn(account: Account) -> None:
    await account.post("/v1/coupons", {"id": "ALL", "percent_off": 100})
    form = {"promotion[type]": "coupon", "promotion[coupon]": "ALL", "code": "FREE"}
    await account.post("/v1/promotion_codes", form)
    session = await open_session(account, {"allow_promotion_codes": "true"})
    await submit(account, session, "chargeDeclined")

    await _send_code(account, session, "FREE")
    await submit(account, session, "")

    paid = await current(account, session)
    assert (paid["status"], paid["payment_status"], paid["payment_intent"]) == ("complete", "no_payment_required", None)
    assert (await account.get("/v1/payment_intents"))["data"][0]["status"] == "canceled"


async def test_a_redeemed_code_is_counted_and_charged(account: Account) -> None:
    code = await _promotion_code(account, max_redemptions=1)
    session = await open_session(account, {"allow_promotion_codes": "true"})
    other = await open_session(account, {"allow_promotion_codes": "true"})
    await _send_code(account, session, "SAVE25")

    await submit(account, session)

    assert (await account.get("/v1/charges"))["data"][0]["amount"] == 3750
    assert (await account.get(f"/v1/promotion_codes/{code['id']}"))["times_redeemed"] == 1
    assert "expired" in await _send_code(account, other, "SAVE25")


async def test_a_code_that_ends_before_the_payment_is_not_redeemed(account: Account) -> None:
    code = await _promotion_code(account)
    session = await open_session(account, {"allow_promotion_codes": "true", "customer_creation": "always"})
    await _send_code(account, session, "SAVE25")
    await account.post(f"/v1/promotion_codes/{code['id']}", {"active": "false"})
    before = await account.event_types()

    answer = await submit(account, session)

    assert "has ended" in answer.text
    assert (await current(account, session))["status"] == "open"
    assert await account.event_types() == before


async def test_a_code_that_is_not_asked_for_is_not_applied(account: Account) -> None:
    await _promotion_code(account)
    session = await open_session(account)

    shown = await _send_code(account, session, "SAVE25")

    assert "Promotion code" not in shown
    assert (await current(account, session))["amount_total"] == 5000


async def test_a_code_s_limits_are_kept(account: Account) -> None:
    await _promotion_code(
        account, **{"restrictions[minimum_amount]": 9000, "restrictions[minimum_amount_currency]": "usd"}
    )
    session = await open_session(account, {"allow_promotion_codes": "true"})

    assert "requires a minimum amount" in await _send_code(account, session, "SAVE25")


async def test_who_is_known_to_have_paid_gets_no_welcome(account: Account) -> None:
    await _promotion_code(account, **{"restrictions[first_time_transaction]": "true"})
    customer = (await account.post("/v1/customers", {"email": "bob@example.com"}))["id"]
    first = await open_session(account, {"customer": customer, "allow_promotion_codes": "true"})
    await _send_code(account, first, "SAVE25")
    await submit(account, first)
    second = await open_session(account, {"customer": customer, "allow_promotion_codes": "true"})

    assert (await current(account, first))["status"] == "complete"
    assert "has prior transactions" in await _send_code(account, second, "SAVE25")


async def test_a_quantity_is_adjusted_within_its_limits(account: Account) -> None:
    limits = "line_items[0][adjustable_quantity]"
    coupon = (await account.post("/v1/coupons", {"percent_off": 50}))["id"]
    form = {f"{limits}[enabled]": "true", f"{limits}[maximum]": 5, "discounts[0][coupon]": coupon}
    session = await open_session(account, {**form, "expand[]": "line_items"})
    line, path = session["line_items"]["data"][0], f"/c/pay/{session['id']}/quantities"

    shown = (await look(account, session)).text
    refused = [(await account.http.post(path, data={line["id"]: typed})).text for typed in ("0", "6", "x")]
    await account.http.post(path, data={line["id"]: "3"})
    await submit(account, session)
    paid = await current(account, session)
    await account.http.post(path, data={line["id"]: "4"})

    assert line["adjustable_quantity"] == {"enabled": True, "maximum": 5, "minimum": 1}
    assert f'name="{line["id"]}" value="1" aria-label="Quantity" min="1" max="5"' in shown
    assert ["Choose a quantity from 1 to 5." in text for text in refused] == [True, True, False]
    assert "Invalid integer: x" in refused[2]
    assert (paid["amount_subtotal"], paid["amount_total"]) == (15_000, 7500)
    assert await current(account, session) == paid


async def test_a_quantity_that_is_fixed_stays(account: Account) -> None:
    session = await open_session(account, {"expand[]": "line_items"})

    path = f"/c/pay/{session['id']}/quantities"
    await account.http.post(path, data={session["line_items"]["data"][0]["id"]: "9"})

    assert (await current(account, session))["amount_total"] == 5000
    assert "Update quantities" not in (await look(account, session)).text


async def test_the_bank_s_page_is_there_only_while_it_asks(account: Account) -> None:
    session = await open_session(account)

    before = (await look(account, session, "/authenticate")).text
    await submit(account, session, "authenticationRequired")
    asked = (await look(account, session, "/authenticate")).text
    await answer_bank(account, session, allow=True)
    after = (await look(account, session, "/authenticate")).text

    assert "Complete authentication" not in before
    assert "Complete authentication" in asked
    assert "50.00 USD" in asked
    assert "This checkout is complete" in after


async def test_the_bank_asks_for_what_is_due_later_too(account: Account) -> None:
    session = await open_session(account, {"subscription_data[trial_period_days]": 14}, mode="subscription")
    await submit(account, session, "authenticationRequired")

    shown = (await look(account, session, "/authenticate")).text

    assert "allow payments later" in shown


async def test_complete_and_expired_sessions_say_so(account: Account) -> None:
    paid, gone, later = [await open_session(account) for _ in range(3)]
    await submit(account, paid)
    await submit(account, later, "debitFail")
    await account.post(f"/v1/checkout/sessions/{gone['id']}/expire")

    shown = (await look(account, paid)).text
    assert "50.00 USD is paid." in shown
    assert "What you bought" in shown
    assert "due now" not in shown
    assert "The bank processes the payment." in (await look(account, later)).text
    await account.control("clock", {"by": 3 * 86_400})
    assert "insufficient funds" in (await look(account, later)).text
    expired = (await look(account, gone)).text
    assert "This checkout has expired" in expired
    assert 'name="means"' not in expired


async def test_the_page_of_a_setup_shows_neither_lines_nor_total(account: Account) -> None:
    session = await open_session(account, mode="setup")

    shown = (await look(account, session)).text
    home = (await account.http.get("/")).text
    await submit(account, session, "authenticationRequired")
    asked = (await look(account, session, "/authenticate")).text
    await answer_bank(account, session, allow=True)

    assert "Save a payment method" in shown
    assert "What you buy" not in shown
    assert "saves a card" in home
    assert "allow payments later" in asked
    assert "The payment method is saved." in (await look(account, session)).text


async def test_going_away_changes_nothing(account: Account) -> None:
    session = await open_session(account)
    before = await account.event_types()

    await look(account, session)

    assert await account.event_types() == before
    assert (await current(account, session))["status"] == "open"


async def test_a_page_that_there_is_not_says_so(account: Account) -> None:
    assert (await account.http.get("/c/pay/cs_test_none")).status_code == 404


async def test_a_trial_is_told(account: Account) -> None:
    session = await open_session(account, {"subscription_data[trial_period_days]": 14}, mode="subscription")

    shown = (await look(account, session)).text

    assert "Free for 14 days. Renews every month, for 10.00 USD without discounts." in shown
    assert "0.00 USD" in shown


async def test_a_customer_s_test_clock_is_the_page_s_time(account: Account) -> None:
    clock = (await account.post("/v1/test_helpers/test_clocks", {"frozen_time": account.clock.at - 86_400}))["id"]
    customer = (await account.post("/v1/customers", {"test_clock": clock, "email": "bob@example.com"}))["id"]
    session = await open_session(account, {"customer": customer}, mode="subscription")

    await submit(account, session)

    subscription = (await account.get("/v1/subscriptions", {"customer": customer}))["data"][0]
    assert subscription["created"] == account.clock.at - 86_400
