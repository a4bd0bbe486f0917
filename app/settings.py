"""Every setting with its unit and default, read from the environment by the name in capitals."""

import difflib
import os
import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

_SHORTEST_CURSOR_SECRET = 16
_NEAR = 0.75
_SHORTEST_NEAR_MISS = 6
_OTHER_NAMES = frozenset({"ENTITLED_URL", "ENTITLED_API_KEY", "MONGOD_BINARY", "TEST_MONGODB_URI"})
_COMMON_MISTAKES = {"STRIPE_API_KEY": "STRIPE_SECRET_KEY"}


class SettingsError(Exception):
    """The environment cannot be used. `problems` has one line per variable at fault, never with a secret in it."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


def _check_mongodb_uri(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().startswith(("mongodb://", "mongodb+srv://")):
        raise ValueError("it does not start with mongodb:// or mongodb+srv://")
    return value


def _check_database(value: str) -> str:
    if not re.fullmatch(r'[^/\\. "$*<>:|?\x00]{1,63}', value):
        raise ValueError('a name has 1 to 63 characters, none of them a space or one of / \\ . " $ * < > : | ?')
    return value


def _check_stripe_key(value: SecretStr) -> SecretStr:
    key = value.get_secret_value()
    if key.startswith("pk_"):
        raise ValueError("it is a publishable key (pk_)")
    if not key.startswith(("sk_", "rk_")):
        raise ValueError("it starts with neither sk_ nor rk_")
    return value


def _check_webhook_secrets(value: SecretStr) -> SecretStr:
    secrets = _split(value)
    if not secrets or not all(re.fullmatch(r"whsec_\S+", secret) for secret in secrets):
        raise ValueError("each secret in the comma list must start with whsec_")
    return value


def _check_cursor_secret(value: SecretStr) -> SecretStr:
    if len(value) < _SHORTEST_CURSOR_SECRET:
        raise ValueError(f"it has {len(value)} characters")
    return value


def _check_api_base(value: str) -> str:
    url = urlsplit(value)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise ValueError("it is no http:// or https:// address")
    return value.rstrip("/")


def _split(secrets: SecretStr | None) -> tuple[str, ...]:
    parts = secrets.get_secret_value().split(",") if secrets else ()
    return tuple(part.strip() for part in parts if part.strip())


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


class Settings(BaseSettings):
    """What a process is told. An empty variable counts as not set. Secrets do not show in `repr`."""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True)

    mongodb_uri: Annotated[SecretStr, AfterValidator(_check_mongodb_uri)] | None = Field(
        None, description="Address of a MongoDB replica set, mongodb:// or mongodb+srv://. No default."
    )
    mongodb_database: Annotated[str, AfterValidator(_check_database)] = Field(
        "entitled", description="Name of the database. Default entitled."
    )
    mongodb_timeout_s: float = Field(
        5, gt=0, le=60, description="Deadline of every read and write, in seconds, up to 60. Default 5."
    )
    stripe_secret_key: Annotated[SecretStr, AfterValidator(_check_stripe_key)] | None = Field(
        None,
        description="Stripe API key, sk_ or rk_. Without it what events say is applied as provisional. No default.",
    )
    stripe_webhook_secret: Annotated[SecretStr, AfterValidator(_check_webhook_secrets)] | None = Field(
        None,
        description="Webhook signing secrets, whsec_, a comma list while one is rotated. "
        "Without it /webhooks/stripe is off. No default.",
    )
    stripe_api_base: Annotated[str, AfterValidator(_check_api_base)] = Field(
        "https://api.stripe.com", description="Address of Stripe's API. Default https://api.stripe.com."
    )
    stripe_rate_per_s: float = Field(
        40,
        gt=0,
        le=1000,
        description="Most requests to Stripe per second, in all, of all processes together. Default 40.",
    )
    stripe_endpoint_rate_per_s: float = Field(
        10,
        gt=0,
        le=1000,
        description="Most requests to one endpoint of Stripe per second, of all processes together. Default 10.",
    )
    stripe_workers: int = Field(4, ge=1, le=64, description="Stripe objects worked on at a time, 1 to 64. Default 4.")
    stripe_timeout_s: float = Field(
        15, gt=0, le=80, description="Deadline of one request to Stripe, in seconds, up to 80. Default 15."
    )
    stripe_reconcile_interval_s: float = Field(
        300,
        ge=10,
        le=86_400,
        description="Pause between two looks for events of Stripe that never came, in seconds, 10 to 86400. "
        "Default 300.",
    )
    stripe_relist_hour: int = Field(
        3,
        ge=0,
        le=23,
        description="Hour, UTC, from which Stripe's products, prices and subscriptions are listed once a day, 0 to 23. "
        "Default 3.",
    )
    role: Annotated[Literal["all", "api", "worker"], BeforeValidator(_lower)] = Field(
        "all",
        description="api (GraphQL and webhooks), worker (the work that processes share: Stripe, migrations, sealing "
        "the audit) or all (both). Default all.",
    )
    stripe_unlinked_customers: Annotated[Literal["park", "create"], BeforeValidator(_lower)] = Field(
        "park",
        description="What becomes of a Stripe customer that no workspace is known for: park (it waits) or create (it "
        "gets a workspace). Default park.",
    )
    host: str = Field("127.0.0.1", min_length=1, description="Address to listen on. Default 127.0.0.1.")
    port: int = Field(8080, ge=0, le=65535, description="Port to listen on; 0 takes a free one. Default 8080.")
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(_upper)] = Field(
        "INFO", description="DEBUG, INFO, WARNING, ERROR or CRITICAL. Default INFO."
    )
    log_format: Annotated[Literal["json", "console"], BeforeValidator(_lower)] = Field(
        "json", description="json (one object per line) or console (for a person). Default json."
    )
    reconcile_interval_s: float = Field(
        300,
        ge=1,
        le=86_400,
        description="Pause between two clean-and-refresh runs, in seconds, 1 to 86400. Default 300.",
    )
    default_plan: str | None = Field(
        None,
        description="Key of the free plan, for workspaces without an entitling subscription; goes before the "
        "catalogue's own `default_plan`. Default: the catalogue's.",
    )
    cursor_secret: Annotated[SecretStr, AfterValidator(_check_cursor_secret)] | None = Field(
        None,
        description="Signs page cursors, at least 16 characters, the same on every replica. "
        "Default: random per process, so that cursors end with it.",
    )
    inbox_retention_days: int = Field(
        30, ge=1, le=3650, description="How long Stripe events are kept, in days (Stripe itself keeps 30). Default 30."
    )
    idempotency_retention_hours: int = Field(
        24, ge=1, le=8760, description="How long answers are kept by idempotency key, in hours. Default 24."
    )
    audit_retention_days: int = Field(
        365, ge=1, le=36_500, description="How long audit entries are kept, in days. Default 365."
    )
    billing_event_retention_days: int = Field(
        90, ge=30, le=36_500, description="How long billing events are kept, in days, at least 30. Default 90."
    )
    usage_backdate_hours: int = Field(
        72, ge=0, le=8760, description="How long ago usage that is recorded may have happened, in hours. Default 72."
    )

    @property
    def stripe_webhook_secrets(self) -> tuple[str, ...]:
        """The signing secrets, in the order given."""
        return _split(self.stripe_webhook_secret)


def load_settings(**given: Any) -> Settings:
    """Return the settings: what is `given`, else the environment, else the default.

    Raises `SettingsError` naming every variable at fault.
    """
    try:
        return Settings(**given)
    except ValidationError as error:
        raise SettingsError(_describe(fault["loc"], fault["msg"]) for fault in error.errors()) from None


def _describe(loc: tuple[int | str, ...], message: str) -> str:
    field = str(loc[0])
    name = field.upper()
    if name not in setting_names():
        return f"{name}: {message}"
    description = Settings.model_fields[field].description
    value = "" if "SecretStr" in str(Settings.model_fields[field].annotation) else f" {os.environ.get(name, '')!r}"
    fault = message.removeprefix("Value error, ")
    return f"{name}{value} cannot be used: {fault[:1].lower()}{fault[1:]}. {name} is: {description}"


def setting_names() -> tuple[str, ...]:
    """Return the environment's names of all settings."""
    return tuple(field.upper() for field in Settings.model_fields)


def near_misses(names: Iterable[str]) -> list[str]:
    """Return a warning for each name that looks like a setting's and is not read."""
    known = setting_names()
    warnings: list[str] = []
    for name in sorted(set(names) - set(known) - _OTHER_NAMES):
        bare = name.removeprefix("ENTITLED_")
        near = [_COMMON_MISTAKES[name]] if name in _COMMON_MISTAKES else _nearest(bare, known)
        if near:
            warnings.append(f"{name} is set, but not read; did you mean {near[0]}?")
    return warnings


def _nearest(name: str, known: tuple[str, ...]) -> list[str]:
    if name in known:
        return [name]
    return difflib.get_close_matches(name, known, 1, _NEAR) if len(name) >= _SHORTEST_NEAR_MISS else []
