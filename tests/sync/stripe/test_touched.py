"""Mirrors of money: kept as told, found out by whatever tells of them, and at rest once nothing changes."""

from collections.abc import AsyncIterator

import msgspec
import pytest
from support.records import workspace
from support.stripe import T0, FakeProcessor, Json, Sync, customer, eventually, price, product, subscription, syncing
from support.stripe_shapes import (
    active_entitlements,
    charge,
    checkout_session,
    coupon,
    dispute,
    invoice,
    meter,
    payment_intent,
    promotion_code,
    refund,
    schedule,
)

from app.domain.errors import UnavailableError
from app.domain.stripe_event import ObjectName, StripeEventStatus
from app.domain.stripe_facts import ChargeFacts, InvoiceFacts
from app.domain.stripe_object import StripeObject, StripeSource
from app.store.inbox import MongoInbox
from sync.stripe.decode_facts import decode_facts
from sync.stripe.touched import touched

MONEY = (invoice(), payment_intent(), charge(), refund(), dispute())


@pytest.fixture
async def sync(mongodb_uri: str, database: str) -> AsyncIterator[Sync]:
    async with syncing(mongodb_uri, database) as started:
        await started.put(workspace())
        yield started


def mirror(told: Json) -> StripeObject:
    raw = msgspec.json.encode(told).decode()
    facts = decode_facts(told["object"], raw)
    return StripeObject(id=told["id"], type=told["object"], raw=raw, facts=facts, source=StripeSource.FETCH)


@pytest.mark.parametrize(
    ("told", "before", "expected"),
    [
        pytest.param(invoice(), None, {"sub_1"}, id="invoice"),
        pytest.param(invoice(), invoice("in_1", "open"), {"sub_1"}, id="invoice that was paid"),
        pytest.param(invoice(parent=None), None, set(), id="invoice of no subscription"),
        pytest.param(refund(), refund("re_1", "pending"), {"ch_1"}, id="refund"),
        pytest.param(dispute(), None, {"ch_1"}, id="dispute"),
        pytest.param(charge(), None, {"pi_1"}, id="charge"),
        pytest.param(charge(invoice="in_1"), None, {"pi_1", "in_1"}, id="charge before basil"),
        pytest.param(charge(amount_refunded=400), charge(), set(), id="charge that was refunded"),
        pytest.param(payment_intent(), None, set(), id="payment"),
        pytest.param(invoice(), invoice(), set(), id="nothing new"),
        pytest.param(invoice(footer="Thanks"), invoice(), set(), id="nothing that is used"),
        pytest.param(invoice(hosted_invoice_url="https://invoice.example/j"), invoice(), set(), id="another address"),
    ],
)
def test_what_changed_has_others_looked_at(told: Json, before: Json | None, expected: set[str]) -> None:
    assert {name.id for name in touched(mirror(told), mirror(before) if before else None)} == expected


async def test_every_type_is_mirrored_whether_or_not_its_customer_is_known(sync: Sync) -> None:
    objects = [
        *MONEY,
        checkout_session(workspace=None),
        coupon(),
        promotion_code(),
        meter(),
        schedule(),
        product(),
        price(),
    ]
    stripe = FakeProcessor(*objects)
    for told in objects:
        await sync.receive(f"{told['object']}.updated", told)

    await sync.settle(stripe)

    found = [await sync.mirror(told["id"]) for told in objects]
    assert all(one and one.facts and not one.parked_under and one.workspace_id is None for one in found)
    assert [one.type for one in found if one] == [told["object"] for told in objects]


async def test_a_settled_world_comes_to_rest(sync: Sync) -> None:
    world = [customer(workspace="ws_1"), subscription(), *MONEY]
    stripe = FakeProcessor(*world)
    for told in MONEY:
        await sync.receive(f"{told['object']}.updated", told)
    await sync.settle(stripe)
    stripe.asked.clear()

    await sync.inbox.mark_all([ObjectName(told["object"], told["id"]) for told in world])
    await sync.settle(stripe)

    assert sorted(stripe.asked) == sorted(told["id"] for told in world)


async def test_an_invoice_that_changed_has_its_subscription_looked_at(sync: Sync) -> None:
    stripe = FakeProcessor(customer(workspace="ws_1"), subscription(), invoice("in_1", "open"))
    await sync.receive("invoice.created", invoice("in_1", "open"))

    await sync.settle(stripe)

    assert await sync.subscription() is not None


class Failing(MongoInbox):
    """An inbox that cannot mark a subscription the first time."""

    has_failed = False

    async def mark(self, type: str, id: str) -> None:
        if type == "subscription" and not self.has_failed:
            self.has_failed = True
            raise UnavailableError
        await super().mark(type, id)


async def test_who_takes_an_invoice_over_has_its_subscription_looked_at_though_nothing_changed(sync: Sync) -> None:
    stripe = FakeProcessor(customer(workspace="ws_1"), subscription(workspace="ws_1"), invoice())
    await sync.inbox.mark("subscription", "sub_1")
    await sync.settle(stripe)
    stripe.asked.clear()
    sync.inbox = inbox = Failing(sync.mongo, sync.clock)
    await sync.receive("invoice.paid", invoice())

    async with sync.running(stripe):
        await eventually(lambda: inbox.has_failed)
        sync.clock.advance(20_000)  # the lease of who had it ends
        await eventually(sync.is_settled)

    assert stripe.asked == ["in_1", "in_1", "sub_1"]


async def test_a_refund_that_only_its_own_event_tells_of_is_on_its_charge(sync: Sync) -> None:
    stripe = FakeProcessor(charge(), payment_intent())
    await sync.receive("charge.succeeded", charge())
    await sync.settle(stripe)
    stripe.put(charge(amount_refunded=400), refund())

    await sync.receive("refund.created", refund())
    await sync.settle(stripe)

    found = await sync.mirror("ch_1")
    assert found is not None
    assert isinstance(found.facts, ChargeFacts)
    assert found.facts.amount_refunded == 400


async def test_what_is_deleted_leaves_a_tombstone_that_tells_what_it_was(sync: Sync) -> None:
    stripe = FakeProcessor(coupon())
    await sync.receive("coupon.created", coupon())
    await sync.settle(stripe)
    stripe.objects.clear()

    await sync.receive("coupon.deleted", coupon())
    await sync.settle(stripe)

    found = await sync.mirror("co_1")
    assert found is not None
    assert found.gone
    assert found.facts == mirror(coupon()).facts


async def test_what_cannot_be_read_is_kept_and_is_a_dead_letter(sync: Sync) -> None:
    broken = invoice(total="a lot")
    event_id = await sync.receive("invoice.created", broken)

    await sync.settle(FakeProcessor(broken))

    found = await sync.mirror("in_1")
    assert found is not None
    assert "a lot" in found.raw
    assert found.facts is None
    assert await sync.status(event_id) is StripeEventStatus.DEAD


async def test_without_a_key_the_payload_is_taken_as_told_and_a_mere_hint_is_not(sync: Sync) -> None:
    await sync.receive("invoice.created", invoice("in_1", "open"), created=T0)
    hint = await sync.receive(
        "invoice_payment.paid", {"object": "invoice_payment", "id": "inpay_1", "invoice": "in_1"}, created=T0 + 5
    )

    await sync.settle(None)

    found = await sync.mirror("in_1")
    assert found is not None
    assert isinstance(found.facts, InvoiceFacts)
    assert (found.source, found.facts.status) == (StripeSource.EVENT, "open")
    assert await sync.status(hint) is StripeEventStatus.PROCESSED


async def test_entitlements_are_mirrored_under_their_customer(sync: Sync) -> None:
    told = active_entitlements("sso")
    stripe = FakeProcessor({**told, "id": "entitlements:cus_1"})

    await sync.receive("entitlements.active_entitlement_summary.updated", told)
    await sync.settle(stripe)

    found = await sync.mirror("entitlements:cus_1")
    assert found is not None
    assert found.type == told["object"]
