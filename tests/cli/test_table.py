"""A terminal of any width shows a table that can be read and copied from."""

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Sequence

import pytest
from support.service import ROOT

TITLES = ("MIGRATION", "PLAN", "REASON", "TOLD", "ENDED")
ID = "mig_01a1fe70f4ab74c2aa27ce24461483c3"
ROW = (ID, "pro", "-", "customer.subscription.updated", "2026-11-21T14:09:38.065Z")


def shown(width: int, titles: Sequence[str], *rows: Sequence[str]) -> list[str]:
    """Return what a terminal of that width is given."""
    code = "import json, sys; from app.cli import output; output.table(*json.loads(sys.argv[1]))"
    person, terminal = pty.openpty()
    with os.fdopen(person, "rb", buffering=0) as screen, os.fdopen(terminal) as stdout:
        command = [sys.executable, "-c", code, json.dumps([titles, rows])]
        environment = {**os.environ, "COLUMNS": str(width), "TERM": "xterm"}
        subprocess.run(command, env=environment, stdout=stdout, cwd=ROOT, timeout=30, check=True)
        text = re.sub(r"\x1b\[\d+m", "", screen.read(10_000).decode())
    return [line.rstrip() for line in text.splitlines()]


def test_a_wide_one_shows_every_column_and_times_for_people() -> None:
    titles, row = shown(200, TITLES, ROW)

    assert titles.split() == list(TITLES)
    assert row.split() == [ID, "pro", "-", "customer.subscription.updated", "2026-11-21", "14:09:38Z"]


def test_a_narrower_one_leaves_out_what_says_nothing_and_folds_at_words() -> None:
    assert shown(70, TITLES, ROW) == [
        "MIGRATION                             PLAN  TOLD           ENDED",
        f"{ID}  pro   customer.      2026-11-21",
        "                                            subscription.  14:09:38Z",
        "                                            updated",
    ]


def test_the_first_column_folds_last_and_an_id_never() -> None:
    titles, first, second = shown(28, ("FEATURE", "NOTE"), ("max_storage_per_detection_mb", "some words"))

    assert (titles.split(), first.split(), second.split()) == (
        ["FEATURE", "NOTE"],
        ["max_storage_per_", "some", "words"],
        ["detection_mb"],
    )


@pytest.mark.parametrize("width", [20, 50])
def test_one_too_narrow_gets_a_line_per_cell(width: int) -> None:
    one = [
        f"MIGRATION  {ID}",
        "PLAN       pro",
        "TOLD       customer.subscription.updated",
        "ENDED      2026-11-21 14:09:38Z",
    ]

    assert shown(width, TITLES, ROW, ROW) == [*one, "", *one]


def test_an_empty_one_has_its_titles() -> None:
    assert shown(40, TITLES)[0].split() == list(TITLES)
