"""`entitled stripe report` at a server that answers what a test tells it, and at the real one."""

import json
from typing import Any

import pytest
from support.command import Command
from support.graphql_server import FakeGraphQL

REPORT = ("stripe", "report")
COUNTS = {"customers": 3, "linkedCustomers": 1, "unlinkedCustomers": 2}


def page(*keys: str, kind: str = "UNLINKED_CUSTOMER", more: bool = False) -> dict[str, Any]:
    none: list[str] = []
    nodes = [
        {
            "kind": kind,
            "key": key,
            "message": "link it",
            "customerIds": [key],
            "workspaceIds": none,
            "subscriptionIds": ["sub_1"],
        }
        for key in keys
    ]
    return {"data": {"stripeAdoptionIssues": {"nodes": nodes, "pageInfo": {"hasNextPage": more, "endCursor": "c"}}}}


def test_counts_come_first_and_then_what_to_do(entitled: Command, server: FakeGraphQL) -> None:
    server.first = [{"data": {"stripeAdoption": COUNTS}}, page("cus_1", "cus_2", more=True)]
    server.answer = page()

    ran = entitled(*REPORT, "--limit", "2")

    assert ran.code == 0
    lines = ran.out.splitlines()
    assert [line.split() for line in lines[:3]] == [[name, str(count)] for name, count in COUNTS.items()]
    assert lines[4:] == [
        "Unlinked customers: 2",
        "CUSTOMER  SUBSCRIPTIONS  WHAT TO DO",
        "cus_1     sub_1          link it",
        "cus_2     sub_1          link it",
    ]
    assert "there are more; raise --limit" in ran.err
    assert [request["variables"].get("kind") for request in server.requests[1:]] == [
        "UNLINKED_CUSTOMER",
        "UNLINKED_SUBSCRIPTION",
        "UNMAPPED_PRICE",
        "SEVERAL_CUSTOMERS",
        "AMBIGUOUS_EMAIL",
    ]


def test_a_program_gets_json(entitled: Command, server: FakeGraphQL) -> None:
    server.first = [{"data": {"stripeAdoption": COUNTS}}, page("cus_1")]
    server.answer = page()

    told = json.loads(entitled(*REPORT, "--json").out)

    assert (told["counts"], [issue["key"] for issue in told["issues"]]) == (COUNTS, ["cus_1"])


@pytest.mark.usefixtures("service")
def test_the_real_service_answers(entitled: Command) -> None:
    ran = entitled(*REPORT)

    assert (ran.code, ran.out.startswith("customers")) == (0, True)
