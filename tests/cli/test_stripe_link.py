"""`entitled stripe link` and `unlink` at a server that answers what a test tells it, and at the real one."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from support.command import Command
from support.graphql_server import FakeGraphQL

LINK = ("stripe", "link")


def linking(customer: str, workspace: str | None = "ws_1", outcome: str = "LINKED") -> dict[str, Any]:
    message = None if workspace else f"{customer} cannot be linked"
    return {"customerId": customer, "outcome": outcome, "workspaceId": workspace, "message": message}


def many(*linkings: dict[str, Any]) -> dict[str, Any]:
    payload = {"__typename": "LinkStripeCustomersPayload", "linkings": list(linkings)}
    return {"data": {"linkStripeCustomers": payload}}


def mapping(directory: Path, lines: Iterable[str]) -> str:
    file = directory / "mapping.csv"
    file.write_text("\n".join(lines))
    return str(file)


def asked(server: FakeGraphQL) -> list[tuple[bool, list[str]]]:
    """Return of each request whether it was a dry run, and the customers in it."""
    inputs = [request["variables"]["input"] for request in server.requests]
    return [(given["dryRun"], [one["customerId"] for one in given["links"]]) for given in inputs]


@pytest.mark.parametrize(("outcome", "says"), [("LINKED", "is linked to"), ("UNCHANGED", "was linked to")])
def test_one_customer_is_linked(entitled: Command, server: FakeGraphQL, outcome: str, says: str) -> None:
    payload = {
        "__typename": "LinkStripeCustomerPayload",
        "replayed": False,
        "linking": linking("cus_1", "ws_1", outcome),
    }
    server.answer = {"data": {"linkStripeCustomer": payload}}

    ran = entitled(*LINK, "cus_1", "acme", "--replace")

    assert (ran.code, ran.out) == (0, f"cus_1 {says} ws_1\n")
    sent = server.requests[0]["variables"]["input"]
    assert (sent["customerId"], sent["workspaceId"], sent["replace"]) == ("cus_1", "acme", True)


def test_a_link_is_taken_back(entitled: Command, server: FakeGraphQL) -> None:
    payload = {"__typename": "UnlinkStripeCustomerPayload", "replayed": False, "customerId": "cus_1"}
    server.answer = {"data": {"unlinkStripeCustomer": payload}}

    assert entitled("stripe", "unlink", "cus_1").out == "cus_1 is unlinked\n"


def test_a_file_is_looked_at_whole_and_then_linked_in_batches(
    entitled: Command, server: FakeGraphQL, tmp_path: Path
) -> None:
    names = [f"cus_{number}" for number in range(150)]
    batches = [[linking(name, f"ws_{name}") for name in some] for some in (names[:100], names[100:])]
    batches[1][0]["outcome"] = "UNCHANGED"
    server.first = [many(*batch) for batch in (*batches, *batches)]

    ran = entitled(*LINK, "--file", mapping(tmp_path, [f"{name},w" for name in names]))

    assert (ran.code, ran.out) == (0, "149 linked, 1 were before, 0 wrong\n")
    assert asked(server) == [(dry, some) for dry in (True, False) for some in (names[:100], names[100:])]


def test_every_wrong_line_is_told_and_nothing_is_linked(entitled: Command, server: FakeGraphQL, tmp_path: Path) -> None:
    file = mapping(tmp_path, ["cus_1,a", "cus_2,b", "cus_3", "cus_4,d"])
    server.answer = many(linking("cus_1"), linking("cus_2", None, "CUSTOMER_UNKNOWN"), linking("cus_4"))

    ran = entitled(*LINK, "--file", file, "--json")

    assert ran.code == 1
    assert [line.partition("mapping.csv:")[2] for line in ran.err.splitlines()[:3]] == [
        "2: cus_2 cannot be linked",
        "3: has 1 column: customer and workspace are needed",
        "4: the workspace 'ws_1' is in line 1 too, with 'cus_1': keep one of the two",
    ]
    assert "3 lines are wrong; nothing was linked" in ran.err
    told = json.loads(ran.out)
    assert (told["linked"], [fault["line"] for fault in told["wrong"]]) == (1, [2, 3, 4])
    assert [dry for dry, _ in asked(server)] == [True]


def test_the_right_lines_are_linked_where_the_wrong_ones_are_to_be_skipped(
    entitled: Command, server: FakeGraphQL, tmp_path: Path
) -> None:
    file = mapping(tmp_path, ["cus_1,a", "cus_2,b"])
    server.first = [many(linking("cus_1", None, "WORKSPACE_TAKEN"), linking("cus_2"))]
    server.answer = many(linking("cus_2"))

    ran = entitled(*LINK, "--file", file, "--skip-wrong")

    assert (ran.code, ran.out) == (1, "1 linked, 0 were before, 1 wrong\n")
    assert asked(server) == [(True, ["cus_1", "cus_2"]), (False, ["cus_2"])]
    assert "1 line is wrong; the others are linked" in ran.err


def test_a_dry_run_links_nothing(entitled: Command, server: FakeGraphQL, tmp_path: Path) -> None:
    server.answer = many(linking("cus_1"))

    ran = entitled(*LINK, "--file", mapping(tmp_path, ["cus_1,a"]), "--dry-run")

    assert (ran.code, ran.out) == (0, "1 would be linked, 0 were before, 0 wrong\n")
    assert [dry for dry, _ in asked(server)] == [True]


def test_a_server_that_is_away_for_a_moment_is_asked_again_for_the_same(
    entitled: Command, server: FakeGraphQL, tmp_path: Path
) -> None:
    away = {"errors": [{"message": "no answer", "extensions": {"code": "UNAVAILABLE"}}]}
    server.first = [many(linking("cus_1")), away]
    server.answer = many(linking("cus_1"))

    assert entitled(*LINK, "--file", mapping(tmp_path, ["cus_1,a"])).code == 0

    keys = [request["variables"]["input"]["idempotencyKey"] for request in server.requests]
    assert (keys[1], len(set(keys))) == (keys[2], 2)


def by_email(**fields: Any) -> dict[str, Any]:
    none: list[Any] = []
    payload = {
        "__typename": "LinkStripeCustomersByEmailPayload",
        "linked": 0,
        "left": 0,
        "ambiguous": 0,
        "unmatched": 0,
    }
    return {"data": {"linkStripeCustomersByEmail": {**payload, "ambiguities": none, "refused": none, **fields}}}


def test_by_email_it_goes_on_until_nothing_is_left(entitled: Command, server: FakeGraphQL) -> None:
    shared = {"email": "a@x.io", "customerIds": ["cus_8", "cus_9"], "workspaceIds": ["ws_1"], "message": "two have it"}
    server.first = [by_email(linked=12_000, left=3_000)]
    refused = {**linking("cus_7", None, "WORKSPACE_TAKEN"), "message": "taken meanwhile"}
    server.answer = by_email(linked=2_999, ambiguous=1, unmatched=4, ambiguities=[shared], refused=[refused])

    ran = entitled(*LINK, "--by-email")

    assert ran.code == 0
    assert "14999 linked, 1 ambiguous addresses, 4 customers without a match" in ran.out
    assert "cus_8, cus_9" in ran.out
    assert ran.err.splitlines() == ["12000 linked, 3000 left", "cus_7: taken meanwhile"]


def test_by_email_a_dry_run_is_one_request(entitled: Command, server: FakeGraphQL) -> None:
    server.answer = by_email(linked=5, unmatched=1)

    ran = entitled(*LINK, "--by-email", "--dry-run", "--json")

    assert (json.loads(ran.out)["linked"], len(server.requests)) == (5, 1)
    assert server.requests[0]["variables"]["input"]["dryRun"] is True


@pytest.mark.parametrize(
    "arguments",
    [
        ("--by-email", "cus_1"),
        (),
        ("cus_1",),
        ("cus_1", "acme", "--dry-run"),
        ("cus_1", "acme", "--skip-wrong"),
        ("cus_1", "--file", "x.csv"),
        ("--file", "x.csv", "--idempotency-key", "k"),
    ],
)
def test_arguments_that_do_not_go_together_are_refused(
    entitled: Command, server: FakeGraphQL, arguments: tuple[str, ...]
) -> None:
    assert (entitled(*LINK, *arguments).code, server.requests) == (2, [])


def test_the_real_service_links_and_refuses(entitled: Command, workspace: str, tmp_path: Path) -> None:
    assert entitled(*LINK, f"cus_{workspace}", workspace).code == 0
    assert entitled(*LINK, f"cus_2_{workspace}", workspace).code == 1

    ran = entitled(*LINK, "--file", mapping(tmp_path, [f"cus_{workspace},{workspace}", "cus_9,nobody"]))

    assert (ran.code, "nobody" in ran.err) == (1, True)
    assert entitled("stripe", "unlink", f"cus_{workspace}").code == 0
