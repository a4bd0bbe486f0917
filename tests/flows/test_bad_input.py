"""Bad input gets a clear answer in bounded time, and changes nothing."""

import asyncio
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pymongo
import pytest
from support.service import COMMAND, ROOT, Api, Service, api, free_port, make_workspace, running
from support.stripe_account import deliver, signed

from app.sandbox.mongod import EmbeddedMongod, find_mongod

EXIT_CONFIGURATION = 78


def serve(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, "serve"],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize(
    ("event", "options", "status"),
    [
        pytest.param({"id": "evt_1"}, {"secret": "whsec_forged"}, 400, id="forged signature"),
        pytest.param({"id": "evt_1"}, {"at": 1_000_000_000}, 400, id="too old"),
        pytest.param({"id": "evt_1"}, {"at": 9_000_000_000}, 400, id="from the future"),
        pytest.param(b"[]", {}, 400, id="a signed list"),
        pytest.param(b"[" * 100_000, {}, 400, id="signed and very deep"),
        pytest.param(b"x" * 600_000, {}, 413, id="too large"),
        pytest.param({"id": 7, "type": []}, {}, 400, id="wrong types"),
    ],
)
async def test_a_webhook_that_is_none(provisional: Service, event: Any, options: dict[str, Any], status: int) -> None:
    async with api(provisional) as client:
        assert await deliver(client.client, provisional, event, **options) == status
        assert (await client.query("{ stripeEvents { nodes { id } } }"))["stripeEvents"]["nodes"] == []


async def test_an_unsigned_webhook(provisional: Service) -> None:
    body, _ = signed({"id": "evt_1"})
    async with httpx.AsyncClient() as client:
        answer = await client.post(f"{provisional.url}/webhooks/stripe", content=body)

    assert answer.status_code == httpx.codes.BAD_REQUEST


async def test_questions_that_make_no_sense(service: Service) -> None:
    async with api(service) as client:
        assert (await client.check("nobody", "sso"))["accessDeniedReason"] == "WORKSPACE_NOT_FOUND"
        wrong = await client.client.post(
            "/graphql", json={"query": "{ checkEntitlement(input: 7) { entitlement { hasAccess } } }"}
        )
        assert wrong.json()["errors"][0]["extensions"]["code"]
        assert "data" not in wrong.json() or wrong.json()["data"] is None


def test_a_busy_port(mongodb_uri: str, database: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        ended = serve(MONGODB_URI=mongodb_uri, MONGODB_DATABASE=database, PORT=str(port))

    assert ended.returncode == EXIT_CONFIGURATION
    assert str(port) in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_invalid_setting(mongodb_uri: str) -> None:
    ended = serve(MONGODB_URI=mongodb_uri, RECONCILE_INTERVAL_S="soon")

    assert (ended.returncode, "RECONCILE_INTERVAL_S" in ended.stderr) == (EXIT_CONFIGURATION, True)


def test_no_database_named() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "MONGODB_URI"}
    ended = subprocess.run(
        [COMMAND, "serve"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert ended.returncode == EXIT_CONFIGURATION
    assert "MONGODB_URI" in ended.stderr
    assert "--embedded" in ended.stderr


@pytest.fixture
def standalone(tmp_path: Path) -> Iterator[str]:
    port = free_port()
    command = [
        str(find_mongod()),
        "--dbpath",
        str(tmp_path),
        "--port",
        str(port),
        "--bind_ip",
        "127.0.0.1",
        "--nounixsocket",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    uri = f"mongodb://127.0.0.1:{port}"
    with pymongo.MongoClient(uri) as client:
        client.admin.command("ping")
    yield uri
    process.terminate()
    process.wait(15)


def test_a_standalone_mongod(standalone: str) -> None:
    ended = serve(MONGODB_URI=standalone, PORT=str(free_port()))

    assert ended.returncode == EXIT_CONFIGURATION
    assert "replica set" in ended.stderr
    assert "Traceback" not in ended.stderr


async def states_of(name: str, client: Api, *, failures: int) -> set[str]:
    """Return the states that the worker shows from its next failure until it has failed so many times."""
    seen: dict[str | None, set[str]] = {}
    async with asyncio.timeout(60):
        while len(seen) <= failures:
            told = await client.query("{ syncStatus { workers { name state lastErrorAt } } }")
            worker = next(each for each in told["syncStatus"]["workers"] if each["name"] == name)
            seen.setdefault(worker["lastErrorAt"], set()).add(worker["state"])
            await asyncio.sleep(0.05)
    _before, *after = seen.values()
    return set().union(*after)


async def test_a_frozen_mongod_during_a_write(tmp_path: Path) -> None:
    mongod = EmbeddedMongod.start(tmp_path / "mongod")
    assert mongod.pid is not None
    try:
        with running(mongod.uri, "frozen", tmp_path / "log", MONGODB_TIMEOUT_S="1") as service:
            async with api(service) as client:
                await make_workspace(client, "acme")
                os.kill(mongod.pid, signal.SIGSTOP)
                try:
                    started = time.monotonic()
                    document = (
                        'mutation { createWorkspace(input: {idempotencyKey: "f", externalId: "b"}) { __typename } }'
                    )
                    answer = await client.client.post("/graphql", json={"query": document})
                    took = time.monotonic() - started
                    read = await client.check("acme", "sso")
                    told = await client.query("{ syncStatus { workers { name } stripe { mode pending } } }")
                    states = await states_of("migrations", client, failures=3)
                finally:
                    os.kill(mongod.pid, signal.SIGCONT)
                assert answer.json()["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
                assert took < 10
                assert told["syncStatus"]["stripe"] == {"mode": "OFF", "pending": None}
                assert "control_stream" in {worker["name"] for worker in told["syncStatus"]["workers"]}
                assert read["accessDeniedReason"] == "FEATURE_NOT_FOUND"
                assert states == {"INTERRUPTED"}
    finally:
        mongod.stop()
