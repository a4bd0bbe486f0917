"""`entitled features` at the real service."""

import json

import httpx
import pytest
from support.command import Command
from support.service import Service

pytestmark = pytest.mark.usefixtures("service")


@pytest.fixture
def retired(service: Service, name: str) -> str:
    """Make a feature, archive it, and give its key."""
    key = name.replace("-", "_")
    document = """mutation($key: String!) {
        createFeature(input: {idempotencyKey: $key, key: $key, name: "Old", type: BOOLEAN}) { __typename }
        archiveFeature(input: {idempotencyKey: $key, featureKey: $key}) { __typename } }"""
    asked = {"query": document, "variables": {"key": key}}
    answer = httpx.post(f"{service.url}/graphql", json=asked, headers={"Authorization": f"Bearer {service.key}"})
    assert {each["__typename"] for each in answer.json()["data"].values()} == {"FeaturePayload"}
    return key


def test_features_are_listed_by_key(entitled: Command) -> None:
    ran = entitled("features", "list")
    listed = json.loads(entitled("features", "list", "--json").out)

    rows = {line.split()[0]: line.split() for line in ran.out.splitlines()}
    assert (ran.code, ran.err) == (0, "")
    assert rows["FEATURE"][:4] == ["FEATURE", "NAME", "TYPE", "OF"]
    assert rows["seats"][:4] == ["seats", "Seats", "METERED", "FLUCTUATING"]
    assert "eu," in rows["regions"]
    assert [each["key"] for each in listed] == sorted(each["key"] for each in listed)


def test_archived_features_are_listed_only_where_asked_for(entitled: Command, retired: str) -> None:
    offered, every = entitled("features", "list"), entitled("features", "list", "--all")

    assert retired not in offered.out
    assert retired in every.out
