"""The command line as a whole: help, version, wrong usage."""

import os
import subprocess
import sys
from importlib.metadata import version

import pytest
from support.command import Command

COMMANDS = ("serve", "demo", "doctor", "check", "resync", "events", "keys", "schema")


def test_the_version_is_the_distributions(entitled: Command) -> None:
    ran = entitled("--version")

    assert (ran.code, ran.out) == (0, f"entitled {version('entitled')}\n")


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",)])
def test_help_names_every_command_and_the_exit_codes(entitled: Command, arguments: tuple[str, ...]) -> None:
    ran = entitled(*arguments)

    assert ran.code == 0
    words = ran.out.split()
    assert [name for name in COMMANDS if name not in words] == []
    assert "69" in words
    assert "ENTITLED_API_KEY." in words


@pytest.mark.parametrize(
    "arguments",
    [
        ("check",),
        ("check", "acme"),
        ("chekc", "acme", "sso"),
        ("check", "acme", "sso", "--amount", "1"),
        ("events", "list", "--first", "0"),
        ("events", "list", "--status", "LOST"),
        ("serve", "--port", "99999"),
        ("serve", "--data-dir", "there"),
        ("--json",),
    ],
)
def test_wrong_usage_is_exit_code_2_and_one_line(
    entitled: Command, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setenv("ENTITLED_API_KEY", "ent_key_1_x")

    ran = entitled(*arguments)

    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)


@pytest.mark.parametrize("noun", ["events", "keys", "schema"])
def test_a_noun_alone_shows_its_verbs_and_nothing_else(entitled: Command, noun: str) -> None:
    ran = entitled(noun)

    assert ran.code == 2
    assert f"Usage: entitled {noun}" in ran.out + ran.err
    assert "entitled: \n" not in ran.err


def test_a_reader_that_closes_early_leaves_no_traceback() -> None:
    command = [sys.executable, "-c", "from app.cli.main import main; main()", "schema", "export"]
    reads, writes = os.pipe()
    os.close(reads)
    with os.fdopen(writes, "wb") as closed:
        ended = subprocess.run(command, stdout=closed, stderr=subprocess.PIPE, text=True, timeout=30, check=False)

    assert ended.returncode in (0, 1)
    assert ended.stderr == ""


def test_light_commands_load_no_heavy_library() -> None:
    heavy = {"strawberry", "pymongo", "httpx", "stripe"}
    code = f"import sys, app.cli.main; print(*({heavy} & set(sys.modules)))"

    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "\n"
