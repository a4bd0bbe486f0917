"""Whatever a person does at a checkout's page, and in whichever order: it is paid at most once, and told once."""

from collections import Counter
from itertools import product
from typing import Any

import pytest
from sandbox.checkout import answer_bank, open_session, submit
from sandbox.stripe_account import Account

_ACTIONS = ("pay", "fail", "ask", "allow", "refuse", "debit", "expire", "wait")
_LAST = ("pay", "allow", "wait")


async def _act(account: Account, session: dict[str, Any], action: str) -> None:
    match action:
        case "pay":
            await submit(account, session)
        case "fail":
            await submit(account, session, "chargeDeclined")
        case "ask":
            await submit(account, session, "authenticationRequired")
        case "allow" | "refuse":
            await answer_bank(account, session, allow=action == "allow")
        case "debit":
            await submit(account, session, "debit")
        case "expire":
            await account.http.post(f"/v1/checkout/sessions/{session['id']}/expire")
        case _:
            await account.control("clock", {"by": 4 * 86_400})


@pytest.mark.parametrize("mode", ["payment", "setup", "subscription"])
@pytest.mark.parametrize("first", _ACTIONS)
async def test_a_session_ends_once(account: Account, first: str, mode: str) -> None:
    ended: dict[str, tuple[str, ...]] = {}
    for rest in product(_ACTIONS, _LAST):
        session = await open_session(account, mode=mode)
        for action in (first, *rest):
            await _act(account, session, action)
        ended[session["id"]] = (first, *rest)

    told = Counter((event["type"], event["data"]["object"].get("id")) for event in account.sandbox.store.all("event"))
    for name, actions in ended.items():
        session = account.sandbox.store.get("checkout.session", name)
        is_complete = session["status"] == "complete"
        assert told["checkout.session.completed", name] == is_complete, actions
        assert told["checkout.session.expired", name] == (session["status"] == "expired"), actions
        assert (session["subscription"] is not None) == (is_complete and mode == "subscription"), actions
        assert _times_paid(account, session) == (session["payment_status"] == "paid"), actions


def _times_paid(account: Account, session: dict[str, Any]) -> int:
    """Count the charges that paid for the session."""
    store = account.sandbox.store
    intents = [session["payment_intent"]]
    if session["invoice"]:
        intents = [
            link["payment"]["payment_intent"] for link in store.having("invoice_payment", "invoice", session["invoice"])
        ]
    charges = [made for intent in intents for made in store.having("charge", "payment_intent", intent or "")]
    return sum(made["paid"] for made in charges)
