"""README says what is: settings, commands, queries and files."""

import re
from pathlib import Path

import pytest
from graphql import build_schema, parse, validate

from app.settings import Settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
SCHEMA = build_schema((ROOT / "schema.graphql").read_text())


def settings_rows() -> list[str]:
    """Return the table's rows as the settings themselves tell them."""
    rows = []
    for name, field in Settings.model_fields.items():
        text, _, default = (field.description or "").replace(" No default", " Default none").partition(" Default")
        rows.append(f"| `{name.upper()}` | {text.rstrip('.')} | {default.strip(' :.').removeprefix('none: ')} |")
    return rows


def test_the_settings_table_is_the_settings() -> None:
    table = [line for line in README.splitlines() if re.match(r"\| `[A-Z_]+` \|", line)]

    assert table == settings_rows()


@pytest.mark.parametrize("document", re.findall(r"```graphql\n(.*?)```", README, re.DOTALL))
def test_every_query_shown_is_valid(document: str) -> None:
    assert validate(SCHEMA, parse(document)) == []


def test_every_operation_in_the_tables_exists() -> None:
    asked, changed = re.findall(r"\n\| (?:ask|change) \| with \|\n(.*?)(?=\n\n)", README, re.DOTALL)
    roots = {*(SCHEMA.query_type or SCHEMA).fields, *(SCHEMA.subscription_type or SCHEMA).fields}  # type: ignore[union-attr]

    def named(table: str) -> set[str]:
        return set(re.findall(r"`([a-z][A-Za-z]+)`", table))

    assert named(asked) <= roots | {"mutation"} | set(SCHEMA.mutation_type.fields)  # type: ignore[union-attr]
    assert named(changed) <= set(SCHEMA.mutation_type.fields)  # type: ignore[union-attr]
    assert len(named(changed)) > 10


def test_every_file_named_exists() -> None:
    named = set(re.findall(r"`((?:app|sync|scripts|\.ci)/[\w./]+)`", README)) | set(
        re.findall(r"\]\(([\w.]+)\)", README)
    )

    assert {name for name in named if not (ROOT / name).exists()} == set()
    assert len(named) > 8
