"""Every fault of the environment names its variable, and no secret is shown."""

import os

import pytest

from app.settings import Settings, SettingsError, load_settings, near_misses, setting_names


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in setting_names():
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MONGODB_URI", "postgres://user:geheim@db"),
        ("MONGODB_DATABASE", "two words"),
        ("MONGODB_TIMEOUT_S", "0"),
        ("STRIPE_SECRET_KEY", "pk_live_geheim"),
        ("STRIPE_WEBHOOK_SECRET", "whsec_geheim,other"),
        ("STRIPE_WEBHOOK_SECRET", ","),
        ("STRIPE_API_BASE", "api.stripe.com"),
        ("STRIPE_RATE_PER_S", "nan"),
        ("STRIPE_ENDPOINT_RATE_PER_S", "-1"),
        ("STRIPE_WORKERS", "1.5"),
        ("STRIPE_TIMEOUT_S", "inf"),
        ("PORT", "99999"),
        ("LOG_LEVEL", "loud"),
        ("LOG_FORMAT", "xml"),
        ("RECONCILE_INTERVAL_S", "soon"),
        ("CURSOR_SECRET", "geheim"),
        ("INBOX_RETENTION_DAYS", "0"),
        ("IDEMPOTENCY_RETENTION_HOURS", "a day"),
        ("AUDIT_RETENTION_DAYS", "-3"),
        ("BILLING_EVENT_RETENTION_DAYS", "29"),
    ],
)
def test_a_fault_names_its_variable_and_hides_secrets(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError) as raised:
        load_settings()

    assert [problem.split()[0] for problem in raised.value.problems] == [name]
    assert "geheim" not in str(raised.value)


def test_all_faults_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "x")
    monkeypatch.setenv("LOG_LEVEL", "loud")

    with pytest.raises(SettingsError) as raised:
        load_settings()

    assert [problem.split()[0] for problem in raised.value.problems] == ["PORT", "LOG_LEVEL"]
    assert "'x'" in raised.value.problems[0]


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in setting_names():
        monkeypatch.setenv(name, "")

    assert load_settings() == Settings.model_construct()


def test_what_is_given_beats_the_environment_even_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIPE_SECRET_KEY", "sk_test_1")
    monkeypatch.setenv("PORT", "9999")

    settings = load_settings(stripe_secret_key=None, port=1234)

    assert settings.stripe_secret_key is None
    assert settings.port == 1234


def test_webhook_secrets_are_a_comma_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", "whsec_new, whsec_old,")

    assert load_settings().stripe_webhook_secrets == ("whsec_new", "whsec_old")


def test_log_settings_are_read_in_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_LEVEL", "debug")
    monkeypatch.setenv("LOG_FORMAT", "JSON")

    settings = load_settings()

    assert (settings.log_level, settings.log_format) == ("DEBUG", "json")


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONGODB_URI", "mongodb://user:geheim@db/?replicaSet=rs")
    monkeypatch.setenv("STRIPE_SECRET_KEY", "sk_live_geheim")
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", "whsec_geheim")
    monkeypatch.setenv("CURSOR_SECRET", "geheim" * 3)

    settings = load_settings()

    assert "geheim" not in f"{settings!r}{settings}{settings.model_dump_json()}"


def test_every_description_tells_the_default() -> None:
    for name, field in Settings.model_fields.items():
        default = f"{field.default:g}" if isinstance(field.default, float | int) else field.default
        told = "default" if default is None else f"Default {default}."
        assert told.lower() in (field.description or "").lower(), name


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("MONGO_URI", "MONGODB_URI"),
        ("MONGODB_URL", "MONGODB_URI"),
        ("STRIPE_SECRETKEY", "STRIPE_SECRET_KEY"),
        ("STRIPE_API_KEY", "STRIPE_SECRET_KEY"),
        ("STRIPE_WEBHOOK_SECRETS", "STRIPE_WEBHOOK_SECRET"),
        ("ENTITLED_PORT", "PORT"),
        ("RECONCILE_INTERVAL", "RECONCILE_INTERVAL_S"),
    ],
)
def test_a_near_miss_is_warned_of(name: str, meant: str) -> None:
    assert near_misses([name]) == [f"{name} is set, but not read; did you mean {meant}?"]


@pytest.mark.parametrize(
    "name", ["PATH", "HOSTNAME", "HOME", "ENTITLED_URL", "ENTITLED_API_KEY", "MONGOD_BINARY", "STRIPE_PUBLISHABLE_KEY"]
)
def test_other_names_are_left_alone(name: str) -> None:
    assert near_misses([name, *setting_names()]) == []


def test_the_names_are_those_of_the_environment() -> None:
    assert {"MONGODB_URI", "STRIPE_WEBHOOK_SECRET", "PORT"} <= set(setting_names())
    assert not set(setting_names()) & set(os.environ)
