"""The forms of the chaos dial and of collection."""

import pytest
from sandbox.stripe_account import Account

_CHAOS = {
    "duplicateRate": "0.5",
    "dropRate": "0",
    "oldShapeRate": "0",
    "oldSecretRate": "0.25",
    "shuffleSeconds": "2",
    "shortest": "0",
    "longest": "3",
}
_COLLECTION = {"retryDays": "1, 2", "afterLastRetry": "unpaid", "requirePaymentMethod": "true"}


async def send(account: Account, path: str, form: dict[str, str]) -> int:
    return (await account.http.post(path, data=form, follow_redirects=True)).status_code


async def test_the_dial_is_turned_by_a_form(account: Account) -> None:
    assert await send(account, "/settings/chaos", _CHAOS) == 200

    dial = await account.get("/_sandbox/chaos")
    assert (dial["duplicateRate"], dial["oldSecretRate"], dial["delaySeconds"]) == (0.5, 0.25, [0, 3])
    assert (dial["shuffleSeconds"], dial["stopped"]) == (2, False)
    home = (await account.http.get("/")).text
    assert "50% duplicated, 25% signed with the old secret, shuffled within 2 s, delayed by up to 3 s" in home
    assert 'value="0.5"' in (await account.http.get("/settings")).text


async def test_collection_is_set_by_a_form(account: Account) -> None:
    assert await send(account, "/settings/collection", _COLLECTION) == 200

    rules = await account.get("/_sandbox/collection")
    assert rules == {"retryDays": [1, 2], "afterLastRetry": "unpaid", "requirePaymentMethod": True}
    assert "tried again after 1, 2 days; then the subscription becomes unpaid" in (await account.http.get("/")).text


async def test_an_unticked_box_and_no_days_are_taken_as_that(account: Account) -> None:
    await send(account, "/settings/collection", {"retryDays": "", "afterLastRetry": "cancel"})

    rules = await account.get("/_sandbox/collection")
    assert (rules["retryDays"], rules["requirePaymentMethod"]) == ([], False)
    assert "A failed payment is not tried again" in (await account.http.get("/")).text


@pytest.mark.parametrize(
    ("path", "form"),
    [
        pytest.param("/settings/chaos", {**_CHAOS, "dropRate": "2"}, id="more than all"),
        pytest.param("/settings/chaos", {**_CHAOS, "shortest": "9"}, id="backwards"),
        pytest.param("/settings/chaos", {**_CHAOS, "longest": "soon"}, id="no number"),
        pytest.param("/settings/collection", {**_COLLECTION, "retryDays": "0"}, id="no day"),
        pytest.param("/settings/collection", {**_COLLECTION, "afterLastRetry": "sue"}, id="unknown end"),
    ],
)
async def test_what_cannot_be_is_refused_and_changes_nothing(account: Account, path: str, form: dict[str, str]) -> None:
    before = await account.get("/_sandbox/chaos"), await account.get("/_sandbox/collection")

    assert await send(account, path, form) == 400

    assert (await account.get("/_sandbox/chaos"), await account.get("/_sandbox/collection")) == before
