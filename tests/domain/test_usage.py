"""What recording usage makes of a balance."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.records import DAY, NOW, feature

from app.domain.entitlement import UsageWindow
from app.domain.errors import ValidationError
from app.domain.faults import refuse
from app.domain.plan import FeatureType, MeterType, ResetPeriod
from app.domain.usage import Balance, Meter, UsageEvent, amount_faults, record

CALLS = feature("api_calls")
SEATS = feature("seats", meter_type=MeterType.FLUCTUATING)
EVER = UsageWindow(ResetPeriod.NEVER, 0, None)
MONTH = UsageWindow(ResetPeriod.MONTH, NOW - DAY, NOW + 29 * DAY)


def event(amount: int | str | Decimal, at: int = NOW) -> UsageEvent:
    return UsageEvent(
        id="use_1",
        workspace_id="ws_1",
        feature_key="any",
        amount=Decimal(amount),
        recorded_at=at,
        principal="key_1",
        input_digest="d",
    )


def used(balance: Balance, key: str = "api_calls") -> dict[tuple[ResetPeriod, int], Decimal]:
    return {(meter.reset_period, meter.start_at): meter.used for meter in balance.meters[key]}


def test_first_usage_opens_every_window_at_zero() -> None:
    balance = record(None, feature=CALLS, windows=(EVER, MONTH), event=event(3))

    assert (balance.id, balance.version) == ("ws_1", 0)
    assert used(balance) == {(ResetPeriod.NEVER, 0): Decimal(3), (ResetPeriod.MONTH, NOW - DAY): Decimal(3)}


def test_a_new_window_starts_at_zero_and_the_ended_one_is_dropped() -> None:
    next_month = UsageWindow(ResetPeriod.MONTH, NOW + 29 * DAY, NOW + 60 * DAY)
    before = record(None, feature=CALLS, windows=(EVER, MONTH), event=event(3))

    after = record(before, feature=CALLS, windows=(EVER, next_month), event=event(4, at=NOW + 29 * DAY))

    assert used(after) == {(ResetPeriod.NEVER, 0): Decimal(7), (ResetPeriod.MONTH, NOW + 29 * DAY): Decimal(4)}


def test_other_features_stay_and_lose_only_what_has_ended() -> None:
    before = record(None, feature=feature("emails"), windows=(EVER, MONTH), event=event(5))
    only_month = record(before, feature=feature("exports"), windows=(MONTH,), event=event(1))

    after = record(only_month, feature=CALLS, windows=(EVER,), event=event(1, at=NOW + 29 * DAY))

    assert used(after, "emails") == {(ResetPeriod.NEVER, 0): Decimal(5)}
    assert "exports" not in after.meters


def test_a_running_window_that_no_plan_counts_in_is_kept() -> None:
    before = record(None, feature=CALLS, windows=(EVER, MONTH), event=event(3))

    after = record(before, feature=CALLS, windows=(EVER,), event=event(1))

    assert used(after)[ResetPeriod.MONTH, NOW - DAY] == 3


def test_the_end_of_a_window_follows_what_the_processor_says() -> None:
    moved = UsageWindow(ResetPeriod.MONTH, MONTH.start_at, NOW + 5 * DAY)
    before = record(None, feature=CALLS, windows=(MONTH,), event=event(3))

    after = record(before, feature=CALLS, windows=(moved,), event=event(1))

    expected = Meter(reset_period=ResetPeriod.MONTH, start_at=MONTH.start_at, end_at=NOW + 5 * DAY, used=Decimal(4))
    assert after.meters["api_calls"] == (expected,)


def test_a_level_never_falls_below_zero() -> None:
    before = record(None, feature=SEATS, windows=(EVER,), event=event(2))

    assert used(record(before, feature=SEATS, windows=(EVER,), event=event(-2)), "seats") == {
        (ResetPeriod.NEVER, 0): Decimal(0)
    }
    with pytest.raises(ValidationError, match="below 0"):
        record(before, feature=SEATS, windows=(EVER,), event=event(-3))


def test_a_level_is_the_same_in_a_window_that_a_grant_opens_later() -> None:
    granted = UsageWindow(ResetPeriod.NEVER, NOW, None)
    before = record(None, feature=SEATS, windows=(EVER,), event=event(5))

    after = record(before, feature=SEATS, windows=(EVER, granted), event=event(-1))

    assert used(after, "seats") == {(ResetPeriod.NEVER, 0): Decimal(4), (ResetPeriod.NEVER, NOW): Decimal(4)}


@pytest.mark.parametrize(
    ("given_feature", "amount"),
    [
        pytest.param(CALLS, "0", id="zero"),
        pytest.param(CALLS, "-1", id="incremental falls"),
        pytest.param(SEATS, "0", id="level does not move"),
        pytest.param(CALLS, "NaN", id="nan"),
        pytest.param(CALLS, "Infinity", id="infinite"),
        pytest.param(CALLS, "1E+15", id="too large"),
        pytest.param(SEATS, "-1E+15", id="too far down"),
        pytest.param(CALLS, "0.0000000001", id="too fine"),
        pytest.param(feature("sso", FeatureType.BOOLEAN), "1", id="not metered"),
    ],
)
def test_amounts_that_are_refused(given_feature: object, amount: str) -> None:
    with pytest.raises(ValidationError):
        refuse(amount_faults(given_feature, Decimal(amount)))  # pyright: ignore[reportArgumentType] - of the table


amounts = st.decimals(min_value="0.000000001", max_value="999999999999999", places=9).filter(lambda a: a > 0)


@given(st.lists(amounts, min_size=1, max_size=30))
def test_what_is_recorded_sums_up_exactly(reported: list[Decimal]) -> None:
    balance: Balance | None = None
    for amount in reported:
        refuse(amount_faults(CALLS, amount))
        balance = record(balance, feature=CALLS, windows=(EVER, MONTH), event=event(amount))

    assert balance is not None
    assert set(used(balance).values()) == {Decimal(sum(int(a * 10**9) for a in reported)).scaleb(-9)}
