"""What is given on the command line becomes what the API takes."""

from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

import pytest
from graphql import GraphQLEnumType, build_schema

from app.cli import audit, events, grants, keys, options, overrides, usage
from app.cli.failure import CommandError

SCHEMA = build_schema((Path(__file__).parents[2] / "schema.graphql").read_text())


@pytest.mark.parametrize(
    ("choices", "name"),
    [
        (keys.Scope, "Scope"),
        (audit.Kind, "RecordKind"),
        (events.Status, "StripeEventStatus"),
        (overrides.LimitBehavior, "LimitBehavior"),
        (options.ResetPeriod, "ResetPeriod"),
        (usage.Granularity, "Granularity"),
    ],
)
def test_choices_are_those_of_the_schema(choices: type[StrEnum], name: str) -> None:
    kind = SCHEMA.type_map[name]

    assert isinstance(kind, GraphQLEnumType)
    assert [choice.value for choice in choices] == list(kind.values)


def test_people_give_grants_of_sources_that_exist() -> None:
    kind = SCHEMA.type_map["GrantSource"]

    assert isinstance(kind, GraphQLEnumType)
    assert {source.value for source in grants.Source} < set(kind.values)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (None, None),
        ("eu", "eu"),
        ("5", 5),
        ("-5", -5),
        ('"5"', "5"),
        ("1.5", "1.5"),
        ('["eu", "us"]', ["eu", "us"]),
        ("true", "true"),
        ("null", "null"),
        ('{"a": 1}', '{"a": 1}'),
        ("[eu", "[eu"),
        ("", ""),
    ],
)
def test_a_value_is_read_as_the_api_takes_it(text: str | None, value: object) -> None:
    assert options.config_value(text) == value


def test_pairs_are_split_at_the_first_sign() -> None:
    assert options.pairs(["a=1", "b=c=d", "e="], "--metadata") == {"a": "1", "b": "c=d", "e": ""}
    assert options.pairs(None, "--metadata") == {}


@pytest.mark.parametrize("texts", [["a"], ["=1"], ["a=1", "a=2"]])
def test_pairs_that_are_none_are_named(texts: list[str]) -> None:
    with pytest.raises(CommandError, match="--metadata"):
        options.pairs(texts, "--metadata")


def test_an_instant_is_told_from_the_operators_clock() -> None:
    before, after = options.days_from_now(-30), options.days_from_now(1)

    assert before.endswith("Z")
    passed = datetime.fromisoformat(after) - datetime.fromisoformat(before)
    assert timedelta(days=31) <= passed < timedelta(days=31, minutes=1)


def test_an_instant_is_moved() -> None:
    assert options.moved("2026-11-21T00:00:05.250Z", -10) == "2026-11-20T23:59:55.250Z"
