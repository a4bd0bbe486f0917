from typing import Any

import pytest
from sandbox.stripe_account import Account


async def test_the_rules_are_shown_set_and_fall_back_to_their_defaults(account: Account) -> None:
    default = await account.get("/_sandbox/collection")

    changed = await account.control("collection", {"retryDays": [1, 2], "afterLastRetry": "unpaid"})
    again = await account.control("collection", {})

    assert default == {"retryDays": [3, 5, 7], "afterLastRetry": "cancel", "requirePaymentMethod": False}
    assert changed == {"retryDays": [1, 2], "afterLastRetry": "unpaid", "requirePaymentMethod": False}
    assert again == default


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"retryDays": [0]}, id="at once"),
        pytest.param({"retryDays": [61]}, id="too late"),
        pytest.param({"retryDays": [1] * 9}, id="too many"),
        pytest.param({"afterLastRetry": "sue"}, id="unknown end"),
        pytest.param({"retries": 3}, id="unknown option"),
    ],
)
async def test_wrong_rules_are_refused(account: Account, body: dict[str, Any]) -> None:
    before = await account.get("/_sandbox/collection")

    await account.control("collection", body, status=400)

    assert await account.get("/_sandbox/collection") == before


async def test_a_card_can_be_required(account: Account) -> None:
    await account.control("collection", {"requirePaymentMethod": True})

    without = await account.subscription()
    visa = {"payment_method": "pm_card_visa", "invoice_settings[default_payment_method]": "pm_card_visa"}
    customer = (await account.post("/v1/customers", visa))["id"]
    with_card = await account.subscription({"customer": customer})

    assert (without["status"], with_card["status"]) == ("incomplete", "active")
