"""Since when a subscription is past due, as its invoices tell."""

import itertools
from typing import Any

import msgspec
import pytest
from support.records import DAY, NOW, sub

from app.domain.stripe_facts import InvoiceFacts, InvoiceLine
from app.domain.subscription import Subscription, SubscriptionStatus
from sync.stripe.grace import with_failure, with_grace

HOUR = 3_600_000
LATE = sub(status=SubscriptionStatus.PAST_DUE, past_due_at=NOW, unpaid_period_start_at=NOW)


def invoice(start: int = NOW, **fields: Any) -> InvoiceFacts:
    """Build one for the period from `start`, finalised an hour later, and tried."""
    line = InvoiceLine(id="il_1", amount=1000, subscription_id=LATE.id, period_start_at=start)
    known = {
        "currency": "usd",
        "subscription_id": LATE.id,
        "status": "open",
        "collection_method": "charge_automatically",
        "attempted": True,
        "attempt_count": 1,
        "created_at": start,
        "finalized_at": start + HOUR,
        "lines": (line,),
    }
    return InvoiceFacts(**{**known, **fields})


def since(record: Subscription) -> tuple[int | None, int | None]:
    return record.past_due_at, record.unpaid_period_start_at


def test_grace_counts_from_the_first_failure_that_was_told() -> None:
    facts = with_failure(invoice(), NOW + 5 * DAY)

    assert since(with_grace(LATE, [facts])) == (NOW + 5 * DAY, NOW)


def test_without_its_event_a_payment_failed_when_it_was_tried_first() -> None:
    assert since(with_grace(LATE, [invoice()])) == (NOW + HOUR, NOW)


def test_an_invoice_that_was_sent_fails_when_it_is_overdue() -> None:
    sent = invoice(collection_method="send_invoice", due_at=NOW + 30 * DAY)

    assert with_grace(LATE, [sent]).past_due_at == NOW + 30 * DAY


@pytest.mark.parametrize("order", list(itertools.permutations([NOW + 3, NOW + 1, NOW + 2])))
def test_the_earliest_failure_counts_in_whatever_order_they_are_told(order: tuple[int, ...]) -> None:
    facts = invoice()
    for told in order:
        facts = with_failure(facts, told)

    assert facts.first_failed_at == NOW + 1
    assert with_failure(facts).first_failed_at == NOW + 1


def test_the_oldest_that_is_unpaid_decides_and_a_later_one_does_not_begin_grace_anew() -> None:
    second = invoice(NOW + 30 * DAY)

    assert since(with_grace(LATE, [second, invoice()])) == (NOW + HOUR, NOW)


@pytest.mark.parametrize("status", ["paid", "void", "draft"])
def test_what_is_not_owed_does_not_count(status: str) -> None:
    settled, second = invoice(status=status), invoice(NOW + 30 * DAY)

    assert since(with_grace(LATE, [settled, second])) == (NOW + 30 * DAY + HOUR, NOW + 30 * DAY)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(invoice(subscription_id="sub_other"), id="of another subscription"),
        pytest.param(invoice(attempted=False, attempt_count=0), id="not tried yet"),
        pytest.param(invoice(collection_method="send_invoice", due_at=None), id="sent without a due date"),
    ],
)
def test_without_an_unpaid_invoice_it_stays_as_it_is(other: InvoiceFacts) -> None:
    assert with_grace(LATE, [other]) == LATE


def test_a_proration_does_not_tell_the_period() -> None:
    facts = invoice()
    proration = msgspec.structs.replace(facts.lines[0], proration=True, period_start_at=NOW - DAY)

    assert since(with_grace(LATE, [msgspec.structs.replace(facts, lines=(proration, *facts.lines))]))[1] == NOW


def test_what_is_paid_owes_nothing() -> None:
    paid = msgspec.structs.replace(LATE, status=SubscriptionStatus.ACTIVE)

    assert since(with_grace(paid, [invoice()])) == (None, None)
