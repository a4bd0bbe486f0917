"""`entitled features` at the real service, and at one that answers what a test tells it."""

import json

import pytest
from support.command import Command
from support.graphql_server import FakeGraphQL


@pytest.mark.usefixtures("service")
def test_features_are_listed_by_key(entitled: Command) -> None:
    ran = entitled("features", "list")
    listed = json.loads(entitled("features", "list", "--json").out)

    rows = {line.split()[0]: line.split() for line in ran.out.splitlines()}
    assert (ran.code, ran.err) == (0, "")
    assert rows["FEATURE"][:4] == ["FEATURE", "NAME", "TYPE", "OF"]
    assert rows["seats"][:4] == ["seats", "Seats", "METERED", "FLUCTUATING"]
    assert "eu," in rows["regions"]
    assert [each["key"] for each in listed] == sorted(each["key"] for each in listed)


def test_archived_features_are_listed_only_where_asked_for(server: FakeGraphQL, entitled: Command) -> None:
    offered = {"key": "images", "name": "Images", "type": "CREDIT", "unit": None, "meterType": None, "valueType": None}
    offered |= {"enumValues": [], "merge": "SUM", "cost": "2.5", "creditType": {"key": "ai"}, "archivedAt": None}
    gone = {**offered, "key": "gone", "archivedAt": "2026-11-21T00:00:00.000Z"}
    server.answer = {"data": {"features": [gone, offered]}}

    listed, every = entitled("features", "list"), entitled("features", "list", "--all")

    assert [line.split()[0] for line in listed.out.splitlines()] == ["FEATURE", "images"]
    assert [line.split()[0] for line in every.out.splitlines()] == ["FEATURE", "gone", "images"]
    assert "ai at 2.5" in listed.out
