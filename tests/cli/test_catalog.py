"""`entitled catalog` at the real service; what happens in between, at one that answers what a test tells it."""

import io
import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.command import Command
from support.graphql_server import FakeGraphQL


@pytest.fixture
def plan() -> str:
    """Give the key of a plan that no other test uses."""
    return f"plan_{uuid.uuid4().hex[:8]}"


@pytest.fixture
def file(tmp_path: Path, plan: str) -> Path:
    path = tmp_path / "catalog.toml"
    path.write_text(f'[plans.{plan}]\nname = "Été"\nfeatures = {{ seats = 3 }}\n', encoding="utf-8")
    return path


def told(*changes: dict[str, Any], **fields: Any) -> dict[str, Any]:
    payload = {
        "__typename": "ApplyCatalogPayload",
        "dryRun": True,
        "replayed": False,
        "changes": list(changes),
        "migrations": [],
        "unchanged": [],
        "unmanaged": [],
    }
    return {"data": {"applyCatalog": payload | fields}}


def changed(action: str, key: str = "pro", **fields: Any) -> dict[str, Any]:
    return {"kind": "PLAN", "key": key, "action": action, "version": 2, "moves": None, "fields": [], **fields}


@pytest.mark.usefixtures("service")
def test_diff_tells_what_would_change_and_changes_nothing(entitled: Command, file: Path, plan: str) -> None:
    first, second = entitled("catalog", "diff", str(file)), entitled("catalog", "diff", str(file))

    assert first.code == 0
    assert first.out.splitlines()[:4] == [
        f"+ plan {plan}",
        '    name = "Été"',
        "    features.seats = 3",
        "1 to change, 0 as the file says",
    ]
    assert first.out == second.out


@pytest.mark.usefixtures("service")
def test_apply_shows_what_changes_and_changes_it_once(entitled: Command, file: Path, plan: str) -> None:
    applied, again = (entitled("catalog", "apply", str(file), "--yes") for _ in range(2))

    assert (applied.code, again.code) == (0, 0)
    assert f"+ plan {plan}" in applied.out
    assert applied.out.endswith("applied\n")
    assert again.out.startswith("nothing to change, 1 as the file says\n")
    assert "applied" not in again.out
    assert plan in entitled("plans", "list").out


@pytest.mark.usefixtures("service")
def test_apply_prints_json_for_a_program(entitled: Command, file: Path, plan: str) -> None:
    applied = entitled("catalog", "apply", str(file), "--yes", "--json")

    answer = json.loads(applied.out)
    assert [(change["key"], change["action"], change["version"]) for change in answer["changes"]] == [
        (plan, "CREATE", 1)
    ]
    assert answer["dryRun"] is False
    assert f"+ plan {plan}" in applied.err


@pytest.mark.usefixtures("service")
def test_faults_are_printed_with_their_places(entitled: Command, file: Path, plan: str) -> None:
    file.write_text(f'[plans.{plan}]\nname = "É"; \nseats = 3\n')

    ran = entitled("catalog", "apply", str(file), "--yes")

    assert ran.code == 1
    assert ran.err.splitlines() == [
        f"{file}:2:11: this is not TOML: expected newline or end of document after a statement",
        "entitled: 1 fault; nothing was changed",
    ]


@pytest.mark.usefixtures("service")
def test_all_faults_are_printed_for_a_program_too(entitled: Command, file: Path, plan: str) -> None:
    file.write_text(f'[plans.{plan}]\nname = ""\nfeatures = {{ seat = 3 }}\n')

    ran = entitled("catalog", "diff", str(file), "--json")

    assert (ran.code, ran.err.splitlines()[-1]) == (1, "entitled: 2 faults; nothing was changed")
    assert [(fault["line"], fault["column"], fault["code"]) for fault in json.loads(ran.out)["faults"]] == [
        (2, 8, "EMPTY"),
        (3, 14, "UNKNOWN"),
    ]


@pytest.mark.usefixtures("service")
def test_an_export_applies_without_change(entitled: Command, file: Path, plan: str, tmp_path: Path) -> None:
    entitled("catalog", "apply", str(file), "--yes")
    exported = tmp_path / "exported.toml"

    assert entitled("catalog", "export", str(exported)).code == 0

    assert f"[plans.{plan}]" in exported.read_text(encoding="utf-8")
    assert entitled("catalog", "export").out == exported.read_text(encoding="utf-8")
    assert entitled("catalog", "diff", str(exported)).out.startswith("nothing to change")


@pytest.mark.usefixtures("service")
def test_an_export_overwrites_nothing_unasked(entitled: Command, file: Path) -> None:
    before = file.read_text(encoding="utf-8")

    assert entitled("catalog", "export", str(file)).code == 2
    assert file.read_text(encoding="utf-8") == before
    assert entitled("catalog", "export", str(file), "--yes").code == 0
    assert file.read_text(encoding="utf-8") != before


@pytest.mark.usefixtures("service")
def test_migrations_are_followed_to_their_end(entitled: Command, file: Path, plan: str) -> None:
    entitled("catalog", "apply", str(file), "--yes")
    file.write_text(f'[plans.{plan}]\nname = "New"\nmigrate = true\n')

    ran = entitled("catalog", "apply", str(file), "--yes", "--wait")

    assert ran.code == 0
    assert f"~ plan {plan}: version 2, with 0 subscriptions moved to it" in ran.out
    assert f"{plan} version 2: 0 of 0 moved" in ran.err


def test_without_a_yes_nothing_is_changed(
    entitled: Command, server: FakeGraphQL, file: Path, typed: Callable[[str], None]
) -> None:
    server.answer = told(changed("CREATE"))
    typed("n")

    ran = entitled("catalog", "apply", str(file))

    assert (ran.code, ran.err) == (1, "Apply it? [y/N] entitled: nothing was changed\n")
    assert [request["variables"]["input"]["dryRun"] for request in server.requests] == [True]


def test_each_kind_of_change_is_told_in_words(entitled: Command, server: FakeGraphQL, file: Path) -> None:
    fields = [
        {"path": "name", "before": '"Old"', "after": '"New"'},
        {"path": "features.sso", "before": "true", "after": None},
        {"path": "unit", "before": None, "after": '"x"'},
    ]
    server.answer = told(
        changed("NEW_VERSION", fields=fields),
        changed("NEW_VERSION", "team", moves=7),
        changed("ARCHIVE", "old"),
        changed("RESTORE", "back"),
        changed("CHANGE", "calls", kind="FEATURE", version=None),
        unmanaged=[
            {"kind": "CREDIT_TYPE", "key": "ai"},
            {"kind": "PLAN", "key": "basic"},
            {"kind": "ADD_ON", "key": "more"},
            {"kind": "PLAN", "key": "old"},
        ],
    )

    ran = entitled("catalog", "diff", str(file))

    assert ran.out.splitlines() == [
        "~ plan pro: version 2; subscribers keep theirs",
        '    name = "Old" -> "New"',
        "    features.sso = true -> nothing",
        '    unit = "x"',
        "~ plan team: version 2, with 7 subscriptions moved to it",
        "- plan old: archived",
        "+ plan back: offered again",
        "~ feature calls",
        "5 to change, 0 as the file says",
        "not in the file and left alone:",
        "    credits ai",
        "    plan basic, old",
        "    add-on more",
    ]


def test_what_was_done_is_told_where_it_is_not_what_was_shown(
    entitled: Command, server: FakeGraphQL, file: Path
) -> None:
    server.first = [told(changed("CREATE"))]
    server.answer = told(changed("NEW_VERSION"), dryRun=False)

    ran = entitled("catalog", "apply", str(file), "--yes")

    assert "what was changed is not what was shown:\n~ plan pro: version 2" in ran.out


def test_a_started_migration_is_named(entitled: Command, server: FakeGraphQL, file: Path) -> None:
    started = {"id": "mig_1", "planKey": "pro", "planVersion": 2, "total": 5}
    server.answer = told(changed("NEW_VERSION", moves=5), migrations=[started])

    ran = entitled("catalog", "apply", str(file), "--yes")

    assert "mig_1 moves the subscribers of pro: `entitled migrations show mig_1 --wait`" in ran.err


def test_control_characters_never_reach_the_terminal(entitled: Command, server: FakeGraphQL, file: Path) -> None:
    fault = {"line": 1, "column": 1, "path": [], "code": "UNKNOWN_KEY", "message": "\x1b[31mred is no key"}
    refused = {"__typename": "CatalogFaultsError", "code": "CATALOG_FAULTS", "message": "", "path": None}
    server.answer = {"data": {"applyCatalog": {**refused, "faults": [fault]}}}

    assert "\x1b" not in entitled("catalog", "diff", str(file)).err


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        pytest.param(None, "No such file or directory", id="missing"),
        pytest.param(b"name = '\xff'", "is not UTF-8: invalid start byte at byte 9", id="other encoding"),
    ],
)
def test_a_file_that_cannot_be_read_is_told(
    entitled: Command, server: FakeGraphQL, tmp_path: Path, content: bytes | None, problem: str
) -> None:
    path = tmp_path / "catalog.toml"
    if content is not None:
        path.write_bytes(content)

    ran = entitled("catalog", "diff", str(path))

    assert ran.code == 2
    assert problem in ran.err
    assert server.requests == []


def test_the_text_is_sent_as_it_stands(entitled: Command, server: FakeGraphQL, tmp_path: Path) -> None:
    path = tmp_path / "windows.toml"
    path.write_bytes(b"\xef\xbb\xbf# \xc3\xa9\r\n")
    server.answer = told()

    entitled("catalog", "diff", str(path))

    sent = server.requests[0]["variables"]["input"]
    assert (sent["source"], sent["fileName"]) == ("# é\r\n", "windows.toml")


def test_import_asks_the_server_and_writes_the_file(entitled: Command, server: FakeGraphQL, tmp_path: Path) -> None:
    server.answer = {"data": {"stripeCatalogFile": "# from Stripe\n"}}
    path = tmp_path / "catalog.toml"

    assert entitled("catalog", "import", "--from-stripe").out == "# from Stripe\n"
    assert entitled("catalog", "import", "--from-stripe", str(path)).code == 0
    assert path.read_text() == "# from Stripe\n"


def test_stdin_is_told_by_its_name(entitled: Command, server: FakeGraphQL, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"name = '\xff'")))

    ran = entitled("catalog", "diff", "-")

    assert (ran.code, ran.err) == (2, "entitled: stdin is not UTF-8: invalid start byte at byte 9\n")
    assert server.requests == []


def test_import_wants_to_know_from_where(entitled: Command, server: FakeGraphQL) -> None:
    ran = entitled("catalog", "import")

    assert (ran.code, ran.err) == (2, "entitled: say from where: --from-stripe\n")
    assert server.requests == []
