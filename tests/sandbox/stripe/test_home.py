"""The sandbox's own page, as a person meets it."""

import httpx
import pytest
from sandbox.checkout import open_session
from sandbox.stripe_account import Account

from app.sandbox.stripe import dues
from app.sandbox.stripe.delivery import Attempt, Endpoint
from app.sandbox.stripe.home_rows import DUE_WORDS, customer_of

_DAY = 86_400
_NASTY = "<img src=x onerror=alert(1)>"


async def look(account: Account, path: str = "/") -> str:
    answer = await account.http.get(path)
    assert answer.status_code == 200, answer.text
    return answer.text


async def press(account: Account, path: str, **form: str) -> httpx.Response:
    return await account.http.post(path, data=form, follow_redirects=True)


def tried(account: Account, event: str, status: int | None) -> None:
    """Let an event have been sent once."""
    error = None if status else "ConnectError: nobody"
    attempt = Attempt(event, "customer.created", "http://127.0.0.1:9/hook", 1, account.clock.at, 12.3, status, error)
    account.sandbox.deliveries.attempts.append(attempt)


def test_all_that_can_be_due_has_words() -> None:
    named = {value for name, value in vars(dues).items() if name.isupper() and isinstance(value, str)}

    assert set(DUE_WORDS) == named


async def test_a_refund_is_its_customers(account: Account) -> None:
    customer = (await account.post("/v1/customers", {"name": "Zoe"}))["id"]
    await account.subscription({"customer": customer})
    charge = (await account.get("/v1/charges"))["data"][0]["id"]
    refund = await account.post("/v1/refunds", {"charge": charge})

    assert customer_of(account.sandbox.store, account.sandbox.store.get("refund", refund["id"])) == "Zoe"


async def test_an_empty_sandbox_says_how_to_begin(account: Account) -> None:
    shown = await look(account)

    assert "15 Jan 2027, 08:00 UTC" in shown
    assert "Point a Stripe SDK at http://sandbox" in shown
    assert "Nothing is due." in shown
    assert "events go nowhere" in shown


async def test_it_needs_nothing_from_elsewhere_and_no_script(account: Account) -> None:
    await account.subscription()

    answer = await account.http.get("/")

    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "<script" not in answer.text
    assert "http" not in answer.text.replace('http-equiv="refresh"', "")


async def test_it_follows_by_itself_until_it_is_told_to_stand_still(account: Account) -> None:
    assert 'http-equiv="refresh"' in await look(account)
    assert 'http-equiv="refresh"' not in await look(account, "/?live=no")


async def test_subscriptions_are_shown_with_state_and_what_follows(account: Account) -> None:
    await account.subscription({"items[0][quantity]": 3})
    await account.subscription({"trial_period_days": 7})
    ending = await account.subscription({"cancel_at_period_end": "true"})
    ended = await account.subscription()
    await account.delete(f"/v1/subscriptions/{ended['id']}")

    shown = await look(account)

    for said in ("3 x Pro", "30.00 USD", "trial until 22 Jan 2027", "ends 15 Feb 2027", "ended 15 Jan 2027"):
        assert said in shown
    assert "2 active" in shown
    assert ending["id"] not in await look(account, "/subscriptions")  # people are named, not ids
    assert (await look(account, "/subscriptions")).count("Ann") == 4


async def test_names_are_shown_as_text(account: Account) -> None:
    customer = (await account.post("/v1/customers", {"name": _NASTY}))["id"]
    await account.subscription({"customer": customer})

    assert "<img" not in await look(account)


@pytest.mark.parametrize(
    ("step", "seconds"), [("hour", 3_600), ("day", _DAY), ("week", 7 * _DAY), ("month", 31 * _DAY)]
)
async def test_time_is_advanced_by_a_button(account: Account, step: str, seconds: int) -> None:
    answer = await press(account, "/clock", by=step)

    assert answer.status_code == 200
    assert account.sandbox.now() == account.clock.at + seconds


async def test_time_goes_to_what_is_due_next(account: Account) -> None:
    subscription = await account.subscription({"cancel_at": account.clock.at + 5 * _DAY})
    assert "The subscription ends" in await look(account)

    await press(account, "/clock", by="next")

    assert account.sandbox.now() == account.clock.at + 5 * _DAY
    assert (await account.get(f"/v1/subscriptions/{subscription['id']}"))["status"] == "canceled"


async def test_an_unknown_step_is_refused_in_words(account: Account) -> None:
    answer = await press(account, "/clock", by="aeon")

    assert (answer.status_code, "There is no step aeon." in answer.text) == (400, True)


async def test_an_open_checkout_is_a_link(account: Account) -> None:
    session = await open_session(account)

    shown = await look(account)
    assert f'href="{session["url"]}"' in shown
    assert shown.count("somebody new") == 2  # among the open ones, and among what is due


async def test_events_are_shown_with_what_became_of_them(account: Account) -> None:
    for name in ("Ann", "Bob", "Cleo"):
        await account.post("/v1/customers", {"name": name})
    cleo, bob, _ = (event["id"] for event in account.sandbox.store.all("event"))
    tried(account, cleo, 200)
    tried(account, bob, None)

    shown = await look(account)

    assert "taken, 12 ms" in shown
    assert "no answer, given up" in shown
    assert "not sent" in shown
    assert shown.index("Cleo") < shown.index("Ann")


async def test_an_event_is_read_whole_and_sent_again(account: Account) -> None:
    await account.post("/v1/customers", {"name": "Ann"})
    (event,) = account.sandbox.store.all("event")
    account.sandbox.deliveries.endpoint = Endpoint("http://127.0.0.1:9/hook", "whsec_x")
    tried(account, event["id"], None)

    shown = await look(account, f"/events/{event['id']}")
    await press(account, f"/events/{event['id']}")

    assert "&quot;type&quot;: &quot;customer.created&quot;" in shown
    assert "ConnectError: nobody" in shown
    assert account.sandbox.deliveries.unfinished == {event["id"]: 1}
    assert (await account.http.get("/events/evt_none")).status_code == 404


async def test_events_are_held_back_and_let_go(account: Account) -> None:
    await press(account, "/deliveries", stopped="yes")
    held = await look(account)
    await press(account, "/deliveries", stopped="")

    assert "held back" in held
    assert "held back" not in await look(account)
    assert account.sandbox.deliveries.dial.chaos.stopped is False


async def test_test_clocks_are_named(account: Account) -> None:
    await account.post("/v1/test_helpers/test_clocks", {"frozen_time": account.clock.at, "name": "a long trial"})

    assert "a long trial" in await look(account)


async def test_a_page_that_is_asked_for_lets_happen_what_is_due(account: Account) -> None:
    await account.subscription({"cancel_at": account.clock.at + _DAY})
    account.clock.at += _DAY

    assert "1 canceled" in await look(account)
