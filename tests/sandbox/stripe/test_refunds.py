"""Refunds: part and whole, refused, late, failed."""

import pytest
import stripe
from hypothesis import given, settings
from hypothesis import strategies as st
from sandbox.stripe_account import Account, Clock, account_of

_MINUTES = 60


async def test_a_charge_is_refunded_in_parts_until_nothing_is_left(account: Account) -> None:
    charge = await account.charge_of()
    paid_by = (await account.sdk.v1.charges.retrieve_async(charge)).payment_intent
    before = await account.event_types()

    part = await account.sdk.v1.refunds.create_async({"charge": charge, "amount": 400, "reason": "duplicate"})
    between = await account.sdk.v1.charges.retrieve_async(charge)
    rest = await account.sdk.v1.refunds.create_async({"payment_intent": str(paid_by), "metadata": {"why": "late"}})
    after = await account.sdk.v1.charges.retrieve_async(charge, {"expand": ["refunds"]})

    assert (part.amount, part.reason, part.status, part.payment_intent) == (400, "duplicate", "succeeded", paid_by)
    assert (between.amount_refunded, between.refunded) == (400, False)
    assert (rest.amount, rest.metadata and rest.metadata["why"]) == (600, "late")
    assert (after.amount_refunded, after.refunded) == (1000, True)
    assert after.refunds is not None
    assert [refund.id for refund in after.refunds.data] == [rest.id, part.id]
    assert (await account.event_types())[len(before) :] == ["refund.created", "charge.refunded"] * 2


@pytest.mark.parametrize(
    ("form", "code", "message"),
    [
        pytest.param({}, "parameter_missing", "payment_intent or charge", id="of nothing"),
        pytest.param({"charge": "ch_none"}, "resource_missing", "No such charge", id="of no charge"),
        pytest.param({"charge": "{id}", "amount": 1001}, None, "unrefunded amount on charge", id="more than was paid"),
        pytest.param({"charge": "{id}", "amount": 0}, "parameter_invalid_integer", "at least 1", id="nothing"),
        pytest.param({"charge": "{id}", "payment_intent": "pi_1"}, None, "does not belong", id="of two things"),
        pytest.param({"charge": "{id}", "unicorn": 1}, "parameter_unknown", "unicorn", id="unknown"),
    ],
)
async def test_a_wrong_refund_is_refused(
    account: Account, form: dict[str, object], code: str | None, message: str
) -> None:
    charge = await account.charge_of()
    filled = {name: charge if value == "{id}" else value for name, value in form.items()}

    refused = (await account.post("/v1/refunds", filled, status=400))["error"]

    assert refused.get("code") == code
    assert message in refused["message"]
    assert (await account.sdk.v1.refunds.list_async()).data == []


async def test_what_is_refunded_whole_is_refunded_once(account: Account) -> None:
    charge = await account.charge_of()
    await account.sdk.v1.refunds.create_async({"charge": charge})

    with pytest.raises(stripe.InvalidRequestError) as refused:
        await account.sdk.v1.refunds.create_async({"charge": charge})

    assert refused.value.code == "charge_already_refunded"


async def test_a_payment_that_failed_is_not_refunded(account: Account) -> None:
    charge = await account.charge_of("pm_card_chargeCustomerFail")
    intent = (await account.get("/v1/payment_intents"))["data"][0]["id"]

    by_charge = await account.post("/v1/refunds", {"charge": charge}, status=400)
    by_intent = await account.post("/v1/refunds", {"payment_intent": intent}, status=400)

    assert "not been captured" in by_charge["error"]["message"]
    assert "does not have a successful charge" in by_intent["error"]["message"]


async def test_a_refund_that_fails_later_gives_the_charge_back(account: Account) -> None:
    charge = await account.charge_of("pm_card_refundFail")
    refund = await account.sdk.v1.refunds.create_async({"charge": charge, "amount": 300})
    before = await account.event_types()

    await account.control("clock", {"by": 10 * _MINUTES})

    failed = await account.sdk.v1.refunds.retrieve_async(refund.id)
    assert (refund.status, failed.status) == ("succeeded", "failed")
    assert failed.failure_reason == "expired_or_canceled_card"
    assert (await account.sdk.v1.charges.retrieve_async(charge)).amount_refunded == 0
    told = ["refund.updated", "charge.refund.updated", "refund.failed", "charge.updated"]
    assert (await account.event_types())[len(before) :] == told
    assert (await account.sdk.v1.refunds.create_async({"charge": charge})).amount == 1000


async def test_a_refund_may_be_settled_later(account: Account) -> None:
    refund = await account.sdk.v1.refunds.create_async({"charge": await account.charge_of("pm_card_pendingRefund")})

    await account.control("clock", {"by": 10 * _MINUTES})

    settled = await account.sdk.v1.refunds.retrieve_async(refund.id)
    assert (refund.status, refund.pending_reason) == ("pending", "processing")
    assert (settled.status, settled.pending_reason) == ("succeeded", None)
    assert (await account.sdk.v1.charges.retrieve_async(str(refund.charge))).refunded


async def test_only_a_refund_that_waits_for_its_customer_is_canceled(account: Account) -> None:
    refund = await account.sdk.v1.refunds.create_async({"charge": await account.charge_of()})
    with pytest.raises(stripe.InvalidRequestError, match="cannot be canceled"):
        await account.sdk.v1.refunds.cancel_async(refund.id)

    await account.control(f"refunds/{refund.id}", {"status": "requires_action"})
    canceled = await account.sdk.v1.refunds.cancel_async(refund.id)

    assert canceled.status == "canceled"
    assert not (await account.sdk.v1.charges.retrieve_async(str(refund.charge))).refunded
    await account.control(f"refunds/{refund.id}", {"status": "succeeded"}, status=400)


async def test_a_control_lets_a_refund_fail(account: Account) -> None:
    refund = await account.sdk.v1.refunds.create_async({"charge": await account.charge_of()})

    shown = await account.control(f"refunds/{refund.id}", {"status": "failed", "failureReason": "lost_or_stolen_card"})

    assert (shown["status"], shown["failure_reason"]) == ("failed", "lost_or_stolen_card")
    assert not any(name.startswith("_") for name in shown)


async def test_metadata_is_all_that_changes(account: Account) -> None:
    refund = await account.sdk.v1.refunds.create_async({"charge": await account.charge_of()})

    changed = await account.sdk.v1.refunds.update_async(refund.id, {"metadata": {"a": "1"}})

    assert changed.metadata is not None
    assert changed.metadata["a"] == "1"
    assert (await account.event_types())[-2:] == ["refund.updated", "charge.refund.updated"]
    await account.post(f"/v1/refunds/{refund.id}", {"amount": 5}, status=400)


async def test_refunds_are_listed_by_charge_and_by_payment(account: Account) -> None:
    first = await account.sdk.v1.refunds.create_async({"charge": await account.charge_of()})
    other = await account.sdk.v1.refunds.create_async({"charge": await account.charge_of()})

    by_charge = await account.sdk.v1.refunds.list_async({"charge": str(first.charge)})
    by_intent = await account.sdk.v1.refunds.list_async({"payment_intent": str(other.payment_intent)})

    assert [refund.id for refund in by_charge.data] == [first.id]
    assert [refund.id for refund in by_intent.data] == [other.id]


@given(amounts=st.lists(st.tuples(st.integers(1, 700), st.booleans()), max_size=8))
@settings(max_examples=30, deadline=None)
async def test_refunds_never_exceed_the_charge(amounts: list[tuple[int, bool]]) -> None:
    async with account_of(Clock()) as account:
        charge = await account.charge_of()
        left = 1000
        for amount, fails in amounts:
            answer = await account.http.post("/v1/refunds", data={"charge": charge, "amount": amount})
            assert answer.is_success == (amount <= left)
            if answer.is_success and fails:
                await account.control(f"refunds/{answer.json()['id']}", {"status": "failed"})
            elif answer.is_success:
                left -= amount
            stands = await account.get(f"/v1/charges/{charge}")
            assert (stands["amount_refunded"], stands["refunded"]) == (1000 - left, left == 0)
