from typing import Any

import pytest

from app.sandbox.stripe.dues import dues_of

_DAY = 86_400
_END = 100 * _DAY


def subscription(**fields: Any) -> dict[str, Any]:
    blank = {"object": "subscription", "status": "active", "created": 0, "cancel_at": None, "trial_end": None}
    items = {"data": [{"current_period_end": _END + _DAY}, {"current_period_end": _END}]}
    return {**blank, "pause_collection": None, "items": items, **fields}


def invoice(**fields: Any) -> dict[str, Any]:
    blank = {"object": "invoice", "automatically_finalizes_at": None, "next_payment_attempt": None, "due_date": None}
    return {**blank, **fields}


@pytest.mark.parametrize(
    ("obj", "due"),
    [
        pytest.param(subscription(), {"renew": _END, "upcoming": _END - 7 * _DAY}, id="the first item's period"),
        pytest.param(subscription(status="unpaid"), {"renew": _END, "upcoming": _END - 7 * _DAY}, id="unpaid"),
        pytest.param(subscription(cancel_at=_END), {"cancel": _END, "renew": _END}, id="ends with its period"),
        pytest.param(
            subscription(cancel_at=_END + 1), {"cancel": _END + 1, "renew": _END, "upcoming": _END - 7 * _DAY}
        ),
        pytest.param(
            subscription(status="trialing", trial_end=_END),
            {"trial_end": _END, "trial_will_end": _END - 3 * _DAY, "upcoming": _END - 7 * _DAY},
            id="trial",
        ),
        pytest.param(subscription(status="incomplete", created=5), {"expire": 5 + 23 * 3_600}, id="incomplete"),
        pytest.param(subscription(status="paused", cancel_at=9), {"cancel": 9}, id="paused"),
        pytest.param(subscription(status="paused", pause_collection={"resumes_at": 8}), {"collection_resume": 8}),
        pytest.param(subscription(status="canceled", cancel_at=9), {}, id="canceled"),
        pytest.param(subscription(status="trialing", trial_end="soon", pause_collection="x"), {}, id="nonsense"),
        pytest.param(subscription(items={"data": [{}]}, cancel_at="soon"), {}, id="no period"),
        pytest.param(invoice(status="draft", automatically_finalizes_at=5, due_date=9), {"finalize": 5}, id="draft"),
        pytest.param(invoice(status="open", next_payment_attempt=5, due_date=9), {"retry": 5, "overdue": 9}, id="open"),
        pytest.param(invoice(status="paid", next_payment_attempt=5), {}, id="paid"),
        pytest.param({"object": "customer"}, {}, id="customer"),
    ],
)
def test_what_is_due_when(obj: dict[str, Any], due: dict[str, int]) -> None:
    assert {each.what: each.at for each in dues_of(obj)} == due


def test_at_one_instant_a_cancellation_comes_before_a_renewal() -> None:
    dues = [due.what for due in sorted(dues_of(subscription(cancel_at=_END)))]

    assert dues == ["cancel", "renew"]
