"""What is generated fits the schema, and says so where it no longer does."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from graphql import DocumentNode, FieldNode, OperationDefinitionNode, build_schema, parse, validate
from support.service import ROOT

OPERATIONS: DocumentNode = parse((ROOT / "clients/operations.graphql").read_text())
TOOLS = ROOT / "scripts/_clients"


def check(root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(root / "scripts/_clients/fingerprints.py"), "--check"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Give a copy of what the clients are made from and of what was made."""
    shutil.copytree(ROOT / "clients", tmp_path / "clients")
    ignored = shutil.ignore_patterns("node_modules", ".venv", "build")
    shutil.copytree(TOOLS, tmp_path / "scripts/_clients", ignore=ignored)
    shutil.copy(ROOT / "schema.graphql", tmp_path)
    return tmp_path


def rewrite(path: Path, change: Callable[[str], str]) -> None:
    before = path.read_text()
    after = change(before)
    assert after != before
    path.write_text(after)


def test_every_operation_is_valid() -> None:
    assert validate(build_schema((ROOT / "schema.graphql").read_text()), OPERATIONS) == []


def test_every_operation_is_one_field_of_its_name() -> None:
    operations = [node for node in OPERATIONS.definitions if isinstance(node, OperationDefinitionNode)]

    for operation in operations:
        [field] = operation.selection_set.selections
        assert isinstance(field, FieldNode)
        assert operation.name is not None
        assert field.name.value == operation.name.value
    assert len(operations) >= 5


def test_the_clients_are_fresh() -> None:
    assert check(ROOT).stderr == ""


@pytest.mark.parametrize(
    ("path", "change"),
    [
        pytest.param(
            "schema.graphql",
            lambda text: text.replace("type Query {", 'type Query {\n  """How late it is."""\n  time: DateTime!\n'),
            id="a field that no client asks for",
        ),
        pytest.param(
            "schema.graphql",
            lambda text: text.replace("enum SubscriptionStatus {", "enum SubscriptionStatus {\n  FORGOTTEN\n"),
            id="an enum that no client sees",
        ),
    ],
)
def test_what_no_client_uses_makes_none_stale(clone: Path, path: str, change: Callable[[str], str]) -> None:
    rewrite(clone / path, change)

    assert check(clone).returncode == 0


@pytest.mark.parametrize(
    ("path", "change"),
    [
        pytest.param(
            "schema.graphql",
            lambda text: text.replace("enum AccessDeniedReason {", "enum AccessDeniedReason {\n  BAD_MOOD\n"),
            id="a reason more",
        ),
        pytest.param(
            "schema.graphql",
            lambda text: text.replace("input CheckInput {", "input CheckInput {\n  at: DateTime\n"),
            id="an input field more",
        ),
        pytest.param(
            "schema.graphql", lambda text: text.replace("  hasAccess: Boolean!", "  hasAccess: Boolean"), id="a type"
        ),
        pytest.param(
            "schema.graphql",
            lambda text: re.sub(r"(union RecordUsageResult = .*)", r"\1 | Plan", text),
            id="an outcome more",
        ),
        pytest.param(
            "clients/operations.graphql",
            lambda text: text.replace("  code\n  message\n", "  message\n  code\n"),
            id="an operation",
        ),
        pytest.param(
            "clients/typescript/entitled.ts", lambda text: text.replace("2_000", "9_000"), id="edited by hand"
        ),
        pytest.param("scripts/_clients/python/errors.py", lambda text: text + "\n", id="another transport"),
    ],
)
def test_what_a_client_uses_makes_it_stale(clone: Path, path: str, change: Callable[[str], str]) -> None:
    rewrite(clone / path, change)

    checked = check(clone)

    assert checked.returncode == 1
    assert checked.stderr == f"The clients are stale, run scripts/clients. Changed: {path}.\n"


def test_what_was_generated_and_is_gone_makes_them_stale(clone: Path) -> None:
    (clone / "clients/python/entitled_client/enums.py").unlink()

    assert "clients/python/entitled_client/enums.py" in check(clone).stderr


def test_an_option_that_is_none_changes_nothing() -> None:
    command = [str(ROOT / "scripts/clients"), "--chek"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    assert (ended.returncode, ended.stderr) == (1, "usage: scripts/clients [--check]\n")


def test_the_generators_are_pinned_without_addresses() -> None:
    package = json.loads((TOOLS / "typescript/package.json").read_text())
    locked = json.loads((TOOLS / "typescript/package-lock.json").read_text())["packages"]
    python = (TOOLS / "python/requirements.lock").read_text()

    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in package["devDependencies"].values())
    assert not any("resolved" in entry for entry in locked.values())
    assert all("integrity" in entry for name, entry in locked.items() if name)
    assert "://" not in python
    assert "--hash=sha256:" in python


def test_the_typescript_client_needs_nothing() -> None:
    client = (ROOT / "clients/typescript/entitled.ts").read_text()

    assert not re.search(r"^\s*import\b|\bimport\(|\brequire\(", client, re.MULTILINE)
