"""`entitled stripe setup` at a server that answers what a test tells it, and at the real one."""

import json
from typing import Any

import pytest
from support.command import Command
from support.graphql_server import FakeGraphQL

URL = "https://billing.example/webhooks/stripe"
SETUP = ("stripe", "setup", URL)
ENDPOINT = {
    "id": "we_1",
    "url": URL,
    "enabled": True,
    "enabledEvents": ["customer.created"],
    "apiVersion": "2026-10-28.endive",
    "createdAt": "2026-11-21T00:00:00.000Z",
}
CREATE = {"action": "CREATE", "endpointId": None, "added": ["customer.created"], "removed": []}


def told(**fields: Any) -> dict[str, Any]:
    payload = {
        "__typename": "SetUpStripePayload",
        "dryRun": True,
        "livemode": False,
        "apiVersion": "2026-10-28.endive",
        "replayed": False,
        "secret": None,
        "endpoint": None,
        "changes": [],
        "findings": [],
        **fields,
    }
    return {"data": {"setUpStripe": payload}}


def test_it_shows_what_it_will_do_does_it_and_prints_the_secret(entitled: Command, server: FakeGraphQL) -> None:
    server.first = [told(changes=[CREATE])]
    server.answer = told(dryRun=False, endpoint=ENDPOINT, changes=[CREATE], secret="whsec_new")

    ran = entitled(*SETUP, "--yes")

    assert ran.code == 0
    assert "the key is of the test mode" in ran.out
    assert "+ an endpoint with 1 types of events\n    + customer.created" in ran.out
    assert ran.out.count("whsec_new") == 1
    assert "STRIPE_WEBHOOK_SECRET" in ran.out
    assert [request["variables"]["input"]["dryRun"] for request in server.requests] == [True, False]
    assert server.requests[1]["variables"]["input"]["url"] == URL


def test_a_dry_run_asks_nothing_and_changes_nothing(entitled: Command, server: FakeGraphQL) -> None:
    changes = [
        {"action": "SET_EVENTS", "endpointId": "we_1", "added": ["price.created"], "removed": ["*"]},
        {"action": "ENABLE", "endpointId": "we_1", "added": [], "removed": []},
    ]
    finding = {"code": "DUPLICATE_ENDPOINT", "message": "another has it", "endpointId": "we_2"}
    server.answer = told(endpoint={**ENDPOINT, "enabled": False}, changes=changes, findings=[finding])

    ran = entitled(*SETUP, "--dry-run")

    assert ran.code == 0
    assert "we_1 is there: disabled" in ran.out
    assert "~ we_1 is sent other events\n    + price.created\n    - *\n~ we_1 is enabled" in ran.out
    assert "! we_2: another has it" in ran.out
    assert len(server.requests) == 1


def test_where_nothing_is_to_change_nothing_is_asked(entitled: Command, server: FakeGraphQL) -> None:
    server.answer = told(endpoint=ENDPOINT)

    ran = entitled(*SETUP)

    assert (ran.code, "nothing to change" in ran.out, len(server.requests)) == (0, True, 1)


def test_without_a_yes_nothing_is_changed(entitled: Command, server: FakeGraphQL) -> None:
    server.answer = told(changes=[CREATE])

    ran = entitled(*SETUP)

    assert (ran.code, len(server.requests)) == (2, 1)


def test_what_must_be_put_right_first_is_exit_code_1(entitled: Command, server: FakeGraphQL) -> None:
    finding = {"code": "MISSING_PERMISSION", "message": "the restricted key lacks rak_price_read", "endpointId": None}
    server.answer = told(findings=[finding])

    ran = entitled(*SETUP, "--json")

    assert (ran.code, json.loads(ran.out)["findings"]) == (1, [finding])
    assert "1 problem to put right first" in ran.err


@pytest.mark.usefixtures("service")
def test_a_service_without_a_stripe_key_says_what_to_set(entitled: Command) -> None:
    ran = entitled(*SETUP)

    assert (ran.code, "STRIPE_SECRET_KEY" in ran.err) == (78, True)
