"""When reconciling with Stripe is due, and what it remembers."""

from datetime import UTC, datetime

import msgspec
import pytest

from app.domain.stripe_reconcile import NAMED_MAX, Asked, StripeReconcile, Suspect, is_due, is_relist_due, judged


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


NOON = at("2026-11-20T12:00")
STATE = StripeReconcile(watching_since_at=NOON, seen_at=NOON)


@pytest.mark.parametrize(
    ("state", "due"),
    [
        pytest.param(STATE, True, id="never"),
        pytest.param(msgspec.structs.replace(STATE, last_reconcile_at=NOON - 300_000), True, id="long ago"),
        pytest.param(msgspec.structs.replace(STATE, last_reconcile_at=NOON - 299_999), False, id="just now"),
        pytest.param(
            msgspec.structs.replace(STATE, last_reconcile_at=NOON, asked=Asked("key_1:k", NOON)), True, id="asked for"
        ),
    ],
)
def test_events_are_asked_for_every_so_often_and_when_somebody_wants_it(state: StripeReconcile, *, due: bool) -> None:
    assert is_due(state, NOON, interval_ms=300_000) is due


@pytest.mark.parametrize(
    ("relisted", "now", "due"),
    [
        pytest.param(None, "2026-11-20T12:00", False, id="not on the first day"),
        pytest.param(None, "2026-11-21T02:59", False, id="before the hour"),
        pytest.param(None, "2026-11-21T03:00", True, id="at the hour"),
        pytest.param(None, "2026-11-23T17:00", True, id="days later, after an outage"),
        pytest.param("2026-11-21T03:00:01", "2026-11-21T23:59", False, id="once a day"),
        pytest.param("2026-11-21T03:00:01", "2026-11-22T02:59", False, id="not before the next night"),
        pytest.param("2026-11-21T17:00", "2026-11-22T03:01", True, id="the next night"),
    ],
)
def test_the_lists_are_read_once_a_night(relisted: str | None, now: str, *, due: bool) -> None:
    state = msgspec.structs.replace(STATE, last_relist_at=at(relisted) if relisted else None)

    assert is_relist_due(state, at(now), hour=3) is due


def test_drift_adds_up_and_the_last_ones_are_named_newest_first() -> None:
    first = [Suspect("subscription", f"sub_{n}", NOON, NOON) for n in range(NAMED_MAX)]
    suspected = msgspec.structs.replace(STATE, suspects=tuple(first))

    done = judged(judged(suspected, first), [Suspect("price", "price_1", NOON, NOON), first[3]])

    assert (done.suspects, done.drift, len(done.drifted)) == ((), NAMED_MAX + 2, NAMED_MAX)
    assert [found.id for found in done.drifted[:3]] == ["sub_3", "price_1", "sub_99"]
