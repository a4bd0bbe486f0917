"""The mirror of one Stripe object: what Stripe said of it, and how sure we are."""

from enum import StrEnum
from typing import ClassVar, Final

from app.domain.change import Instant, Kind, Record
from app.domain.stripe_facts import StripeFacts

ENTITLEMENTS: Final = "entitlements.active_entitlement_summary"

SYNCED_TYPES: Final = (
    "customer",
    "product",
    "price",
    "coupon",
    "promotion_code",
    "billing.meter",
    "subscription",
    "subscription_schedule",
    "invoice",
    "checkout.session",
    "payment_intent",
    "charge",
    "refund",
    "dispute",
    ENTITLEMENTS,
)
"""The types of objects whose state we keep; events about others are stored and not used.

In the order in which one batch takes them: what others refer to comes first, a customer before its subscriptions.
"""

_ENTITLEMENTS_OF: Final = "entitlements:"  # Stripe's own ids hold no colon


def entitlements_id(customer_id: str) -> str:
    """Return our id of a customer's active entitlements, which have none at Stripe."""
    return _ENTITLEMENTS_OF + customer_id


def customer_of_entitlements(id: str) -> str:
    """Return the customer whose active entitlements have this id."""
    return id.removeprefix(_ENTITLEMENTS_OF)


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
    `workspace_id` is a customer's and a subscription's; that of any other object is its customer's, asked for when it
    is needed: so what comes before its customer is found later all the same, and nothing has to be released.
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
