"""What store and RAM must hold in the end, worked out from Stripe alone, and in what they differ from it."""

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from support.stripe_lives import LOOKUP_KEY, WORKSPACES
from support.stripe_world import Replica, World

from app.domain.change import Kind, Tombstone
from app.domain.entitlement import evaluate
from app.domain.stripe_event import FetchedObject, StripeEvent
from app.domain.stripe_facts import InvoiceFacts
from app.domain.stripe_object import ENTITLEMENTS, StripeObject
from app.domain.subscription import RANK, TERMINAL, Subscription, SubscriptionStatus
from app.domain.workspace import Workspace
from sync.stripe.decode import decode_payload, decode_subscription
from sync.stripe.decode_facts import decode_facts
from sync.stripe.grace import with_failure, with_grace

_OF_OUR_OWN: Final = (
    "version",
    "incarnation",
    "created_at",
    "updated_at",
    "workspace_id",
    "past_due_at",
    "unpaid_period_start_at",
    "provisional",
)
"""Fields of a subscription that it does not tell: of our storing, of its invoices, or of when we saw it first."""
_OF_AN_ITEM: Final = ("price_since_at", "lookup_key")

Truth = dict[str, FetchedObject]


async def truth_of(world: World) -> Truth:
    """Ask Stripe for everything it has of the types that we keep, and that could be learned of."""
    names = [(kind, one["id"]) for kind in world.knowable for one in world.sandbox.store.all(kind)]
    return {id: await world.truth.retrieve(kind, id) for kind, id in names}  # noqa: A001 - the API's word


def differences(world: World, truth: Truth) -> Iterator[str]:
    """Tell in what the store and every replica's RAM differ from Stripe, where Stripe's API can be asked."""
    mirrors = world.database.of(Kind.STRIPE_OBJECT)
    for name, told in truth.items():
        mirror = mirrors.get(name)
        if not isinstance(mirror, StripeObject) or mirror.gone:
            yield f"{name} is at Stripe and not here"
        elif _plain(mirror.raw) != _plain(told.raw):
            yield f"{name} is {_differing(_plain(mirror.raw), _plain(told.raw))}"
    for name, mirror in mirrors.items():
        if isinstance(mirror, StripeObject) and _is_left_over(world, truth, mirror):
            yield f"{name} is here and not at Stripe"
    yield from _of_subscriptions(world, truth)
    yield from _of_grace(world, truth)
    yield from _of_links(world)
    yield from _of_ram(world)
    yield from _of_access(world)


def _is_left_over(world: World, truth: Truth, mirror: StripeObject) -> bool:
    return mirror.type in world.knowable and mirror.id not in truth and not mirror.gone and mirror.type != ENTITLEMENTS


def provisional_differences(world: World) -> Iterator[str]:
    """Tell in what subscriptions differ from what the events say, as far as events alone can tell.

    The newest event counts. Of one second the one counts whose status is further along; of those alike any one may,
    for nothing tells which is newer. What has ended stays ended.
    """
    told: dict[str, list[StripeEvent]] = defaultdict(list)
    for event in world.delivered:
        if _object(event)["object"] == "subscription" and event.object_id:
            told[event.object_id].append(event)
    stored = world.database.of(Kind.SUBSCRIPTION)
    for name, events in told.items():
        if name in stored:
            found, possible = _facts(stored[name]), [_decoded(event) for event in _last(events)]
            if found not in possible:
                yield f"{name} is {_differing(found, possible[0])} (or {len(possible) - 1} others)"
    yield from _of_ram(world)


def _last(events: list[StripeEvent]) -> list[StripeEvent]:
    """Return the events one of which must count."""
    statuses = {event.id: SubscriptionStatus(_object(event)["status"]) for event in events}
    if ended := [event for event in events if statuses[event.id] in TERMINAL]:
        events = ended
    newest = max(event.occurred_at for event in events)
    of_second = [event for event in events if event.occurred_at == newest]
    furthest = max(RANK[statuses[event.id]] for event in of_second)
    alike = [event for event in of_second if RANK[statuses[event.id]] == furthest]
    return [event for event in alike if not event.type.endswith(".created")] or alike


def _object(event: StripeEvent) -> dict[str, Any]:
    return json.loads(event.payload)["data"]["object"]


def _decoded(event: StripeEvent) -> dict[str, Any]:
    return _facts(
        decode_subscription(decode_payload(event.payload), stored=None, at=event.occurred_at, provisional=True)
    )


def _of_subscriptions(world: World, truth: Truth) -> Iterator[str]:
    stored = world.database.of(Kind.SUBSCRIPTION)
    for name, told in truth.items():
        if told.type != "subscription":
            continue
        found, owner = stored.get(name), _owner(world, json.loads(told.raw))
        if found is None:
            if owner is not None:
                yield f"{name} of {owner} has no record"
            continue
        fresh = decode_subscription(told.raw, stored=None, at=world.clock.now_at(), provisional=False)
        if _facts(found) != _facts(fresh):
            yield f"the record of {name} is {_differing(_facts(found), _facts(fresh))}"
        if owner is not None and isinstance(found, Subscription) and found.workspace_id != owner:
            yield f"{name} is of {found.workspace_id}, not of {owner}"


def _of_grace(world: World, truth: Truth) -> Iterator[str]:
    """Hold grace against the invoices that Stripe has, and the events of their first failures."""
    failed: dict[str, int] = {}
    for event in world.sandbox.store.all("event"):
        told = event["data"]["object"]
        if event["type"] == "invoice.payment_failed" and told["attempt_count"] == 1:
            failed[told["id"]] = event["created"] * 1000
    invoices: list[InvoiceFacts] = []
    for name, told in truth.items():
        facts = decode_facts("invoice", told.raw) if told.type == "invoice" else None
        if isinstance(facts, InvoiceFacts):
            invoices.append(with_failure(facts, failed.get(name)))
    for name, record in world.database.of(Kind.SUBSCRIPTION).items():
        if isinstance(record, Subscription) and name in truth:
            expected = with_grace(record, invoices)
            if (record.past_due_at, record.unpaid_period_start_at) != (
                expected.past_due_at,
                expected.unpaid_period_start_at,
            ):
                yield f"{name} is past due since {record.past_due_at}, not since {expected.past_due_at}"


def _owner(world: World, sub: dict[str, Any]) -> str | None:
    """Return the workspace that a subscription names, or its customer; None where neither does."""
    if named := sub["metadata"].get("workspace_id"):
        return named
    customer = world.sandbox.store.find(sub["customer"]) or {}
    return (customer.get("metadata") or {}).get("workspace_id")


def _of_ram(world: World) -> Iterator[str]:
    for number, replica in enumerate(world.replicas):
        for kind in (Kind.SUBSCRIPTION, Kind.WORKSPACE):
            for name, record in world.database.of(kind).items():
                held = replica.cache.held(kind, name)
                if held != record and not isinstance(held, Tombstone) and not _is_over(record):
                    yield f"replica {number} holds {name} as {held}, not as {record}"


def _is_over(record: object) -> bool:
    """Tell whether RAM may have let it go: of what has ended it keeps a workspace's last."""
    return isinstance(record, Subscription) and record.status in TERMINAL


def _of_access(world: World) -> Iterator[str]:
    """Hold each answer against what Stripe's own words say, without a word of ours between."""
    subs = world.sandbox.store.all("subscription")
    for name in WORKSPACES:
        statuses = [sub["status"] for sub in subs if _owner(world, sub) == name and _is_pro(world, sub)]
        if "past_due" in statuses or any(_is_left_behind(world, sub) for sub in subs):
            continue
        expected = any(status in ("active", "trialing") for status in statuses)
        for number, replica in enumerate(world.replicas):
            if _has_access(world, replica, name) is not expected:
                yield f"replica {number} answers {not expected} for {name}, which has {statuses}"


def _is_pro(world: World, sub: dict[str, Any]) -> bool:
    prices = [world.sandbox.store.get("price", item["price"]) for item in sub["items"]["data"]]
    return any(price["lookup_key"] == LOOKUP_KEY for price in prices)


def _is_left_behind(world: World, sub: dict[str, Any]) -> bool:
    """Tell whether nobody claims it any more: then it stays where it was."""
    return _owner(world, sub) is None


def _has_access(world: World, replica: Replica, workspace_id: str) -> bool:
    cache = replica.cache
    return evaluate("sso", cache.state(workspace_id), cache.catalogue(), world.clock.now_at()).has_access


def _of_links(world: World) -> Iterator[str]:
    """Tell which workspaces are linked to a customer that does not name them, or not any more."""
    for name in WORKSPACES:
        naming = [one for one in world.sandbox.store.all("customer") if one["metadata"].get("workspace_id") == name]
        record = world.database.records[Kind.WORKSPACE, name]
        linked = record.stripe_customer_id if isinstance(record, Workspace) else None
        if linked is not None and linked not in {one["id"] for one in naming}:
            yield f"{name} is linked to {linked}, which does not name it"


def _facts(record: object) -> dict[str, Any]:
    facts = {key: value for key, value in msgspec.to_builtins(_snake(record)).items() if key not in _OF_OUR_OWN}
    facts["items"] = [{k: v for k, v in item.items() if k not in _OF_AN_ITEM} for item in facts["items"]]
    return facts


def _snake(record: Any) -> dict[str, Any]:
    found = msgspec.structs.asdict(record)
    return {**found, "items": [msgspec.structs.asdict(item) for item in record.items]}


def _plain(raw: str) -> Any:
    """Return an object without what changes in it and no event tells: its invoices' count, and its items' prices."""
    found = json.loads(raw)
    found.pop("next_invoice_sequence", None)
    if found["object"] == "subscription":
        for item in found["items"]["data"]:
            item["price"], item["plan"] = item["price"]["id"], None
    return found


def _differing(found: dict[str, Any], expected: dict[str, Any]) -> str:
    keys = [key for key in found.keys() | expected.keys() if found.get(key) != expected.get(key)]
    return ", ".join(f"{key}={found.get(key)!r} instead of {expected.get(key)!r}" for key in sorted(keys))
