"""Disputes: opened by test cards and by control, answered, decided, given up."""

from typing import Any

import pytest
import stripe
from sandbox.stripe_account import Account

_DAY = 86_400
_SECONDS = 10


async def _disputed(account: Account, card: str) -> stripe.Dispute:
    """Return the dispute that a card of this kind brings seconds after it was charged."""
    charge = await account.charge_of(card)
    await account.control("clock", {"by": _SECONDS})
    return (await account.sdk.v1.disputes.list_async({"charge": charge})).data[0]


async def _events_since(account: Account, before: list[str]) -> list[str]:
    return (await account.event_types())[len(before) :]


@pytest.mark.parametrize(
    ("card", "reason", "status", "events"),
    [
        pytest.param("createDispute", "fraudulent", "needs_response", ["charge.dispute.funds_withdrawn"], id="fraud"),
        pytest.param(
            "createDisputeProductNotReceived",
            "product_not_received",
            "needs_response",
            ["charge.dispute.funds_withdrawn"],
            id="not received",
        ),
        pytest.param("createDisputeInquiry", "fraudulent", "warning_needs_response", [], id="inquiry"),
    ],
)
async def test_a_test_card_disputes_its_charge(
    account: Account, card: str, reason: str, status: str, events: list[str]
) -> None:
    charge = await account.charge_of(f"pm_card_{card}")
    before, undisputed = await account.event_types(), await account.sdk.v1.charges.retrieve_async(charge)

    await account.control("clock", {"by": _SECONDS})

    dispute = (await account.sdk.v1.disputes.list_async({"charge": charge})).data[0]
    assert (dispute.reason, dispute.status, dispute.amount) == (reason, status, 1000)
    assert await account.sdk.v1.disputes.retrieve_async(dispute.id) == dispute
    assert (undisputed.disputed, (await account.sdk.v1.charges.retrieve_async(charge)).disputed) == (False, True)
    assert [moved.amount for moved in dispute.balance_transactions] == [-1000 for _ in events]
    assert dispute.is_charge_refundable == (not events)
    assert await _events_since(account, before) == ["charge.dispute.created", "charge.updated", *events]


@pytest.mark.parametrize(
    ("evidence", "status", "moved", "events"),
    [
        pytest.param("winning_evidence", "won", [-1000, 1000], ["funds_reinstated", "closed"], id="won"),
        pytest.param("losing_evidence", "lost", [-1000], ["closed"], id="lost"),
        pytest.param("a long letter", "under_review", [-1000], [], id="not decided"),
    ],
)
async def test_evidence_is_reviewed_and_decides(
    account: Account, evidence: str, status: str, moved: list[int], events: list[str]
) -> None:
    dispute = await _disputed(account, "pm_card_createDispute")
    before = await account.event_types()

    answered = await account.sdk.v1.disputes.update_async(dispute.id, {"evidence": {"uncategorized_text": evidence}})
    await account.control("clock", {"by": _SECONDS})

    assert (answered.status, answered.evidence_details.submission_count) == ("under_review", 1)
    decided = await account.sdk.v1.disputes.retrieve_async(dispute.id)
    assert (decided.status, decided.evidence.uncategorized_text) == (status, evidence)
    assert [each.amount for each in decided.balance_transactions] == moved
    told = ["charge.dispute.updated", *(f"charge.dispute.{name}" for name in events)]
    assert await _events_since(account, before) == told


async def test_evidence_may_be_kept_back(account: Account) -> None:
    dispute = await _disputed(account, "pm_card_createDispute")

    kept = await account.sdk.v1.disputes.update_async(
        dispute.id, {"evidence": {"customer_name": "Ann"}, "submit": False, "metadata": {"case": "7"}}
    )
    handed_in = await account.sdk.v1.disputes.update_async(dispute.id, {"submit": True})

    assert (kept.status, kept.evidence_details.has_evidence) == ("needs_response", True)
    assert kept.metadata["case"] == "7"
    assert (handed_in.status, handed_in.evidence.customer_name) == ("under_review", "Ann")


async def test_what_is_not_answered_in_time_is_lost(account: Account) -> None:
    dispute = await _disputed(account, "pm_card_createDispute")

    await account.control("clock", {"by": 30 * _DAY})

    assert (await account.sdk.v1.disputes.retrieve_async(dispute.id)).status == "lost"


async def test_who_closes_a_dispute_loses_it(account: Account) -> None:
    dispute = await _disputed(account, "pm_card_createDispute")

    closed = await account.sdk.v1.disputes.close_async(dispute.id)

    assert closed.status == "lost"
    with pytest.raises(stripe.InvalidRequestError, match="already closed"):
        await account.sdk.v1.disputes.close_async(dispute.id)
    with pytest.raises(stripe.InvalidRequestError, match="already closed"):
        await account.sdk.v1.disputes.update_async(dispute.id, {"evidence": {"customer_name": "Ann"}})


async def test_an_inquiry_may_become_a_dispute(account: Account) -> None:
    inquiry = await _disputed(account, "pm_card_createDisputeInquiry")
    before = await account.event_types()

    await account.sdk.v1.disputes.update_async(
        inquiry.id, {"evidence": {"uncategorized_text": "escalate_inquiry_evidence"}}
    )
    await account.control("clock", {"by": _SECONDS})

    escalated = await account.sdk.v1.disputes.retrieve_async(inquiry.id)
    assert (escalated.status, escalated.is_charge_refundable) == ("needs_response", False)
    assert [moved.net for moved in escalated.balance_transactions] == [-2500]
    told = ["charge.dispute.updated", "charge.dispute.updated", "charge.dispute.funds_withdrawn"]
    assert await _events_since(account, before) == told


async def test_a_charge_that_was_taken_back_is_not_refunded_too(account: Account) -> None:
    dispute = await _disputed(account, "pm_card_createDispute")

    with pytest.raises(stripe.InvalidRequestError) as refused:
        await account.sdk.v1.refunds.create_async({"charge": str(dispute.charge)})

    assert refused.value.code == "charge_disputed"


async def test_a_refund_in_whole_ends_an_inquiry(account: Account) -> None:
    inquiry = await _disputed(account, "pm_card_createDisputeInquiry")

    await account.sdk.v1.refunds.create_async({"charge": str(inquiry.charge), "amount": 400})
    between = await account.sdk.v1.disputes.retrieve_async(inquiry.id)
    await account.sdk.v1.refunds.create_async({"charge": str(inquiry.charge)})

    after = await account.sdk.v1.disputes.retrieve_async(inquiry.id)
    assert (between.status, after.status) == ("warning_needs_response", "warning_closed")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param({}, "needs_response", id="open"),
        pytest.param({"outcome": "won"}, "won", id="won"),
        pytest.param({"outcome": "lost"}, "lost", id="lost"),
        pytest.param({"outcome": "warning", "reason": "general"}, "warning_needs_response", id="an inquiry"),
    ],
)
async def test_a_control_disputes_any_charge(account: Account, body: dict[str, Any], status: str) -> None:
    charge = await account.charge_of()

    made = await account.control(f"charges/{charge}/dispute", {**body, "amount": 250})

    assert (made["status"], made["amount"], made["charge"]) == (status, 250, charge)
    assert not any(name.startswith("_") for name in made)
    assert (await account.sdk.v1.charges.retrieve_async(charge)).disputed
    await account.control(f"charges/{charge}/dispute", {"amount": 1001}, status=400)


@pytest.mark.parametrize(
    ("card", "outcome", "answer", "status"),
    [
        pytest.param("createDispute", "won", 200, "won", id="won"),
        pytest.param("createDispute", "warning_closed", 400, "needs_response", id="no inquiry"),
        pytest.param("createDispute", "escalated", 400, "needs_response", id="none to escalate"),
        pytest.param("createDisputeInquiry", "warning_closed", 200, "warning_closed", id="closed"),
        pytest.param("createDisputeInquiry", "escalated", 200, "needs_response", id="escalated"),
        pytest.param("createDisputeInquiry", "won", 400, "warning_needs_response", id="nothing to win"),
    ],
)
async def test_a_control_decides(account: Account, card: str, outcome: str, answer: int, status: str) -> None:
    dispute = await _disputed(account, f"pm_card_{card}")

    await account.control(f"disputes/{dispute.id}", {"outcome": outcome}, status=answer)

    assert (await account.sdk.v1.disputes.retrieve_async(dispute.id)).status == status


async def test_what_was_not_paid_is_not_disputed(account: Account) -> None:
    charge = await account.charge_of("pm_card_chargeCustomerFail")

    await account.control(f"charges/{charge}/dispute", {}, status=400)
