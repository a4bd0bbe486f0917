"""The command line as a whole: help, version, wrong usage."""

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from support.command import Command
from support.service import COMMAND
from typer.main import get_command

from app.cli.main import app

COMMANDS = (
    *("serve", "demo", "sandbox", "doctor", "check", "status", "resync"),
    *(
        "workspaces",
        "features",
        "plans",
        "grants",
        "overrides",
        "usage",
        "events",
        "billing-events",
        "keys",
        "audit",
        "schema",
    ),
)


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
        ("sandbox", "--port", "99999"),
        ("sandbox", "--webhook-secret", "whsec_x"),
        ("sandbox", "--webhook-url", "localhost:80"),
        ("sandbox", "--api-version", "newest"),
        ("sandbox", "--seed", "any"),
        ("--json",),
        ("grants", "add", "acme", "sso", "--source", "PLAN"),
        ("overrides", "set", "acme", "sso", "--reset-period", "FORTNIGHT"),
        ("workspaces", "list", "--limit", "0"),
        ("usage", "record", "acme"),
        ("audit", "query", "--limit", "0"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_one_line(
    entitled: Command, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setenv("ENTITLED_API_KEY", "ent_key_1_x")

    ran = entitled(*arguments)

    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("usage", "record", "acme", "seats", "5"), "(5). See `entitled usage record --help`."),
        (("usag",), "Did you mean 'usage'? See `entitled --help`."),
        (("events", "list", "--status", "LOST"), ": 'LOST' is not one of 'received',"),
    ],
)
def test_wrong_usage_says_where_right_usage_is_told(entitled: Command, arguments: tuple[str, ...], told: str) -> None:
    assert told in entitled(*arguments).err


@pytest.mark.parametrize("noun", COMMANDS[7:])
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


def leaves(command: Any, *path: str) -> Iterator[tuple[str, Any]]:
    """Yield every command under its whole name."""
    for name, below in getattr(command, "commands", {}).items():
        yield from leaves(below, *path, name)
    yield " ".join(path), command


@pytest.mark.parametrize(("name", "command"), list(leaves(get_command(app))))
def test_every_command_and_every_option_has_help(name: str, command: Any) -> None:
    silent = [parameter.name for parameter in command.params if not parameter.help]

    assert (name, silent, bool(command.help)) == (name, [], True)


def in_bash(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a bash whose PATH has the command."""
    path = f"{COMMAND.parent}{os.pathsep}{os.environ['PATH']}"
    command = ["bash", "--norc", "-c", f"{script}\nexit $?"]  # two lines, so that bash stays the command's parent
    env = {**os.environ, "PATH": path, **environment}
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("w", ["workspaces"]),
        ("workspaces ", ["list", "show", "create", "archive"]),
        ("workspaces archive --y", ["--yes"]),
        ("events list --status pa", ["PARKED"]),
        ("sa", ["sandbox"]),
        ("sandbox --webhook", ["--webhook-url", "--webhook-secret"]),
    ],
)
def test_bash_completes_what_is_typed(typed: str, offered: list[str]) -> None:
    words = f"entitled {typed}".split(" ")
    script = f"""source <(entitled --show-completion bash)
        COMP_WORDS=({" ".join(words)}) COMP_CWORD={len(words) - 1}
        _entitled_completion entitled
        printf '%s\\n' "${{COMPREPLY[@]}}" """

    assert in_bash(script).stdout.split() == offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_the_completion_of_any_shell_is_shown(entitled: Command, shell: str) -> None:
    ran = entitled("--show-completion", shell)

    assert ran.code == 0
    assert f"_ENTITLED_COMPLETE=complete_{shell}" in ran.out.replace('"', "").replace(" = ", "=")


def test_a_shell_that_cannot_complete_is_refused(entitled: Command) -> None:
    ran = entitled("--show-completion", "tcsh")

    assert (ran.code, ran.out, "tcsh" in ran.err) == (1, "", True)


def test_completion_installs_itself_in_the_shell_it_is_run_in(tmp_path: Path) -> None:
    shown = in_bash("entitled --show-completion")
    installed = in_bash("entitled --install-completion", HOME=str(tmp_path))

    assert (shown.returncode, installed.returncode) == (0, 0)
    assert (tmp_path / ".bash_completions" / "entitled.sh").read_text().strip() == shown.stdout.strip()
    assert "entitled.sh" in (tmp_path / ".bashrc").read_text()


def test_completion_ends_with_a_code(entitled: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMP_WORDS", "entitled plans ")
    monkeypatch.setenv("COMP_CWORD", "2")
    monkeypatch.setenv("_ENTITLED_COMPLETE", "complete_bash")
    offered = entitled()
    monkeypatch.setenv("_ENTITLED_COMPLETE", "guess_bash")
    unknown = entitled()

    assert (offered.code, offered.err) == (0, "")
    assert offered.out.split()[:2] == ["list", "show"]
    assert (unknown.code, unknown.out) == (1, "")


def test_completion_loads_no_heavy_library() -> None:
    code = """import sys; from app.cli.main import run; run([]); print(*(
        {"strawberry", "pymongo", "httpx", "stripe", "rich", "msgspec"} & set(sys.modules)))"""
    asked = {"_ENTITLED_COMPLETE": "complete_bash", "COMP_WORDS": "entitled overrides set a b --r", "COMP_CWORD": "5"}

    told = subprocess.check_output([sys.executable, "-c", code], text=True, env={**os.environ, **asked})

    assert told.split() == ["--revoked", "--reset-period", "--reason"]
