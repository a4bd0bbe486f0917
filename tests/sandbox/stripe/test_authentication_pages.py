"""The page at which a person allows a payment, or does not."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from sandbox.stripe_account import Account

_ASKED = {"amount": 2000, "currency": "usd", "confirm": "true", "return_url": "https://shop.test/paid?order=7"}


async def asking(account: Account, card: str = "authenticationRequired") -> Any:
    """Return a payment intent whose customer is sent to the page."""
    return await account.post("/v1/payment_intents", {**_ASKED, "payment_method": f"pm_card_{card}"})


async def answer(account: Account, intent: Any, what: str) -> httpx.Response:
    """Press a button of the page, as a browser without an API key does."""
    url = intent["next_action"]["redirect_to_url"]["url"]
    return await account.http.post(url, data={"do": what}, headers={"Authorization": ""})


@pytest.mark.parametrize(
    ("card", "what", "outcome", "status"),
    [
        pytest.param("authenticationRequired", "complete", "succeeded", "succeeded", id="allowed"),
        pytest.param("authenticationRequired", "fail", "failed", "requires_payment_method", id="not"),
        pytest.param(
            "threeDSecureRequiredChargeDeclined", "complete", "failed", "requires_payment_method", id="declined"
        ),
    ],
)
async def test_the_person_s_answer_is_brought_back(
    account: Account, card: str, what: str, outcome: str, status: str
) -> None:
    intent = await asking(account, card)
    shown = await account.http.get(intent["next_action"]["redirect_to_url"]["url"], headers={"Authorization": ""})

    answered = await answer(account, intent, what)

    assert "20.00 USD" in shown.text
    assert answered.status_code == httpx.codes.SEE_OTHER
    back = urlsplit(answered.headers["location"])
    told = {name: value for name, (value,) in parse_qs(back.query).items()}
    assert (back.hostname, told.pop("order")) == ("shop.test", "7")
    secret = intent["client_secret"]
    known = {"payment_intent": intent["id"], "payment_intent_client_secret": secret, "redirect_status": outcome}
    assert told == known
    assert (await account.get(f"/v1/payment_intents/{intent['id']}"))["status"] == status


async def test_who_waits_for_nothing_finds_nothing(account: Account) -> None:
    intent = await asking(account)
    await answer(account, intent, "complete")

    again = await answer(account, intent, "complete")
    none = await account.http.get("/authenticate/pi_none")

    assert [again.status_code, none.status_code] == [httpx.codes.NOT_FOUND] * 2
    assert len((await account.get("/v1/charges"))["data"]) == 1
