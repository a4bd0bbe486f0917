"""Requests of usage that are refused, and where the fault is."""

import pytest
from support.faults import shown
from support.records import DAY, NOW, wanted

from app.domain.consumption import Wanted
from app.domain.usage_rules import (
    CLOCK_SKEW_MS,
    LINES_MAX,
    PROPERTIES_MAX,
    PROPERTY_NAME_MAX,
    TTL_MAX_S,
    line_faults,
    occurrence_faults,
    property_faults,
    ttl_faults,
)

OUT = "OUT_OF_RANGE"


@pytest.mark.parametrize(
    ("lines", "faults"),
    [
        pytest.param([wanted("0.000000001")], set(), id="the least"),
        pytest.param([wanted(1)] * LINES_MAX, set(), id="the most lines"),
        pytest.param([], {("input.lines", OUT)}, id="none"),
        pytest.param([wanted(1)] * (LINES_MAX + 1), {("input.lines", OUT)}, id="too many"),
        pytest.param([wanted(1), wanted(0)], {("input.lines.1.amount", OUT)}, id="nothing"),
        pytest.param([wanted(-1)], {("input.lines.0.amount", OUT)}, id="less than nothing"),
        pytest.param([wanted("0.0000000001")], {("input.lines.0.amount", OUT)}, id="too fine"),
        pytest.param([wanted("NaN")], {("input.lines.0.amount", OUT)}, id="no number"),
        pytest.param([wanted(1, "a\0")], {("input.lines.0.featureKey", "INVALID_CHARACTER")}, id="unstorable key"),
    ],
)
def test_lines(lines: list[Wanted], faults: set[tuple[str, str]]) -> None:
    assert shown(line_faults(lines)) == faults


def test_what_was_really_used_may_be_nothing() -> None:
    assert shown(line_faults([], name="actual", may_be_zero=True)) == set()
    assert shown(line_faults([wanted(0)], name="actual", may_be_zero=True)) == set()
    assert shown(line_faults([wanted(-1)], name="actual", may_be_zero=True)) == {("input.actual.0.amount", OUT)}


@pytest.mark.parametrize(("ttl_s", "is_wrong"), [(0, True), (1, False), (TTL_MAX_S, False), (TTL_MAX_S + 1, True)])
def test_how_long_a_reservation_lasts(ttl_s: int, is_wrong: bool) -> None:  # noqa: FBT001
    assert shown(ttl_faults(ttl_s)) == ({("input.ttlSeconds", OUT)} if is_wrong else set())


@pytest.mark.parametrize(
    ("occurred_at", "problem"),
    [
        pytest.param(None, None, id="now"),
        pytest.param(NOW - DAY, None, id="as long ago as may be"),
        pytest.param(NOW - DAY - 1, "occurredAt lies more than 24 hours back", id="too long ago"),
        pytest.param(NOW + CLOCK_SKEW_MS, None, id="by a clock that is ahead"),
        pytest.param(NOW + CLOCK_SKEW_MS + 1, "occurredAt lies in the future", id="in the future"),
    ],
)
def test_when_usage_happened(occurred_at: int | None, problem: str | None) -> None:
    found = [(fault.path, fault.message) for fault in occurrence_faults(occurred_at, NOW, backdate_ms=DAY)]

    assert found == ([] if problem is None else [(("input", "occurredAt"), problem)])


@pytest.mark.parametrize(
    ("properties", "faults"),
    [
        pytest.param({"n" * PROPERTY_NAME_MAX: "eu"}, set(), id="the longest name"),
        pytest.param({str(number): "x" for number in range(PROPERTIES_MAX)}, set(), id="the most"),
        pytest.param(
            {str(number): "x" for number in range(PROPERTIES_MAX + 1)},
            {("input.properties", "TOO_MANY")},
            id="too many",
        ),
        pytest.param({"$where": "1"}, {("input.properties.$where", "INVALID_CHARACTER")}, id="an operator"),
        pytest.param({"a.b": "1"}, {("input.properties.a.b", "INVALID_CHARACTER")}, id="a path"),
        pytest.param({"region": ""}, {("input.properties.region", "EMPTY")}, id="an empty value"),
        pytest.param(
            {"n" * (PROPERTY_NAME_MAX + 1): "eu"},
            {(f"input.properties.{'n' * (PROPERTY_NAME_MAX + 1)}", "TOO_LONG")},
            id="a long name",
        ),
    ],
)
def test_what_is_added_for_the_record(properties: dict[str, str], faults: set[tuple[str, str]]) -> None:
    assert shown(property_faults(properties)) == faults
