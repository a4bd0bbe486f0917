"""`entitled sandbox` as people run it: a process of its own, spoken to with Stripe's SDK."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from typing import Any

import httpx
import msgspec
import pytest
import stripe
from sandbox.webhook_receiver import SECRET, receive
from support.command import Command
from support.service import COMMAND, ROOT

from app.sandbox.stripe import control
from app.sandbox.stripe.chaos import Chaos
from app.sandbox.stripe.delivery import Endpoint
from app.sandbox.stripe.faults import Fault
from app.sandbox.stripe.sandbox import Collection, Config, Sandbox

# The SDK hands form bodies to httpx in a way that httpx 0.28 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=<...>':DeprecationWarning")

SECTION = (ROOT / "README.md").read_text().partition("\n## A Stripe to test against\n")[2].partition("\n## ")[0]


@contextmanager
def started(*arguments: str) -> Generator[subprocess.Popen[str]]:
    """Run the command on a free port, and kill it if the test does not end it."""
    command = [COMMAND, "sandbox", "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def facts(process: subprocess.Popen[str]) -> Any:
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


@pytest.fixture
def busy_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken.getsockname()[1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_well(number: signal.Signals) -> None:
    with started("--json") as process:
        told = facts(process)
        os.kill(process.pid, number)
        rest, err = process.communicate(timeout=20)

    assert (process.returncode, rest, err) == (0, "", "the sandbox has ended\n")
    assert (told["webhookUrl"], told["webhookSecret"]) == (None, None)


def test_the_sdk_and_the_webhook_meet_what_was_said() -> None:
    with receive() as receiver:
        options = ("--webhook-url", receiver.url, "--webhook-secret", SECRET, "--api-version", "2025-02-24.acacia")
        with started("--json", "--seed", "7", *options) as process:
            told = facts(process)
            places = {"api": told["url"], "files": told["url"], "meter_events": told["url"]}
            with closing(stripe.HTTPXClient(allow_sync_methods=True)) as http:
                client = stripe.StripeClient("sk_test_any", base_addresses=places, http_client=http)
                customer = client.v1.customers.create({"name": "Ann"})
            receiver.wait_for(1)
            dial = httpx.get(f"{told['url']}/_sandbox/chaos", trust_env=False).json()

        assert receiver.verify_all() == ["customer.created"]
        assert receiver.events[0]["data"]["object"]["id"] == customer.id
        assert receiver.events[0]["api_version"] == told["apiVersion"] == "2025-02-24.acacia"
        assert dial["seed"] == told["seed"] == 7


def test_it_says_how_to_point_the_sdk_at_it() -> None:
    with started("--webhook-url", "http://127.0.0.1:9/hook") as process:
        assert process.stdout is not None
        lines: list[str] = []
        for line in process.stdout:
            lines.append(line)
            if "Ctrl-C" in line:
                break
        url = lines[0].split()[-1]
        answer = httpx.get(f"{url}/v1/customers", auth=("sk_test_any", ""), trust_env=False)
        page = httpx.get(url, trust_env=False)

    told = "".join(lines)
    assert answer.status_code == httpx.codes.OK
    assert f'base_addresses={{"api": "{url}", "files": "{url}", "meter_events": "{url}"}}' in told
    assert "http://127.0.0.1:9/hook, signed with whsec_" in told
    assert f"in a browser     {url}  " in told
    assert page.headers["content-type"] == "text/html; charset=utf-8"


def test_it_sends_thin_events() -> None:
    with receive() as receiver, started("--json", "--thin", "--webhook-url", receiver.url) as process:
        customers = f"{facts(process)['url']}/v1/customers"
        customer = httpx.post(customers, auth=("sk_test_any", ""), trust_env=False).json()["id"]
        receiver.wait_for(1)

    assert receiver.events[0]["object"] == "v2.core.event"
    assert receiver.events[0]["related_object"]["id"] == customer


def test_thin_events_go_somewhere(entitled: Command) -> None:
    ran = entitled("sandbox", "--thin")

    assert (ran.code, "--webhook-url" in ran.err) == (2, True)


@pytest.mark.parametrize("url", ["ftp://shop.test", "http://", "https:///hook", "shop.test"])
def test_events_go_to_a_host(entitled: Command, url: str) -> None:
    ran = entitled("sandbox", "--webhook-url", url)

    assert (ran.code, ran.out) == (2, "")
    assert "name a host" in ran.err


def test_a_taken_port_is_named_with_what_to_do(entitled: Command, busy_port: int) -> None:
    ran = entitled("sandbox", "--port", str(busy_port))

    assert (ran.code, ran.out, ran.err.count("\n")) == (78, "", 1)
    assert f"port {busy_port}" in ran.err
    assert "--port 0" in ran.err


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
def test_an_address_that_is_not_ours_is_named(entitled: Command, host: str) -> None:
    ran = entitled("sandbox", "--host", host, "--port", "0")

    assert ran.code == 78
    assert host in ran.err
    assert "--host" in ran.err


def test_the_readme_s_example_prints_what_it_says() -> None:
    [example] = re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL)
    code, _, promised = example.rpartition("# ")
    with started("--json") as process:
        code = code.replace("http://127.0.0.1:12111", facts(process)["url"])
        printed = subprocess.check_output([sys.executable, "-c", code], text=True, timeout=60)

    assert printed == promised
    assert "subscription_cycle" in printed


def test_the_readme_s_commands_are_taken() -> None:
    commands = re.findall(r"curl -s \$SANDBOX(\S+)(?: -d '(.*)')?", SECTION)
    with started("--json") as process, httpx.Client(base_url=facts(process)["url"], trust_env=False) as http:
        customer = http.post("/v1/customers", auth=("sk_test_any", "")).json()["id"]
        answers = [
            http.request("POST" if body else "GET", path.replace("$CUSTOMER", customer), content=body or None)
            for path, body in commands
        ]

    assert [answer.status_code for answer in answers] == [httpx.codes.OK] * 5


def test_the_readme_s_table_names_paths_that_are_and_every_knob() -> None:
    named = set(re.findall(r"^\| `([a-z/{}]+)` \|", SECTION, re.MULTILINE))
    routes = {route.path.removeprefix("/_sandbox/") for route in control.routes(Sandbox(Config(), now=lambda: 0))}
    models = (Chaos(), Fault("status"), Collection(), Endpoint("", ""))
    knobs = {knob for model in models for knob in msgspec.to_builtins(model)} - {"met"}

    assert named <= routes
    assert {knob for knob in knobs if not re.search(rf"\b{knob}\b", SECTION)} == set()
