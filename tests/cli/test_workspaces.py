"""`entitled workspaces` at the real service."""

import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from support import stripe
from support.command import Command
from support.graphql_server import FakeGraphQL
from support.service import Service, eventually
from support.stripe_account import signed


def shown(entitled: Command, ref: str) -> dict[str, Any]:
    return json.loads(entitled("workspaces", "show", ref, "--json").out)


@pytest.mark.usefixtures("service")
def test_a_new_workspace_is_printed_as_its_id_alone(entitled: Command, name: str) -> None:
    made = entitled(
        "workspaces",
        "create",
        "--external-id",
        name,
        "--name",
        "Acme",
        "--email",
        "billing@acme.example",
        "--metadata",
        "crm=7",
        "--metadata",
        "note=a=b",
    )

    found = shown(entitled, made.out.strip())
    assert (made.code, made.err) == (0, "")
    assert found["id"] == made.out.strip()
    assert (found["externalId"], found["name"], found["email"]) == (name, "Acme", "billing@acme.example")
    assert found["metadata"] == {"crm": "7", "note": "a=b"}


@pytest.mark.usefixtures("service")
def test_the_same_idempotency_key_makes_one_workspace(entitled: Command, name: str) -> None:
    command = ("workspaces", "create", "--external-id", name, "--idempotency-key", name)

    first, again = entitled(*command), entitled(*command)
    other = entitled("workspaces", "create", "--idempotency-key", name)

    assert (first.code, again.code, again.out) == (0, 0, first.out)
    assert (first.err, "used before" in again.err) == ("", True)
    assert (other.code, other.out) == (1, "")
    assert "idempotencyKey" in other.err


def test_metadata_that_is_none_is_named(entitled: Command, server: FakeGraphQL) -> None:
    ran = entitled("workspaces", "create", "--metadata", "crm")

    assert (ran.code, ran.err, server.requests) == (2, "entitled: --metadata 'crm' is not NAME=VALUE\n", [])


@pytest.mark.usefixtures("service")
def test_what_the_service_refuses_is_one_line_that_names_the_field(entitled: Command, workspace: str) -> None:
    taken = entitled("workspaces", "create", "--external-id", workspace)
    wrong = entitled("workspaces", "create", "--email", "nobody", "--external-id", " ")

    assert (taken.code, taken.out, taken.err.count("\n")) == (1, "", 1)
    assert workspace in taken.err
    assert (wrong.code, wrong.out, wrong.err.count("\n")) == (2, "", 1)
    assert "email" in wrong.err
    assert "externalId" in wrong.err


@pytest.mark.usefixtures("service")
def test_a_workspace_is_shown_by_either_id(entitled: Command, workspace: str) -> None:
    found = shown(entitled, workspace)

    assert shown(entitled, found["id"]) == found
    assert found["externalId"] == workspace
    assert found["subscriptions"] == []
    assert {answer["featureKey"] for answer in found["entitlements"]["entitlements"]} >= {"sso", "api_calls"}


def test_a_workspace_is_shown_with_its_subscriptions_and_entitlements(
    entitled: Command, service: Service, workspace: str
) -> None:
    subscription = stripe.subscription(
        f"sub_{workspace}",
        workspace=workspace,
        items=[stripe.item(current_period_end=int(time.time()) + 86_400)],  # noqa: TID251 - a period of today
    )
    body, headers = signed(stripe.event(f"evt_{workspace}", "customer.subscription.created", subscription))
    assert httpx.post(f"{service.url}/webhooks/stripe", content=body, headers=headers).status_code == httpx.codes.OK
    eventually(lambda: shown(entitled, workspace)["subscriptions"] != [])

    ran = entitled("workspaces", "show", workspace)

    heads = [line for line in ran.out.splitlines() if line.startswith(("SUBSCRIPTIONS", "ENTITLEMENTS"))]
    assert (ran.code, heads) == (0, ["SUBSCRIPTIONS: 1", "ENTITLEMENTS: 5"])
    rows = {line.split()[0]: line.split() for line in ran.out.splitlines() if line}
    assert rows["externalId"] == ["externalId", workspace]
    assert rows[f"sub_{workspace}"][1:4] == ["ACTIVE", "pro", "v1"]
    assert rows["api_calls"][1:5] == ["yes", "-", "0", "100"]
    assert rows["seats"][1:3] == ["no", "FEATURE_NOT_IN_PLAN"]


@pytest.mark.usefixtures("service")
def test_grants_and_overrides_are_shown_with_the_ids_that_end_them(entitled: Command, workspace: str) -> None:
    grant = entitled("grants", "add", workspace, "api_calls", "--amount", "10").out.strip()
    override = entitled("overrides", "set", workspace, "regions", "--value", '["eu"]').out.strip()

    lines = entitled("workspaces", "show", workspace).out.splitlines()

    start = lines.index("GRANTS AND OVERRIDES: 2")
    rows = {line.split()[0]: line.split()[1:] for line in lines[start + 2 : start + 4]}
    assert rows == {
        grant: ["MANUAL", "api_calls", "10", "10", "-", "-"],
        override: ["OVERRIDE", "regions", "-", "-", "eu", "-"],
    }


@pytest.mark.usefixtures("service")
def test_an_unknown_workspace_is_exit_code_1(entitled: Command, name: str) -> None:
    ran = entitled("workspaces", "show", name)

    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert name in ran.err


@pytest.mark.usefixtures("service")
def test_workspaces_are_listed_to_the_end_or_the_limit(entitled: Command, name: str) -> None:
    names = [f"{name}-{number}" for number in range(101)]  # more than a page has
    for each in names:
        assert entitled("workspaces", "create", "--external-id", each).code == 0

    listed = json.loads(entitled("workspaces", "list", "--json").out)
    some = entitled("workspaces", "list", "--limit", "101")

    mine = [workspace["externalId"] for workspace in listed if str(workspace["externalId"]).startswith(name)]
    assert mine == names
    assert len({workspace["id"] for workspace in listed}) == len(listed)
    assert [line.split()[0] for line in some.out.splitlines()] == [
        "WORKSPACE",
        *(workspace["id"] for workspace in listed[:101]),
    ]
    assert some.err.startswith("there are more") is (len(listed) > 101)


@pytest.mark.usefixtures("service")
def test_an_archived_workspace_may_use_nothing(entitled: Command, workspace: str) -> None:
    version = shown(entitled, workspace)["version"]

    refused = entitled("workspaces", "archive", workspace, "--yes", "--if-version", "999")
    archived = entitled("workspaces", "archive", workspace, "--yes", "--if-version", version)

    assert (refused.code, refused.out, refused.err.count("\n")) == (1, "", 1)
    assert (archived.code, archived.err) == (0, "")
    assert archived.out.startswith(f"{workspace} archived at 2")
    assert "WORKSPACE_ARCHIVED" in entitled("check", workspace, "sso").out


@pytest.mark.usefixtures("service")
def test_nothing_is_archived_unasked(entitled: Command, workspace: str, typed: Callable[[str], None]) -> None:
    typed("no")
    refused = entitled("workspaces", "archive", workspace)
    before = shown(entitled, workspace)["archivedAt"]

    typed("y")
    done = entitled("workspaces", "archive", workspace)

    assert (refused.code, refused.out) == (1, "")
    assert (workspace in refused.err, before) == (True, None)
    assert (done.code, shown(entitled, workspace)["archivedAt"] is None) == (0, False)


def test_without_a_terminal_yes_must_be_said(entitled: Command, server: FakeGraphQL) -> None:
    ran = entitled("workspaces", "archive", "acme")

    assert (ran.code, ran.out, ran.err.count("\n"), server.requests) == (2, "", 1, [])
    assert "--yes" in ran.err
