"""What is printed is whole in a pipe, readable on a terminal, and never in command of it."""

import os
import pty
import subprocess
import sys
from collections.abc import Callable

import pytest
from support.service import ROOT

from app.cli import output
from app.cli.failure import CommandError

ROW = {"id": "sub_" + "x" * 28, "on": True, "note": "word " * 200, "tags": ["a", "b"], "none": None, "zero": 0}
COLUMNS: dict[str, output.Column] = {name.upper(): name for name in ROW}


def test_a_pipe_gets_a_row_whole(capsys: pytest.CaptureFixture[str]) -> None:
    output.records([ROW], COLUMNS, as_json=False)

    output.table(("NOTE", "N"), [["two\nlines", 1]])

    titles, row, _, second = capsys.readouterr().out.splitlines()
    assert titles.split() == list(COLUMNS)
    assert row.split() == [ROW["id"], "yes", *["word"] * 200, "a,", "b", "-", "0"]
    assert second == r"two\nlines  1"


def test_a_terminal_gets_every_character_and_the_first_column_unbroken() -> None:
    code = "import sys; from app.cli import output; output.table(['ID', 'NOTE'], [sys.argv[1:]] * 2)"
    person, terminal = pty.openpty()
    with os.fdopen(person, "rb", buffering=0) as screen, os.fdopen(terminal) as stdout:
        command = [sys.executable, "-c", code, "x" * 30, "y" * 70]
        subprocess.run(command, env={**os.environ, "COLUMNS": "50"}, stdout=stdout, cwd=ROOT, timeout=30, check=True)
        shown = screen.read(10_000).decode()

    assert shown.count("x" * 30) == 2
    assert shown.count("y") == 2 * 70
    assert "…" not in shown


def test_fields_of_fields_get_lines_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    output.fields({"id": "ws_1", "grace": {"days": 0, "by": {"plan": "pro"}}, "metadata": {}, "tags": []})

    assert capsys.readouterr().out.splitlines() == [
        "id             ws_1",
        "grace.days     0",
        "grace.by.plan  pro",
        "metadata       -",
        "tags           -",
    ]


def test_an_empty_section_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    output.section("PRICES", [], COLUMNS)

    assert capsys.readouterr().out == "\nPRICES: none\n"


def test_other_peoples_texts_cannot_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    name = "Ac\x1b[2Jme \u202e \x07 é 日本"

    output.fields({"name": name})
    output.table(("NAME",), [[name]])

    out = capsys.readouterr().out
    assert out.count(r"Ac\x1b[2Jme \u202e \x07 é 日本") == 2
    assert "\x1b" not in out


@pytest.mark.parametrize("line", ["y", "Y", "yes", " YES "])
def test_a_yes_goes_on(typed: Callable[[str], None], capsys: pytest.CaptureFixture[str], line: str) -> None:
    typed(line)

    output.confirm("Archive acme?", yes=False)

    out, err = capsys.readouterr()
    assert (out, err) == ("", "Archive acme? [y/N] ")


@pytest.mark.parametrize("line", ["", "n", "yesterday", "\x04"])
def test_anything_else_does_not(typed: Callable[[str], None], line: str) -> None:
    typed(line)

    with pytest.raises(CommandError) as refused:
        output.confirm("Archive acme?", yes=False)

    assert refused.value.exit_code == 1


def test_yes_asks_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    output.confirm("Archive acme?", yes=True)

    assert capsys.readouterr() == ("", "")
