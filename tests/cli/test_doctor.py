"""`entitled doctor` names what would not work and what to do about it."""

import json
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pymongo
import pytest
from support.command import Command

from app.settings import setting_names


class Stripe:
    """Answers `status`, at a clock that is `skew_s` off."""

    status = 200
    skew_s = 0
    url = ""


@pytest.fixture
def stripe() -> Iterator[Stripe]:
    told = Stripe()

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response_only(told.status)
            self.send_header("Date", formatdate(time.time_ns() / 1e9 + told.skew_s, usegmt=True))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            del format, args

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        told.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield told
        server.shutdown()
        thread.join()


@pytest.fixture
def healthy(mongodb_uri: str, stripe: Stripe, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Give an environment in which everything is well; the value is the database's name."""
    for name in setting_names():
        monkeypatch.delenv(name, raising=False)
    database = f"t_{uuid.uuid4().hex[:16]}"
    monkeypatch.setenv("MONGODB_URI", mongodb_uri)
    monkeypatch.setenv("MONGODB_DATABASE", database)
    monkeypatch.setenv("STRIPE_SECRET_KEY", "sk_test_geheim")
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", "whsec_geheim")
    monkeypatch.setenv("STRIPE_API_BASE", stripe.url)
    monkeypatch.setenv("CURSOR_SECRET", "geheim-geheim-geheim")
    monkeypatch.setenv("PORT", "0")
    yield database
    with pymongo.MongoClient(mongodb_uri) as client:
        client.drop_database(database)


def examine(entitled: Command) -> tuple[int, dict[str, tuple[str, str]]]:
    ran = entitled("doctor", "--json")
    return ran.code, {line["check"]: (line["verdict"], line["message"]) for line in json.loads(ran.out)}


@pytest.mark.usefixtures("healthy")
def test_all_is_well(entitled: Command) -> None:
    code, findings = examine(entitled)

    assert code == 0
    assert {check: verdict for check, (verdict, _) in findings.items()} == dict.fromkeys(
        (
            "settings",
            "mongodb",
            "mongodb clock",
            "mongodb write",
            "stripe key",
            "stripe clock",
            "webhook secret",
            "port",
        ),
        "OK",
    )


def test_the_write_leaves_nothing_behind(entitled: Command, mongodb_uri: str, healthy: str) -> None:
    examine(entitled)

    with pymongo.MongoClient(mongodb_uri) as client:
        assert client[healthy]["doctor"].count_documents({}) == 0


def test_a_default_plan_that_is_not_there_is_named(
    entitled: Command, mongodb_uri: str, healthy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEFAULT_PLAN", "gratis")
    verdict, message = examine(entitled)[1]["default plan"]

    assert verdict == "WARN"
    assert "'gratis'" in message
    with pymongo.MongoClient(mongodb_uri) as client:
        client[healthy]["plans"].insert_one({"key": "gratis"})
    assert "default plan" not in examine(entitled)[1]


@pytest.mark.usefixtures("healthy")
def test_people_get_a_line_per_check_and_no_secret(entitled: Command) -> None:
    ran = entitled("doctor")

    assert ran.code == 0
    assert all(line.startswith("OK    ") for line in ran.out.splitlines())
    assert "geheim" not in ran.out


@pytest.mark.usefixtures("healthy")
def test_a_faulty_setting_is_the_first_thing_to_mend(entitled: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", "sk_test_geheim")

    code, findings = examine(entitled)

    assert code == 1
    assert findings["settings"][0] == "FAIL"
    assert "STRIPE_WEBHOOK_SECRET" in findings["settings"][1]


@pytest.mark.usefixtures("healthy")
def test_what_is_not_set_is_told_by_its_weight(entitled: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MONGODB_URI", "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET", "CURSOR_SECRET"):
        monkeypatch.delenv(name)

    code, findings = examine(entitled)

    verdicts = {check: verdict for check, (verdict, _) in findings.items()}
    assert code == 1
    assert verdicts["mongodb"] == "FAIL"
    assert (verdicts["stripe key"], verdicts["webhook secret"], verdicts["cursor secret"]) == ("WARN", "WARN", "WARN")


@pytest.mark.usefixtures("healthy")
def test_a_database_that_does_not_answer_fails(entitled: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONGODB_TIMEOUT_S", "0.3")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("MONGODB_URI", f"mongodb://127.0.0.1:{silent.getsockname()[1]}/?replicaSet=rs0")

        code, findings = examine(entitled)

    assert code == 1
    assert findings["mongodb"][0] == "FAIL"
    assert "MONGODB_URI" in findings["mongodb"][1]


@pytest.mark.usefixtures("healthy")
@pytest.mark.parametrize(("status", "word"), [(401, "does not know"), (403, "may not read"), (503, "STRIPE_API_BASE")])
def test_a_key_that_stripe_refuses_fails(entitled: Command, stripe: Stripe, status: int, word: str) -> None:
    stripe.status = status

    code, findings = examine(entitled)

    assert code == 1
    assert findings["stripe key"][0] == "FAIL"
    assert word in findings["stripe key"][1]


@pytest.mark.usefixtures("healthy")
@pytest.mark.parametrize(("skew_s", "verdict", "exit_code"), [(-60, "WARN", 0), (3600, "FAIL", 1)])
def test_a_clock_that_is_off_is_told(
    entitled: Command, stripe: Stripe, skew_s: int, verdict: str, exit_code: int
) -> None:
    stripe.skew_s = skew_s

    code, findings = examine(entitled)

    assert (code, findings["stripe clock"][0]) == (exit_code, verdict)


@pytest.mark.usefixtures("healthy")
def test_a_port_that_something_else_has_fails(entitled: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("PORT", str(taken.getsockname()[1]))

        code, findings = examine(entitled)

    assert (code, findings["port"][0]) == (1, "FAIL")


@pytest.mark.usefixtures("healthy")
def test_a_port_that_the_service_itself_has_is_fine(
    entitled: Command, stripe: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORT", stripe.url.rpartition(":")[2])

    code, findings = examine(entitled)

    assert (code, findings["port"][0]) == (0, "WARN")
    assert "running" in findings["port"][1]


@pytest.mark.usefixtures("healthy")
def test_an_embedded_mongodb_needs_a_binary_that_runs(entitled: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONGOD_BINARY", "/no/such/mongod")

    ran = entitled("doctor", "--embedded", "--json")

    assert ran.code == 1
    assert "MONGOD_BINARY" in next(line["message"] for line in json.loads(ran.out) if line["check"] == "mongodb")
