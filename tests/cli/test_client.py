"""Whatever a server answers, or does not, becomes one line and an exit code."""

import socket

import pytest
from support.command import Command
from support.graphql_server import FakeGraphQL

RESYNC = ("resync",)


def coded(code: str, message: str = "refused") -> dict[str, object]:
    return {"errors": [{"message": message, "extensions": {"code": code, "requestId": "req_1"}}], "data": None}


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [
        ("UNAUTHENTICATED", 77),
        ("FORBIDDEN", 77),
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
