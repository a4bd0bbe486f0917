"""The mirror of one Stripe object: what Stripe said of it, and how sure we are."""

from enum import StrEnum
from typing import ClassVar, Final

from app.domain.change import Instant, Kind, Record
from app.domain.stripe_facts import StripeFacts

SYNCED_TYPES: Final = ("customer", "product", "price", "subscription")
"""The types of objects whose state we keep; events about others are stored and not used.

In the order in which one batch takes them: a customer's link decides for its subscriptions.
"""


class StripeSource(StrEnum):
    """FETCH was read from Stripe's API; EVENT is a payload taken as told (provisional)."""

    FETCH = "FETCH"
    EVENT = "EVENT"


class LinkedBy(StrEnum):
    """Who decided which workspace a customer pays for. OPERATOR goes before what Stripe's metadata says, POLICY after.

    OPERATOR is somebody who said so, one customer at a time or many; POLICY made a workspace for a customer without.
    """

    OPERATOR = "OPERATOR"
    POLICY = "POLICY"


class StripeObject(Record, frozen=True, kw_only=True, gc=False, rename="camel"):
    """`id` is Stripe's; `raw` the object as JSON text, as it came; `facts` what we read out of it.

    A subscription has a record of its own instead; of what cannot be read there are none.

    `fetch_sequence` orders fetches by when they started: a fetch that started earlier never overwrites a later one.
    `event_at` is the newest event's creation known to be reflected (whole seconds, as Stripe gives it).
    `parked_under` names the parents (a customer's id, a workspace reference) whose arrival releases it.
    `linked_to` is the workspace that was decided for a customer here, and `linked_by` who did; `workspace_id` is the
    one that holds.
    """

    KIND: ClassVar[Kind] = Kind.STRIPE_OBJECT

    type: str
    raw: str
    facts: StripeFacts | None = None
    source: StripeSource
    fetch_sequence: int = 0
    event_at: Instant | None = None
    api_version: str | None = None
    norm_version: int = 1
    gone: bool = False
    """Deleted at Stripe (404 or `deleted: true`)."""
    workspace_id: str | None = None
    parked_under: tuple[str, ...] = ()
    linked_to: str | None = None
    linked_by: LinkedBy | None = None
