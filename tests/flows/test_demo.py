"""`scripts/demo` from the outside: one line of JSON, a running product, and nothing left behind."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from support.service import ROOT, Api, Service, api, eventually, free_port, live

from app.cli.demonstration import ANSWER, QUESTION
from app.sandbox.demo.activity import BUSY

WATCH = 'subscription { entitlementsChanged(workspaceId: "acme") { entitlements { featureKey hasAccess inGrace } } }'
ACME = '{ subscriptions(workspaceId: "acme") { nodes { id } } syncStatus { stripe { mode } } }'


def start_demo(log: Path, *arguments: str) -> subprocess.Popen[str]:
    with log.open("w") as errors:
        return subprocess.Popen(
            [str(ROOT / "scripts" / "demo"), "--json", "--port", str(free_port()), *arguments],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, "TMPDIR": str(log.parent)},
        )


def descendants(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += [int(child), *descendants(int(child))]
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def api_calls(pushed: dict[str, Any]) -> tuple[bool, bool]:
    found = {entry["featureKey"]: entry for entry in pushed["entitlementsChanged"]["entitlements"]}["api_calls"]
    return found["hasAccess"], found["inGrace"]


def service_of(printed: dict[str, Any]) -> Service:
    port = urlsplit(printed["graphql"]).port
    service = Service(printed["mongodbUri"], printed["database"], Path(os.devnull), port=port)
    service.key = printed["apiKey"]
    return service


async def follows_the_sandbox(printed: dict[str, Any]) -> str:
    """Ask what is printed, let the sandbox change acme's subscription, and see it pushed; return how Stripe is read."""
    service = service_of(printed)
    async with api(service) as client, live(service, WATCH) as pushed, httpx.AsyncClient() as sandbox:
        assert await client.query(QUESTION) == ANSWER
        found = await client.query(ACME)
        subscription = f"{printed['stripeApi']}/_sandbox/objects/{found['subscriptions']['nodes'][0]['id']}"
        for status, expected in (("past_due", (True, True)), ("canceled", (False, False))):
            (await sandbox.post(subscription, json={"set": {"status": status}})).raise_for_status()
            while api_calls(await pushed()) != expected:
                pass
        assert (await client.check("acme", "api_calls"))["hasAccess"] is False
    return found["syncStatus"]["stripe"]["mode"]


async def shows_what_goes_on(printed: dict[str, Any]) -> None:
    """See on the sandbox's page, and pushed, that something happens by itself."""
    async with live(service_of(printed), WATCH.replace("acme", BUSY[0])) as pushed, httpx.AsyncClient() as sandbox:
        while not api_calls(await pushed())[0]:
            pass
        page = (await sandbox.get(printed["stripeApi"])).text
        assert "What happens at Stripe" in page
        assert "taken, " in page


@pytest.fixture
def demo(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    process = start_demo(tmp_path / "log", *getattr(request, "param", ("--events", "1")))
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, (tmp_path / "log").read_text()[-3000:]
    yield process, json.loads(line)
    if process.poll() is None:
        process.terminate()
    process.wait(20)
    process.stdout.close()


@pytest.mark.timeout(300)
async def test_the_demo_is_a_running_product_and_ends_without_a_trace(
    demo: tuple[subprocess.Popen[str], dict[str, Any]], tmp_path: Path
) -> None:
    process, printed = demo
    keys = {"graphql", "live", "webhook", "webhookSecret", "apiKey", "stripeApi", "mongodbUri", "database"}
    assert set(printed) == keys
    headers = {"Authorization": f"Bearer {printed['apiKey']}"}
    async with httpx.AsyncClient(base_url=printed["graphql"].removesuffix("/graphql"), headers=headers) as http:
        found = await Api(http).query(
            "{ workspaces(first: 1) { totalCount } subscriptions(first: 100) { nodes { status } } }"
        )
    assert found["workspaces"]["totalCount"] >= 200
    statuses = {node["status"] for node in found["subscriptions"]["nodes"]}
    assert {"ACTIVE", "TRIALING", "PAST_DUE", "PAUSED", "CANCELED"} <= statuses
    assert await follows_the_sandbox(printed) == "FETCH"
    await shows_what_goes_on(printed)

    children = descendants(process.pid)
    assert len(children) >= 2
    process.send_signal(signal.SIGINT)

    assert process.wait(20) == 0
    assert (tmp_path / "log").read_text().endswith("the demo has ended\n")
    eventually(lambda: not any(alive(pid) for pid in children))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("demo", [pytest.param(["--no-stripe-key"], id="no Stripe key")], indirect=True)
async def test_events_alone_are_believed_and_kill_9_leaves_no_orphan(
    demo: tuple[subprocess.Popen[str], dict[str, Any]],
) -> None:
    process, printed = demo
    assert await follows_the_sandbox(printed) == "PROVISIONAL"
    children = descendants(process.pid)
    assert len(children) >= 2

    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)

    eventually(lambda: not any(alive(pid) for pid in children))
