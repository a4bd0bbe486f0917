"""RUNBOOK says what is: metrics, settings, commands, queries; tests/flows tries the role that it names."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from graphql import build_schema, parse, validate
from typer.main import get_command

from app.cli.main import app
from app.settings import setting_names
from app.telemetry import METRICS

ROOT = Path(__file__).parents[1]
RUNBOOK = (ROOT / "RUNBOOK.md").read_text()
SCHEMA = (ROOT / "schema.graphql").read_text()
ALERTS: dict[str, Any] = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", RUNBOOK, re.DOTALL)[0])
RULES: list[dict[str, Any]] = ALERTS["groups"][0]["rules"]


def exported() -> dict[str, str]:
    """Return the metrics as Prometheus sees them, and the label of each."""
    return {
        f"entitled_{name}{'_total' if sort == 'counter' else ''}": label for name, (sort, label, _) in METRICS.items()
    }


def test_every_metric_named_exists() -> None:
    named = set(re.findall(r"\bentitled_\w+", RUNBOOK))

    assert named <= set(exported())
    assert len(named) > 10


def test_every_alert_asks_by_labels_that_exist() -> None:
    asked = [pair for rule in RULES for pair in re.findall(r"(entitled_\w+)\{(\w+)=", rule["expr"])]

    assert len(asked) > 3
    assert [(metric, label) for metric, label in asked if exported()[metric] != label] == []
    assert all(rule["annotations"]["summary"] for rule in RULES)


def test_every_setting_and_every_answer_named_exists() -> None:
    named = set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", RUNBOOK))
    answers = set(re.findall(r"^  ([A-Z_]+)$", SCHEMA, re.MULTILINE))
    ours = {"ENTITLED_URL", "BACKUP_URI"}

    assert named - answers - set(setting_names()) == ours


def test_every_command_named_exists() -> None:
    named = re.findall(r"`entitled ([a-z]+)(?: ([a-z]+))?", RUNBOOK)
    commands: Any = get_command(app)

    assert len(named) > 10
    for name, verb in named:
        command = commands.commands[name]
        assert not hasattr(command, "commands") or verb in command.commands


@pytest.mark.parametrize("document", re.findall(r"```graphql\n(.*?)```", RUNBOOK, re.DOTALL))
def test_every_query_shown_is_valid(document: str) -> None:
    assert validate(build_schema(SCHEMA), parse(document)) == []


def test_every_link_leads_somewhere() -> None:
    headings = {line.lower().replace(" ", "-") for line in re.findall(r"^#+ (.+)", RUNBOOK, re.MULTILINE)}
    links = re.findall(r"\]\(([^)]+)\)", RUNBOOK)

    assert len(links) > 2
    assert all(link[1:] in headings if link.startswith("#") else (ROOT / link).exists() for link in links)
