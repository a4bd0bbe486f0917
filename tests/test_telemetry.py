"""Logs without secrets, and metrics as a scrape sees them."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from app.telemetry import METRICS, REDACTED, Metrics, configure_logging, logger, redact

HIDDEN = "9f8e7d6c5b4a"


@contextmanager
def logging_as_json() -> Iterator[None]:
    """Send logs to stderr as JSON, and leave the root logger without a handler of ours."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure_logging(level="INFO", format="json")
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"sk_test_{HIDDEN}", id="Stripe test key"),
        pytest.param(f"rk_live_{HIDDEN}", id="restricted key"),
        pytest.param(f"whsec_{HIDDEN}", id="webhook secret"),
        pytest.param(f"Authorization: Bearer {HIDDEN}", id="bearer"),
        pytest.param(f"ent_key_0190_{HIDDEN}", id="our key"),
        pytest.param(f"mongodb://user:{HIDDEN}@host/db", id="password in an address"),
        pytest.param(f"mongodb+srv://user:{HIDDEN}@host/db", id="password in an srv address"),
    ],
)
def test_secrets_are_hidden_by_their_shape(text: str) -> None:
    assert HIDDEN not in redact(f"before {text} after")
    assert redact(f"before {text} after").startswith("before ")
    assert redact(f"before {text} after").endswith(" after")


def test_what_is_no_secret_stays() -> None:
    assert redact("mongodb://localhost:27017/?replicaSet=rs0") == "mongodb://localhost:27017/?replicaSet=rs0"


def test_a_log_line_is_json_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_as_json():
        logger("tests").info("told", secret=HIDDEN, note=f"whsec_{HIDDEN}", api_key_id="key_1", text="a\nb")

    (line,) = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert HIDDEN not in line
    assert (told["secret"], told["api_key_id"], told["text"], told["level"]) == (REDACTED, "key_1", "a\nb", "info")


def test_a_library_s_log_line_is_treated_alike(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_as_json():
        logging.getLogger("some.library").warning("key %s", f"sk_test_{HIDDEN}")

    (line,) = capsys.readouterr().err.splitlines()
    assert HIDDEN not in line
    assert json.loads(line)["logger"] == "some.library"


def test_a_scrape_shows_every_metric() -> None:
    metrics, registry = Metrics(), CollectorRegistry()
    metrics.count("apply", "applied")
    metrics.count("apply", "applied", by=2)
    metrics.set("apply_lag_seconds", 0.25, "control")
    registry.register(metrics)

    text = generate_latest(registry).decode()

    assert 'entitled_apply_total{outcome="applied"} 3.0' in text
    assert 'entitled_apply_lag_seconds{stream="control"} 0.25' in text
    assert "entitled_reconcile_repaired_total 0.0" in text
    assert all(f"# HELP entitled_{name}" in text for name in METRICS)
