"""Slices of time: where they start and end, and which ranges are refused."""

from datetime import UTC, datetime

import pytest

from app.domain.faults import LAST_INSTANT
from app.domain.usage_summary import SLICES_MAX, Granularity, Slice, range_faults, slice_start, slices

HOUR, DAY, MONTH = Granularity.HOUR, Granularity.DAY, Granularity.MONTH
HOUR_MS = 3_600_000


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("granularity", "start"),
    [(HOUR, "2028-02-29T13:00"), (DAY, "2028-02-29"), (MONTH, "2028-02-01")],
)
def test_a_slice_starts_at_its_boundary_and_holds_it(granularity: Granularity, start: str) -> None:
    inside = at("2028-02-29T13:59:59.999")

    assert slice_start(granularity, inside) == at(start)
    assert slice_start(granularity, at(start)) == at(start)


def test_months_are_as_long_as_they_are() -> None:
    found = slices(MONTH, at("2028-01-31T23:59"), at("2028-03-01T00:00:00.001"), {})

    assert [(part.start_at, part.end_at) for part in found] == [
        (at("2028-01-01"), at("2028-02-01")),
        (at("2028-02-01"), at("2028-03-01")),
        (at("2028-03-01"), at("2028-04-01")),
    ]


def test_what_was_found_stands_among_empty_slices() -> None:
    full = Slice(at("2028-02-29T02:00"), at("2028-02-29T03:00"), events=7)

    found = slices(HOUR, at("2028-02-29T01:30"), at("2028-02-29T04:00"), {full.start_at: full})

    assert [part.events for part in found] == [0, 7, 0]


@pytest.mark.parametrize(
    ("granularity", "since", "until", "paths"),
    [
        pytest.param(DAY, "2028-02-01", "2028-02-02", [], id="a day"),
        pytest.param(DAY, "2028-02-01", "2028-02-01", [("to",)], id="nothing"),
        pytest.param(DAY, "2028-02-02", "2028-02-01", [("to",)], id="backwards"),
        pytest.param(HOUR, "2028-01-01", "2028-03-01", [("granularity",)], id="too many"),
        pytest.param(MONTH, "9999-11-01", "9999-12-02", [("to",)], id="the end of dates"),
    ],
)
def test_a_range_is_checked(granularity: Granularity, since: str, until: str, paths: list[tuple[str]]) -> None:
    assert [fault.path for fault in range_faults(granularity, at(since), at(until))] == paths


@pytest.mark.parametrize("granularity", Granularity)
def test_every_slice_of_a_range_that_passes_ends_at_a_date(granularity: Granularity) -> None:
    until = next(at for at in range(LAST_INSTANT, 0, -HOUR_MS) if not [*range_faults(granularity, at - 1, at)])

    assert slices(granularity, until - 1, until, {})[-1].end_at <= LAST_INSTANT


def test_as_many_slices_as_are_allowed_are_made() -> None:
    since = at("2028-01-01")

    assert not [*range_faults(HOUR, since, since + SLICES_MAX * HOUR_MS)]
    assert len(slices(HOUR, since, since + SLICES_MAX * HOUR_MS, {})) == SLICES_MAX
