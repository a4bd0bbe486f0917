"""The examples gate a feature in ten lines, against the real service and without it."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from support import graphql_server
from support.denial import denied
from support.node import find_node
from support.service import ROOT, Service, free_port

NODE = find_node()


@dataclass(frozen=True)
class Example:
    """One language's gate, and how it is run."""

    path: str
    command: str | None
    closed: str
    open: str
    ends: str

    def run(self, url: str, key: str, workspace: str, feature: str, *, copy: Path | None = None) -> tuple[int, str]:
        """Return the exit code, and what was printed last."""
        script = (copy or ROOT / "clients") / self.path
        said = subprocess.run(
            [str(self.command), str(script), workspace, feature],
            env={**os.environ, "ENTITLED_URL": url, "ENTITLED_API_KEY": key},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        return said.returncode, (said.stdout or said.stderr).strip()


PYTHON = Example("python/gate.py", sys.executable, "FAIL_OPEN = False", "FAIL_OPEN = True", "\n\n\n")
TYPESCRIPT = Example("typescript/gate.ts", NODE, "FAIL_OPEN = false", "FAIL_OPEN = true", "\n}\n")
EXAMPLES = [
    pytest.param(PYTHON, id="python"),
    pytest.param(
        TYPESCRIPT,
        id="typescript",
        marks=pytest.mark.skipif(
            NODE is None, reason="no node here, or one older than 22.18, which takes no types off"
        ),
    ),
]
every_example = pytest.mark.parametrize("example", EXAMPLES)


@pytest.fixture
def fail_open(tmp_path: Path, example: Example) -> Path:
    """Give a copy of the clients whose example fails open."""
    shutil.copytree(ROOT / "clients", tmp_path / "clients")
    script = tmp_path / "clients" / example.path
    text = script.read_text()
    assert example.closed in text
    script.write_text(text.replace(example.closed, example.open))
    return tmp_path / "clients"


@every_example
@pytest.mark.parametrize(
    ("workspace", "feature", "said"),
    [
        pytest.param("acme", "sso", "allowed", id="in its plan"),
        pytest.param("bare", "sso", "denied", id="no plan"),
        pytest.param("acme", "teleport", "denied", id="no such feature"),
        pytest.param("nobody", "sso", "denied", id="no such workspace"),
    ],
)
def test_the_service_decides(service: Service, example: Example, workspace: str, feature: str, said: str) -> None:
    assert example.run(f"{service.url}/graphql", service.key, workspace, feature) == (0, said)


@every_example
def test_an_open_gate_still_denies_what_the_service_denies(service: Service, example: Example, fail_open: Path) -> None:
    assert example.run(f"{service.url}/graphql", service.key, "bare", "sso", copy=fail_open) == (0, "denied")


@every_example
def test_a_wrong_key_is_a_mistake_and_no_answer(service: Service, example: Example, fail_open: Path) -> None:
    code, said = example.run(f"{service.url}/graphql", "wrong", "acme", "sso", copy=fail_open)

    assert code == 1
    assert "UNAUTHENTICATED" in said


@every_example
def test_nobody_answers(example: Example, fail_open: Path) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}/graphql"

    assert example.run(nowhere, "any", "acme", "sso") == (0, "denied")
    assert example.run(nowhere, "any", "acme", "sso", copy=fail_open) == (0, "allowed")


@every_example
@pytest.mark.parametrize(
    ("status", "answer"),
    [
        pytest.param(503, {"errors": [{"message": "loading", "extensions": {"code": "NOT_READY"}}]}, id="not ready"),
        pytest.param(502, "<html>bad gateway</html>", id="a proxy answers"),
        pytest.param(200, denied("STATE_UNKNOWN"), id="state unknown"),
    ],
)
def test_the_service_cannot_tell(example: Example, fail_open: Path, status: int, answer: object) -> None:
    with graphql_server.running() as fake:
        fake.status, fake.answer = status, answer

        assert example.run(fake.url, "any", "acme", "sso") == (0, "denied")
        assert example.run(fake.url, "any", "acme", "sso", copy=fail_open) == (0, "allowed")


@pytest.mark.parametrize("example", [PYTHON, TYPESCRIPT], ids=["python", "typescript"])
def test_ten_lines_are_enough(example: Example) -> None:
    text = (ROOT / "clients" / example.path).read_text()
    gate = text[re.search(rf"^.*{example.closed}", text, re.MULTILINE).start() :]  # type: ignore[union-attr]
    function = re.search(r"\n(?:async def|export async function)", gate)
    assert function is not None
    end = gate.index(example.ends, function.start() + 1) + len(example.ends)

    assert len([line for line in gate[:end].splitlines() if line.strip()]) <= 10
