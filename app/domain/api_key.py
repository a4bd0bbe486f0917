"""API keys, their scopes, and the principal that a verified credential becomes."""

from enum import StrEnum
from typing import ClassVar

import msgspec

from app.domain.change import Instant, Kind, Record


class Scope(StrEnum):
    """What a key may do; the value is how it is written in GraphQL and on the command line."""

    ENTITLEMENTS_READ = "ENTITLEMENTS_READ"
    USAGE_WRITE = "USAGE_WRITE"
    BILLING_READ = "BILLING_READ"
    BILLING_WRITE = "BILLING_WRITE"
    CATALOG_WRITE = "CATALOG_WRITE"
    OPERATOR = "OPERATOR"
    ADMIN = "ADMIN"


class ApiKey(Record, frozen=True, kw_only=True, gc=False, rename="camel"):
    """A credential of a service. Only the SHA-256 of the secret is kept, in hexadecimal."""

    KIND: ClassVar[Kind] = Kind.API_KEY

    name: str
    secret_hash: str
    scopes: tuple[Scope, ...]
    expires_at: Instant | None = None
    revoked_at: Instant | None = None


class Principal(msgspec.Struct, frozen=True, gc=False):
    """Who is calling: `id` is the key's id."""

    id: str
    scopes: frozenset[Scope]
    expires_at: int | None = None
