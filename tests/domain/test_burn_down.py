"""From where an amount is taken, and the balance after it."""

from decimal import Decimal
from typing import Any

import pytest
from support.records import DAY, NOW, balance, meter, pot

from app.domain.bucket import Bucket
from app.domain.burn_down import LATE_COUNT, LATE_MS, Counted, allocate, count, negated, netted, pruned, taken_back
from app.domain.grant import GrantSource
from app.domain.period import Period
from app.domain.plan import LimitBehavior, ResetPeriod
from app.domain.supply import Supply, Window
from app.domain.usage import Draw, UsageLine, UsageWindow, WindowRef

MONTH = UsageWindow(ResetPeriod.MONTH, NOW - DAY, NOW + 29 * DAY)
EVER = UsageWindow(ResetPeriod.NEVER, 0, None)
COUNTED = Counted((MONTH, EVER))
REFS = COUNTED.refs


def window(amount: int | None, used: int = 0, behavior: LimitBehavior = LimitBehavior.HARD, **fields: Any) -> Window:
    return Window(
        ref=WindowRef(ResetPeriod.MONTH, MONTH.start_at),
        period=Period(MONTH.start_at, MONTH.end_at),
        amount=None if amount is None else Decimal(amount),
        behavior=behavior,
        used=Decimal(used),
        reserved=Decimal(0),
        **fields,
    )


def bucket(id: str, amount: int | None, **fields: Any) -> Bucket:
    return Bucket(
        **{
            "id": id,
            "source": GrantSource.TOP_UP,
            "source_id": "ws_1",
            "amount": None if amount is None else Decimal(amount),
            "used": Decimal(0),
            "reserved": Decimal(0),
            "start_at": NOW - DAY,
            "ends_at": None,
            "effective_at": NOW - DAY,
            **fields,
        }
    )


def supply(*buckets: Bucket, windows: tuple[Window, ...] = ()) -> Supply:
    ordered = tuple(sorted(buckets, key=lambda bucket: bucket.rank))
    return Supply(alternatives=(windows,) if windows else (), buckets=ordered, turns=())


def line(*draws: Draw) -> UsageLine:
    amount = sum((draw.amount for draw in draws), Decimal(0))
    return UsageLine(feature_key="credits", balance_key="credits", amount=amount, charge=amount, draws=draws)


def of_plans(amount: int | str, refs: tuple[WindowRef, ...] = REFS) -> Draw:
    return Draw(amount=Decimal(amount), windows=refs)


def of_pot(amount: int | str, id: str = "grant_1", start_at: int = NOW - DAY) -> Draw:
    return Draw(amount=Decimal(amount), pot=id, pot_start_at=start_at)


class TestAllocate:
    SOON = bucket("soon", 3, ends_at=NOW + DAY)
    LATER = bucket("later", 5, ends_at=NOW + 99 * DAY)
    FIRST = bucket("first", 2, priority=1)

    @pytest.mark.parametrize(
        ("buckets", "windows", "charge", "draws"),
        [
            pytest.param([], [window(10)], 4, [(None, 4)], id="the plan alone"),
            pytest.param([FIRST], [window(10)], 4, [("first", 2), (None, 2)], id="lower priority first"),
            pytest.param([SOON, LATER], [window(4)], 9, [("soon", 3), (None, 4), ("later", 2)], id="earlier end"),
            pytest.param([LATER], [window(4, 9)], 2, [("later", 2)], id="the plan is used up"),
            pytest.param(
                [LATER],
                [window(4, 0, LimitBehavior.OVERAGE)],
                12,
                [(None, 7), ("later", 5)],
                id="what goes beyond is the plan's, after all pots",
            ),
            pytest.param([SOON], [window(None)], 50, [(None, 50)], id="an unlimited plan spares the pots"),
            pytest.param(
                [SOON, bucket("endless", None, priority=900)],
                [window(4)],
                50,
                [("endless", 50)],
                id="an unlimited pot spares all",
            ),
            pytest.param([SOON, LATER], [], 20, [("soon", 3), ("later", 17)], id="the last pot is overdrawn"),
            pytest.param([], [], 3, [(None, 3)], id="nothing gives, and yet it has happened"),
            pytest.param([], [window(4)], -2, [(None, -2)], id="a level falls"),
            pytest.param([LATER], [window(4)], 0, [], id="nothing"),
        ],
    )
    def test_order(
        self, buckets: list[Bucket], windows: list[Window], charge: int, draws: list[tuple[str | None, int]]
    ) -> None:
        found = allocate(supply(*buckets, windows=tuple(windows)), COUNTED, Decimal(charge))

        assert [(draw.pot, draw.amount) for draw in found] == draws
        assert all(draw.windows == (() if draw.pot else REFS) for draw in found)

    def test_what_was_carried_into_a_window_that_no_plan_sets_counts_in_that_window(self) -> None:
        ref = WindowRef(ResetPeriod.DAY, NOW)
        carried = bucket("rollover:DAY", 3, source=GrantSource.ROLLOVER, window=ref, ends_at=NOW + 1, start_at=NOW)

        found = allocate(supply(carried, windows=(window(10),)), COUNTED, Decimal(4))

        assert found == (Draw(amount=Decimal(3), windows=(ref,)), of_plans(1))


class TestCount:
    def test_windows_open_with_what_plans_say_of_them(self) -> None:
        decided = window(10, rollover_max=Decimal(4), carried=Decimal(2), chain="sub_1")

        after = count(balance(), [line(of_plans(3))], supply=supply(windows=(decided,)), counted=COUNTED, at=NOW)

        assert after.meters["credits"] == (
            meter(3, MONTH.start_at, end_at=MONTH.end_at, **TERMS),
            meter(3, 0, ResetPeriod.NEVER, None),
        )

    def test_a_window_that_is_over_keeps_the_limit_it_had(self) -> None:
        over = meter(3, MONTH.start_at, end_at=MONTH.end_at, **TERMS)
        later = supply(windows=(window(999, rollover_max=Decimal(999)),))

        after = count(
            balance(meters={"credits": (over,)}), [line(of_plans(1))], supply=later, counted=COUNTED, at=NOW + 30 * DAY
        )

        assert after.meters["credits"][0] == meter(4, MONTH.start_at, end_at=MONTH.end_at, **TERMS)

    def test_the_end_of_a_window_follows_what_stripe_says(self) -> None:
        before = balance(meters={"credits": (meter(3, MONTH.start_at, end_at=None),)})

        after = count(before, [line(of_plans(1))], supply=supply(), counted=COUNTED, at=NOW)

        assert [(each.used, each.end_at) for each in after.meters["credits"]] == [(4, MONTH.end_at), (1, None)]

    def test_draws_on_what_is_forgotten_change_nothing(self) -> None:
        gone = line(of_plans(1, (WindowRef(ResetPeriod.DAY, 5),)), of_pot(2, "gone"))

        assert count(balance(), [gone], supply=supply(), counted=COUNTED, at=NOW) == balance()

    def test_pots_open_and_add_up(self) -> None:
        found = supply(bucket("grant_1", 9, ends_at=NOW + DAY))
        before = balance(pots={"credits": (pot(4, "grant_2"),)})

        once = count(before, [line(of_pot(2))], supply=found, counted=COUNTED, at=NOW)
        twice = count(once, [line(of_pot("0.5"), of_pot(-1, "grant_2"))], supply=found, counted=COUNTED, at=NOW)

        assert twice.pots["credits"] == (pot(3, "grant_2"), pot("2.5", end_at=NOW + DAY))


TERMS: dict[str, Any] = {
    "limit": Decimal(10),
    "rollover_max": Decimal(4),
    "carried": Decimal(2),
    "chain": "sub_1",
}


class TestDraws:
    @pytest.mark.parametrize(
        ("amount", "kept", "returned"),
        [
            pytest.param(0, [], [3, 2], id="none"),
            pytest.param(1, [1], [2, 2], id="a part of the first"),
            pytest.param(3, [3], [2], id="the first"),
            pytest.param(4, [3, 1], [1], id="a part of the second"),
            pytest.param(9, [3, 2], [], id="more than all"),
        ],
    )
    def test_taken_back(self, amount: int, kept: list[int], returned: list[int]) -> None:
        stays, goes = taken_back((of_pot(3), of_plans(2)), Decimal(amount))

        assert ([draw.amount for draw in stays], [draw.amount for draw in goes]) == (kept, returned)

    def test_netted_adds_up_by_place(self) -> None:
        first = line(of_pot(3), of_plans(2))
        correction = line(*negated((of_plans(2), of_pot(1))))

        assert netted((first, correction, line(of_pot(5)))) == (of_pot(7),)


class TestPruned:
    def kept(self, *meters: Any, counted: tuple[UsageWindow, ...] = (), at: int = NOW) -> list[int]:
        after = pruned(balance(meters={"credits": meters}), "credits", supply(), Counted(counted), at=at)
        return [each.start_at for each in after.meters.get("credits", ())]

    def test_what_runs_stays(self) -> None:
        day = meter(1, 1, ResetPeriod.DAY, NOW + 1)

        assert self.kept(day, meter(1, 2, ResetPeriod.NEVER, None)) == [1, 2]

    def test_of_what_ended_lately_the_last_few_stay(self) -> None:
        hours = [meter(1, n, ResetPeriod.HOUR, NOW - 10 + n) for n in range(8)]

        assert self.kept(*hours) == [8 - n for n in range(LATE_COUNT, 0, -1)]
        assert self.kept(*hours, at=NOW + LATE_MS) == []

    def test_a_window_whose_end_was_moved_stays(self) -> None:
        old = meter(1, 5, ResetPeriod.BILLING_CYCLE, NOW - LATE_MS)

        assert self.kept(old) == []
        assert self.kept(old, counted=(UsageWindow(ResetPeriod.BILLING_CYCLE, 5, NOW + DAY),)) == [5]

    def test_a_cycle_whose_end_was_never_told_goes_when_a_later_one_runs(self) -> None:
        untold, over = meter(1, 5, ResetPeriod.BILLING_CYCLE, None), meter(1, 4, ResetPeriod.DAY, NOW - LATE_MS)

        assert self.kept(untold, over, counted=(UsageWindow(ResetPeriod.BILLING_CYCLE, 9, None),)) == []

    def test_the_last_window_that_passes_something_on_stays_whatever_its_age(self) -> None:
        years = 1000 * DAY
        terms = {"limit": Decimal(5), "rollover_max": Decimal(5)}
        windows = [
            meter(1, 1, end_at=NOW - years, chain="sub_1", **terms),
            meter(1, 2, end_at=NOW - years, chain="sub_1", **terms),
            meter(1, 3, end_at=NOW - years, chain="sub_2", limit=Decimal(5)),
            meter(1, 4, end_at=NOW - years, chain="sub_3", limit=Decimal(5)),
            meter(1, 5, end_at=NOW - years),
        ]

        assert self.kept(*windows) == [2, 4]

    def test_a_pot_stays_while_it_is_full_again_lately_ended_or_still_given(self) -> None:
        pots = (
            pot(1, "a", end_at=NOW - LATE_MS),
            pot(1, "b", end_at=NOW - 1),
            pot(1, "c"),
            pot(1, "d", end_at=NOW - LATE_MS),
        )
        before = balance(pots={"credits": pots})

        after = pruned(before, "credits", supply(bucket("d", 5)), Counted(), at=NOW)

        assert [each.id for each in after.pots["credits"]] == ["b", "c", "d"]

    def test_other_features_are_left_alone(self) -> None:
        old = (meter(1, 1, end_at=NOW - LATE_MS),)

        after = pruned(balance(meters={"credits": old, "calls": old}), "credits", supply(), Counted(), at=NOW)

        assert after.meters == {"calls": old}
