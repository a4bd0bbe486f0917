"""Whatever a server answers, or does not, becomes one line and an exit code."""

import socket

import pytest
from support.command import Command
from support.graphql_server import FakeGraphQL

from app.domain.errors import UnavailableError

RESYNC = ("resync",)


def coded(code: str, message: str = "refused") -> dict[str, object]:
    return {"errors": [{"message": message, "extensions": {"code": code, "requestId": "req_1"}}], "data": None}


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [
        ("UNAUTHENTICATED", 77),
        ("FORBIDDEN", 77),
        ("NOT_FOUND", 1),
        ("NOT_READY", 69),
        ("UNAVAILABLE", 69),
        ("BAD_USER_INPUT", 2),
        ("INTERNAL", 70),
        ("SOMETHING_NEW", 70),
    ],
)
def test_a_top_level_error_becomes_an_exit_code(
    entitled: Command, server: FakeGraphQL, code: str, exit_code: int
) -> None:
    server.answer = coded(code)

    ran = entitled(*RESYNC)

    assert (ran.code, ran.out) == (exit_code, "")
    assert ran.err.startswith("entitled: refused")
    assert ran.err.count("\n") == 1


def test_a_bug_of_the_server_names_the_request(entitled: Command, server: FakeGraphQL) -> None:
    server.answer = coded("INTERNAL")

    assert "req_1" in entitled(*RESYNC).err


@pytest.mark.parametrize(
    ("code", "exit_code"), [("NOT_FOUND", 1), ("CONFLICT", 1), ("IDEMPOTENCY_CONFLICT", 1), ("VALIDATION_FAILED", 2)]
)
def test_a_refusal_of_a_mutation_becomes_an_exit_code(
    entitled: Command, server: FakeGraphQL, code: str, exit_code: int
) -> None:
    server.answer = {"data": {"resync": {"__typename": "SomeError", "code": code, "message": "no such workspace"}}}

    ran = entitled(*RESYNC)

    assert (ran.code, ran.out, ran.err) == (exit_code, "", "entitled: no such workspace\n")


@pytest.mark.parametrize("answer", ["<html>hello</html>", "[]", "null", "{}", '{"data": 1}'])
def test_an_answer_that_is_no_graphql_is_told_apart(entitled: Command, server: FakeGraphQL, answer: str) -> None:
    server.answer = answer

    ran = entitled(*RESYNC)

    assert (ran.code, ran.err.count("\n")) == (70, 1)


@pytest.mark.parametrize("answer", [coded("NOT_FOUND"), "<html>not found</html>"])
def test_an_address_where_nothing_is_points_to_the_setting(
    entitled: Command, server: FakeGraphQL, answer: object
) -> None:
    server.status, server.answer = 404, answer

    ran = entitled(*RESYNC)

    assert (ran.code, ran.err.count("\n")) == (78, 1)
    assert "ENTITLED_URL" in ran.err


def test_a_gateway_without_a_server_behind_it_counts_as_unreachable(entitled: Command, server: FakeGraphQL) -> None:
    server.status, server.answer = 502, "<html>bad gateway</html>"

    assert entitled(*RESYNC).code == 69


@pytest.mark.usefixtures("server")
def test_nobody_listening_is_exit_code_69(entitled: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and not listening
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/graphql"
        monkeypatch.setenv("ENTITLED_URL", url)

        ran = entitled(*RESYNC)

    assert ran.code == 69
    assert url in ran.err
    assert "ENTITLED_URL" in ran.err


@pytest.mark.parametrize(
    ("name", "value"),
    [("ENTITLED_URL", "localhost:8080"), ("ENTITLED_API_KEY", ""), ("ENTITLED_API_KEY", "schlüssel")],
)
def test_what_is_missing_or_wrong_in_the_environment_is_named(
    entitled: Command, server: FakeGraphQL, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    ran = entitled(*RESYNC)

    assert ran.code == 78
    assert name in ran.err
    assert server.requests == []


def test_the_key_is_sent_as_bearer(entitled: Command, server: FakeGraphQL) -> None:
    server.answer = coded("FORBIDDEN")

    entitled(*RESYNC)

    assert server.keys == ["Bearer ent_key_1_secret"]


def listed(*, more: bool, cursor: str | None = "c1") -> dict[str, object]:
    page = {"nodes": [{"id": "ws_1"}], "pageInfo": {"hasNextPage": more, "endCursor": cursor}}
    return {"data": {"workspaces": page}}


def test_a_listing_that_does_not_move_on_is_given_up(entitled: Command, server: FakeGraphQL) -> None:
    server.answer = listed(more=True)

    ran = entitled("workspaces", "list", "--json")

    assert (ran.code, ran.out, ran.err.count("\n")) == (70, "", 1)
    assert [request["variables"]["after"] for request in server.requests] == [None, "c1"]


def test_no_more_is_asked_for_than_the_limit(entitled: Command, server: FakeGraphQL) -> None:
    server.answer = listed(more=True)

    ran = entitled("workspaces", "list", "--json", "--limit", "1")

    assert (ran.code, ran.out) == (0, '[{"id": "ws_1"}]\n')
    assert "--limit" in ran.err
    assert server.requests[0]["variables"] == {"first": 1, "after": None}


CREATE = ("workspaces", "create")


def test_a_key_is_not_spoken_of_where_there_is_none(entitled: Command, server: FakeGraphQL) -> None:
    server.status, server.answer = 503, coded("UNAVAILABLE", UnavailableError().args[0])

    ran = entitled("resync")

    assert (ran.code, ran.err) == (69, "entitled: the database did not answer in time\n")


@pytest.mark.parametrize(("status", "answer"), [(503, coded("UNAVAILABLE")), (504, "<html>too late</html>")])
def test_a_change_whose_outcome_is_unknown_names_the_key_to_repeat_it_with(
    entitled: Command, server: FakeGraphQL, status: int, answer: object
) -> None:
    server.status, server.answer = status, answer

    ran = entitled(*CREATE)

    sent = server.requests[0]["variables"]["input"]["idempotencyKey"]
    assert (ran.code, ran.out, ran.err.count("\n")) == (69, "", 1)
    assert f"--idempotency-key {sent}" in ran.err


def test_a_change_that_was_never_sent_names_no_key(
    entitled: Command, server: FakeGraphQL, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and not listening
        monkeypatch.setenv("ENTITLED_URL", f"http://127.0.0.1:{taken.getsockname()[1]}/graphql")

        ran = entitled(*CREATE)

    assert (ran.code, server.requests) == (69, [])
    assert "--idempotency-key" not in ran.err


def test_every_change_has_a_key_of_its_own_or_the_one_given(entitled: Command, server: FakeGraphQL) -> None:
    server.answer = coded("FORBIDDEN")

    entitled(*CREATE)
    entitled(*CREATE)
    entitled(*CREATE, "--idempotency-key", "import-7")

    first, second, third = (request["variables"]["input"]["idempotencyKey"] for request in server.requests)
    assert len({first, second, third, ""}) == 4
    assert third == "import-7"


@pytest.mark.parametrize(
    ("message", "path", "printed"),
    [
        ("amount must be above 0", ["input", "amount"], "amount must be above 0"),
        ("must be above 0", ["input", "lines", "0", "amount"], "lines.0.amount: must be above 0"),
        ("two things\nare wrong", None, "two things are wrong"),
    ],
)
def test_a_refusal_names_its_field_once(
    entitled: Command, server: FakeGraphQL, message: str, path: list[str] | None, printed: str
) -> None:
    refused = {"__typename": "ValidationError", "code": "VALIDATION_FAILED", "message": message, "path": path}
    server.answer = {"data": {"createWorkspace": refused}}

    assert entitled(*CREATE).err == f"entitled: {printed}\n"


@pytest.mark.parametrize(
    ("message", "printed"),
    [
        ("Variable '$input' has invalid value at .lines[0].amount: no number", "lines[0].amount: no number"),
        ("Variable '$from' has invalid value: no time", "from: no time"),
    ],
)
def test_a_value_that_cannot_be_read_is_named_without_graphqls_words(
    entitled: Command, server: FakeGraphQL, message: str, printed: str
) -> None:
    server.answer = {"errors": [{"message": message, "extensions": {"code": "BAD_USER_INPUT"}}]}

    ran = entitled(*CREATE)

    assert (ran.code, ran.err) == (2, f"entitled: {printed}\n")
