"""`entitled audit` at the real service, and at one that tells of faults."""

import json
from typing import Any

import pytest
from support.command import Command
from support.graphql_server import FakeGraphQL
from support.service import Service, eventually

HASH = "9f" * 32
REPORT: dict[str, Any] = {
    "intact": False,
    "seals": 12,
    "entries": 300,
    "expired": 4,
    "unsealed": 5,
    "head": {"number": 12, "hash": HASH, "sealedAt": "2026-11-21T00:00:00.000Z"},
    "expiredBeforeAt": "2025-11-21T00:00:00.000Z",
    "faultCount": 3,
    "faults": [
        {"code": "SEAL_REMOVED", "message": "seal 3 was removed", "seal": 3, "entryId": None},
        {
            "code": "ENTRY_EDITED",
            "message": "entry audit_7\x1b is not as seal 4 has it",
            "seal": 4,
            "entryId": "audit_7",
        },
    ],
}


def test_changes_are_listed_with_what_they_changed(entitled: Command, workspace: str) -> None:
    archived = json.loads(entitled("workspaces", "archive", workspace, "--yes", "--json").out)

    lines = entitled("audit", "query", "--resource", archived["id"]).out.splitlines()

    assert lines[0].split() == ["RECORDED", "ACTOR", "OPERATION", "KIND", "RECORD", "CHANGED", "SEAL"]
    assert lines[1].split()[2:6] == ["archiveWorkspace", "WORKSPACE", archived["id"], "archivedAt"]
    assert lines[2].split()[2:6] == ["createWorkspace", "WORKSPACE", archived["id"], "created"]
    assert len(lines) == 3


def test_filters_narrow_and_json_has_everything(entitled: Command, workspace: str) -> None:
    (created,) = [
        entry
        for entry in json.loads(entitled("audit", "query", "--kind", "workspace", "--limit", "500", "--json").out)
        if entry["after"]["externalId"] == workspace
    ]
    of_key = ("audit", "query", "--json", "--resource", created["recordId"], "--actor", created["actorId"])

    assert (created["before"], created["operation"]) == (None, "createWorkspace")
    narrowed = json.loads(entitled(*of_key, "--action", "createWorkspace", "--from", created["recordedAt"]).out)
    assert [entry["id"] for entry in narrowed] == [created["id"]]
    assert json.loads(entitled(*of_key, "--to", created["recordedAt"]).out) == []
    assert json.loads(entitled(*of_key, "--action", "archiveWorkspace").out) == []


@pytest.mark.usefixtures("workspace")
def test_of_a_longer_list_the_newest_are_shown(entitled: Command) -> None:
    ran = entitled("audit", "query", "--limit", "1")

    assert len(ran.out.splitlines()) == 2
    assert ran.err == "there are more; raise --limit\n"


@pytest.mark.usefixtures("service")
@pytest.mark.parametrize("arguments", [("--kind", "cats"), ("--from", "yesterday"), ("--actor", "")])
def test_what_nothing_can_match_is_exit_code_2(entitled: Command, arguments: tuple[str, ...]) -> None:
    ran = entitled("audit", "query", *arguments)

    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)


@pytest.mark.usefixtures("workspace")
def test_the_audit_of_the_service_is_intact_and_goes_through_its_head(entitled: Command, service: Service) -> None:
    eventually(lambda: "head" in entitled("audit", "verify").out, why=service.tail)
    head = entitled("audit", "verify").out.split()[-1]

    ran = entitled("audit", "verify", "--expect", head)
    other = entitled("audit", "verify", "--expect", f"{head.partition(':')[0]}:{HASH}")

    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("intact; ")
    assert other.code == 1
    assert "HEAD_DIFFERS" in other.out
    assert json.loads(entitled("audit", "verify", "--json").out)["intact"]


def test_faults_are_named_with_exit_code_1_and_the_head_printed(entitled: Command, server: FakeGraphQL) -> None:
    server.answer = {"data": {"auditChain": REPORT}}

    ran = entitled("audit", "verify", "--expect", f"12:{HASH}", "--expired-before", "2025-01-01T00:00:00Z")

    assert ran.code == 1
    assert ran.out.splitlines() == [
        "NOT INTACT, faults: 3; 12 seals, 300 entries as they were sealed, 4 expired, 5 not sealed yet",
        "FAULT         WHAT",
        "SEAL_REMOVED  seal 3 was removed",
        "ENTRY_EDITED  entry audit_7\\x1b is not as seal 4 has it",
        "and 1 more",
        f"head 12:{HASH}",
    ]
    assert server.requests[0]["variables"] == {"expect": f"12:{HASH}", "expiredBefore": "2025-01-01T00:00:00Z"}


def test_a_faulty_chain_is_exit_code_1_as_json_too(entitled: Command, server: FakeGraphQL) -> None:
    server.answer = {"data": {"auditChain": REPORT}}

    ran = entitled("audit", "verify", "--json")

    assert (ran.code, json.loads(ran.out)) == (1, REPORT)


def test_a_chain_that_was_never_begun_has_no_head(entitled: Command, server: FakeGraphQL) -> None:
    none = {"intact": True, "seals": 0, "entries": 0, "head": None, "faultCount": 0, "faults": []}
    server.answer = {"data": {"auditChain": {**REPORT, **none}}}

    ran = entitled("audit", "verify")

    assert (ran.code, len(ran.out.splitlines())) == (0, 1)
