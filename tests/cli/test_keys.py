"""`entitled keys`: credentials go to stdout alone, so that a shell can take them."""

import json
import socket
import uuid

import pymongo
import pytest
from support.command import Command
from support.graphql_server import FakeGraphQL

KEY = {
    "id": "key_2",
    "name": "checkout",
    "scopes": ["ENTITLEMENTS_READ", "USAGE_WRITE"],
    "createdAt": "2026-11-21T00:00:00.000Z",
    "expiresAt": None,
    "revokedAt": None,
}
MADE = {"data": {"createApiKey": {"__typename": "CreateApiKeyPayload", "credential": "ent_key_2_x", "apiKey": KEY}}}


def test_a_new_credential_is_all_that_stdout_has(entitled: Command, server: FakeGraphQL) -> None:
    server.answer = MADE

    ran = entitled("keys", "create", "checkout", "--scope", "usage_write", "--scope", "ENTITLEMENTS_READ")

    assert (ran.code, ran.out) == (0, "ent_key_2_x\n")
    assert "key_2" in ran.err
    sent = server.requests[0]["variables"]["input"]
    assert sent["scopes"] == ["USAGE_WRITE", "ENTITLEMENTS_READ"]
    assert sent["expiresAt"] is None


def test_a_new_key_may_end(entitled: Command, server: FakeGraphQL) -> None:
    server.answer = MADE

    ran = entitled("keys", "create", "checkout", "--scope", "OPERATOR", "--expires-in-days", "30", "--json")

    assert json.loads(ran.out) == {**KEY, "credential": "ent_key_2_x"}
    assert server.requests[0]["variables"]["input"]["expiresAt"].endswith("Z")


def test_a_key_without_a_scope_is_wrong_usage(entitled: Command, server: FakeGraphQL) -> None:
    assert entitled("keys", "create", "checkout").code == 2
    assert entitled("keys", "create", "checkout", "--scope", "EVERYTHING").code == 2
    assert server.requests == []


def test_keys_are_listed(entitled: Command, server: FakeGraphQL) -> None:
    server.answer = {"data": {"apiKeys": [KEY]}}

    assert "ENTITLEMENTS_READ USAGE_WRITE" in entitled("keys", "list").out
    assert json.loads(entitled("keys", "list", "--json").out) == [KEY]


def test_a_key_is_revoked(entitled: Command, server: FakeGraphQL) -> None:
    ended = {**KEY, "revokedAt": "2026-11-22T00:00:00.000Z"}
    server.answer = {"data": {"revokeApiKey": {"__typename": "RevokeApiKeyPayload", "apiKey": ended}}}

    ran = entitled("keys", "revoke", "key_2", "--yes")

    assert (ran.code, ran.out) == (0, "key_2 ended at 2026-11-22T00:00:00.000Z\n")
    assert json.loads(entitled("keys", "revoke", "key_2", "--yes", "--json").out) == ended
    assert server.requests[0]["variables"]["input"]["apiKeyId"] == "key_2"


def test_a_key_is_not_revoked_unasked(entitled: Command, server: FakeGraphQL) -> None:
    ran = entitled("keys", "revoke", "key_2")

    assert (ran.code, ran.out, server.requests) == (2, "", [])
    assert "--yes" in ran.err


@pytest.mark.usefixtures("service")
def test_a_credential_that_was_shown_before_is_not_there_any_more(entitled: Command) -> None:
    command = ("keys", "create", "checkout", "--scope", "OPERATOR", "--idempotency-key", "checkout")
    first = entitled(*command)

    again = entitled(*command)

    assert (first.code, first.out.startswith("ent_key_")) == (0, True)
    assert (again.code, again.out) == (1, "")
    assert "not kept" in again.err


@pytest.fixture
def settings(mongodb_uri: str, monkeypatch: pytest.MonkeyPatch) -> str:
    database = f"t_{uuid.uuid4().hex[:16]}"
    monkeypatch.setenv("MONGODB_URI", mongodb_uri)
    monkeypatch.setenv("MONGODB_DATABASE", database)
    return database


def test_the_first_key_goes_straight_to_mongodb_and_there_is_only_one(
    entitled: Command, mongodb_uri: str, settings: str
) -> None:
    first = entitled("keys", "bootstrap", "--name", "ops")
    second = entitled("keys", "bootstrap")

    with pymongo.MongoClient(mongodb_uri) as client:
        stored = list(client[settings]["api_keys"].find())
        client.drop_database(settings)
    assert first.code == 0
    assert first.out.startswith(f"ent_{stored[0]['_id']}_")
    assert [(key["name"], key["scopes"]) for key in stored] == [("ops", ["ADMIN"])]
    assert (second.code, second.out) == (1, "")
    assert "ADMIN" in second.err


def test_bootstrap_without_a_database_says_which_setting_is_missing(
    entitled: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MONGODB_URI", raising=False)

    ran = entitled("keys", "bootstrap")

    assert ran.code == 78
    assert "MONGODB_URI" in ran.err


def test_bootstrap_at_a_server_that_says_nothing_is_exit_code_69(
    entitled: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONGODB_TIMEOUT_S", "0.2")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("MONGODB_URI", f"mongodb://127.0.0.1:{silent.getsockname()[1]}/?replicaSet=rs0")

        ran = entitled("keys", "bootstrap")

    assert (ran.code, ran.err.count("\n")) == (69, 1)
