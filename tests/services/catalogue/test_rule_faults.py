"""Faults of the rules in the file's words, at the file's places."""

import pytest

from app.domain.errors import FieldError
from app.services.catalogue.rule_faults import note_rule_faults
from app.services.catalogue.section import Faults
from app.services.catalogue.syntax import Path, parse

SOURCE = """\
default_plan = "pro"
[plans.pro]
name = "Pro"
trial_days = -1
prices = [{ lookup_key = "" }]
[plans.pro.features]
seats = -1
calls = [{ limit = -1 }, { limit = 2 }]
"""
PRO: Path = ("plans", "pro")
SEATS: Path = (*PRO, "features", "seats")
ROWS: dict[Path, Path] = {
    ("features", "0"): SEATS,
    ("features", "1"): (*PRO, "features", "calls", "0"),
}


def noted(path: str, code: str = "WRONG", problem: str = "is wrong", *, unread: Path | None = None) -> list[str]:
    """Note one fault of a rule and return it as `line:column message`."""
    faults = Faults(parse(SOURCE))
    if unread:
        faults.at_value(unread, "WRONG_TYPE", "is no number")
    error = FieldError(("input", *path.split(".")), code, f"{path} {problem}")
    note_rule_faults(faults, [error], PRO, ROWS)
    return [f"{f.line}:{f.column} {f.message}" for f in faults.found]


@pytest.mark.parametrize(
    ("path", "told"),
    [
        pytest.param("trialDays", "4:14 plans.pro.trial_days is wrong", id="a field of the plan"),
        pytest.param("key", "2:8 plans.pro is wrong", id="its key"),
        pytest.param("prices.0.lookupKey", "5:26 plans.pro.prices.0.lookup_key is wrong", id="in a list"),
        pytest.param("isDefault", "1:16 default_plan is wrong", id="what stands at the top of the file"),
        pytest.param("features.0.featureKey", "7:1 plans.pro.features.seats is wrong", id="the key of a row"),
        pytest.param("features.1.limit", "8:20 plans.pro.features.calls.0.limit is wrong", id="one of several windows"),
        pytest.param("features.1", "8:10 plans.pro.features.calls.0 is wrong", id="the row itself"),
    ],
)
def test_a_fault_stands_where_the_file_says_it(path: str, told: str) -> None:
    assert noted(path) == [told]


def test_what_the_file_says_in_one_value_is_told_of_that_value() -> None:
    assert noted("features.0.limit") == ["7:9 plans.pro.features.seats is wrong"]


def test_what_is_missing_is_told_by_its_own_name() -> None:
    assert noted("features.0.resetPeriod", "REQUIRED", "is needed") == ["7:9 plans.pro.features.seats.reset is needed"]


def test_the_names_of_the_api_become_the_files() -> None:
    assert noted("trialDays", problem="needs lookupKey or stripePriceId, and no resetPeriods") == [
        "4:14 plans.pro.trial_days needs lookup_key or id, and no resetPeriods"
    ]


@pytest.mark.parametrize("unread", [(*PRO, "trial_days"), PRO])
def test_nothing_is_said_of_what_could_not_be_read(unread: Path) -> None:
    assert len(noted("trialDays", unread=unread)) == 1
    assert len(noted("isDefault", unread=unread)) == 2
