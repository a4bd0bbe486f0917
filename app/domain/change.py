"""Records, tombstones and where a change came from: what the road into RAM carries."""

from enum import StrEnum
from typing import Annotated, ClassVar

import msgspec

Instant = Annotated[int, msgspec.Meta(description="epoch milliseconds, UTC")]
"""Fields of this type, and only they, have names that end in `_at`; the store writes them as dates."""


class Kind(StrEnum):
    """The kinds of records; the value is the name of the MongoDB collection."""

    WORKSPACE = "workspaces"
    FEATURE = "features"
    PLAN = "plans"
    SUBSCRIPTION = "subscriptions"
    GRANT = "grants"
    OVERRIDE = "overrides"
    API_KEY = "api_keys"
    BALANCE = "balances"
    STRIPE_OBJECT = "stripe_objects"
    MIGRATION = "migrations"
    EDITION = "editions"


class Record(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """What every stored record has.

    `version` is 0 before the first write and +1 per write; versions compare only within one `incarnation`, a random
    string given when the document is inserted. `deleted_at` marks a soft delete.
    """

    KIND: ClassVar[Kind]

    id: str
    version: int = 0
    incarnation: str = ""
    created_at: Instant = 0
    updated_at: Instant = 0
    deleted_at: Instant | None = None


class Tombstone(msgspec.Struct, frozen=True, gc=False):
    """A record that is gone: soft-deleted, or hard-deleted by somebody.

    `incarnation` None means unknown: a delete event names nothing but the id.
    """

    kind: Kind
    id: str
    version: int = 0
    incarnation: str | None = None
    workspace_id: str | None = None


class Source(StrEnum):
    """Which road brought a record to RAM."""

    COMMIT = "commit"
    STREAM = "stream"
    SCAN = "scan"
    LOOKUP = "lookup"


class Outcome(StrEnum):
    """What `apply` did with it."""

    APPLIED = "applied"
    UNCHANGED = "unchanged"
    STALE = "stale"
    """Older than what RAM holds; refused."""
    DIVERGED = "diverged"
    """Same version, other content. The stream's is taken; a scan's is refused and is to be confirmed by id."""
    SUSPECT = "suspect"
    """Another incarnation than RAM holds, brought by a scan or lookup; refused and to be confirmed by id."""
