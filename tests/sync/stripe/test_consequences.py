"""What invoices, checkouts and Stripe's entitlements change beside their mirrors, through a real worker and store."""

import itertools
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from support.records import add_on, credit, limit, workspace
from support.stripe import DAY, T0, FakeProcessor, Json, Sync, customer, price, subscription, syncing
from support.stripe_shapes import active_entitlements, checkout_session, invoice, invoice_line

from app.domain.change import Kind, Source
from app.domain.grant import Grant, GrantSource
from app.domain.plan import PlanPrice, ResetPeriod
from app.domain.stripe_event import StripeEventStatus

E = StripeEventStatus
ENTITLED = "entitlements.active_entitlement_summary.updated"
HOUR_S = 3600
PACK = add_on(
    "pack",
    limit("credits", 100, ResetPeriod.NEVER),
    prices=(PlanPrice(lookup_key="pack"),),
    published_at=(T0 - DAY) * 1000,
)


@pytest.fixture
async def sync(mongodb_uri: str, database: str) -> AsyncIterator[Sync]:
    async with syncing(mongodb_uri, database) as sync:
        await sync.put(workspace())
        for record in (credit(), PACK):
            await sync.put(record)
            sync.rt.cache.apply(record, source=Source.SCAN)
        yield sync


async def grants(sync: Sync) -> list[Grant]:
    found = [record async for batch in sync.rt.store.scan(Kind.GRANT) for record in batch]
    return [record for record in found if isinstance(record, Grant)]


async def in_force(sync: Sync) -> dict[str, str]:
    return {grant.feature_key: grant.workspace_id for grant in await grants(sync) if grant.revoked_at is None}


class TestGrace:
    def unpaid(self, **fields: Any) -> Json:
        transitions = {"finalized_at": T0 + HOUR_S, "paid_at": None, "voided_at": None, "marked_uncollectible_at": None}
        return invoice(status="open", status_transitions=transitions, **fields)

    async def past_due_at(self, sync: Sync) -> int | None:
        sub = await sync.subscription()
        return sub.past_due_at if sub else None

    @pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
    async def test_grace_counts_from_the_first_failure_in_any_order(self, sync: Sync, order: tuple[int, ...]) -> None:
        sub, failed = subscription(status="past_due", workspace="ws_1"), self.unpaid()
        stripe = FakeProcessor(customer(), sub, self.unpaid(attempt_count=2))
        told = [
            ("customer.subscription.updated", sub, T0 + 2 * HOUR_S),
            ("invoice.payment_failed", failed, T0 + 2 * HOUR_S),
            ("invoice.payment_failed", {**failed, "attempt_count": 2}, T0 + 3 * DAY),
        ]

        for index in order:
            name, object_, created = told[index]
            await sync.receive(name, object_, created=created)
            await sync.settle(stripe)

        assert await self.past_due_at(sync) == (T0 + 2 * HOUR_S) * 1000

    async def test_the_first_failure_counts_though_the_invoice_was_read_again_meanwhile(self, sync: Sync) -> None:
        stripe = FakeProcessor(customer(), subscription(status="past_due", workspace="ws_1"), self.unpaid())
        await sync.receive("customer.subscription.updated", subscription())
        await sync.settle(stripe)
        assert await self.past_due_at(sync) == T0 * 1000

        await sync.receive("invoice.updated", self.unpaid())
        await sync.settle(stripe)
        assert await self.past_due_at(sync) == (T0 + HOUR_S) * 1000
        await sync.receive("invoice.payment_failed", self.unpaid(), created=T0 + 5 * DAY)
        await sync.settle(stripe)

        assert await self.past_due_at(sync) == (T0 + 5 * DAY) * 1000

    async def test_a_paid_invoice_leaves_grace_to_the_next_one(self, sync: Sync) -> None:
        later = {"start": T0 + 30 * DAY, "end": T0 + 60 * DAY}
        second = self.unpaid(id="in_2", lines=[invoice_line(period=later)])
        second["status_transitions"]["finalized_at"] = T0 + 30 * DAY + HOUR_S
        stripe = FakeProcessor(customer(), subscription(status="past_due", workspace="ws_1"), self.unpaid(), second)
        await sync.receive("invoice.updated", self.unpaid())
        await sync.receive("invoice.updated", second)
        await sync.settle(stripe)
        assert await self.past_due_at(sync) == (T0 + HOUR_S) * 1000

        stripe.put(invoice())
        await sync.receive("invoice.paid", invoice())
        await sync.settle(stripe)

        assert await self.past_due_at(sync) == (T0 + 30 * DAY + HOUR_S) * 1000

    async def test_payloads_alone_tell_it_too(self, sync: Sync) -> None:
        await sync.receive("customer.subscription.updated", subscription(status="past_due", workspace="ws_1"))
        await sync.receive("invoice.payment_failed", self.unpaid(), created=T0 + 2 * HOUR_S)

        await sync.settle(None)

        assert await self.past_due_at(sync) == (T0 + 2 * HOUR_S) * 1000


class TestSeveralCustomers:
    @pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
    async def test_when_one_leaves_the_youngest_of_the_others_takes_its_place(
        self, sync: Sync, order: tuple[int, ...]
    ) -> None:
        people = [customer(f"cus_{n}", workspace="ws_1", created=T0 + n) for n in range(3)]
        stripe = FakeProcessor(*people)
        for index in order:
            await sync.receive("customer.created", people[index])
            await sync.settle(stripe)
        assert (await sync.workspace()).stripe_customer_id == "cus_2"

        stripe.put({**people[2], "metadata": {}})
        await sync.receive("customer.updated", people[2])
        await sync.settle(stripe)

        assert (await sync.workspace()).stripe_customer_id == "cus_1"


class TestPurchases:
    def pack(self, **fields: Any) -> Json:
        line = {"id": "li_1", "object": "item", "price": price("price_pack", "pack"), "quantity": 2}
        lines = {"object": "list", "data": [line], "has_more": False}
        return checkout_session(**{"line_items": lines, **fields})

    async def test_credits_are_granted_once_however_often_it_is_told(self, sync: Sync) -> None:
        stripe = FakeProcessor(customer(), self.pack())
        for number in range(3):
            await sync.receive("checkout.session.completed", self.pack(), created=T0 + number)
            await sync.settle(stripe)

        (grant,) = await grants(sync)
        assert (grant.feature_key, grant.amount, grant.version) == ("credits", Decimal(200), 1)
        assert (grant.workspace_id, grant.source) == ("ws_1", GrantSource.TOP_UP)

    async def test_credits_are_granted_when_they_are_paid(self, sync: Sync) -> None:
        stripe = FakeProcessor(customer(), self.pack(payment_status="unpaid"))
        await sync.receive("checkout.session.completed", self.pack(payment_status="unpaid"))
        await sync.settle(stripe)
        assert await grants(sync) == []

        stripe.put(self.pack())
        await sync.receive("checkout.session.async_payment_succeeded", self.pack())
        await sync.settle(stripe)

        assert len(await grants(sync)) == 1

    async def test_a_payload_alone_grants_nothing(self, sync: Sync) -> None:
        await sync.receive("checkout.session.completed", self.pack())

        await sync.settle(None)

        assert await grants(sync) == []

    async def test_what_nobody_sells_is_said_and_granted_once_it_is_named(self, sync: Sync) -> None:
        unknown = self.pack()
        unknown["line_items"]["data"][0]["price"] = price("price_new", "new")
        stripe = FakeProcessor(customer(), unknown)
        event_id = await sync.receive("checkout.session.completed", unknown)
        await sync.settle(stripe)
        told = await sync.inbox.event(event_id)
        assert told is not None
        assert "new" in (told.reason or "")
        assert await grants(sync) == []

        named = add_on(
            "new", limit("credits", 5, ResetPeriod.NEVER), prices=(PlanPrice(lookup_key="new"),), published_at=T0 * 1000
        )
        sync.rt.cache.apply(named, source=Source.SCAN)
        await sync.inbox.mark("checkout.session", "cs_1")
        await sync.settle(stripe)

        assert [grant.amount for grant in await grants(sync)] == [Decimal(10)]

    @pytest.mark.parametrize("order", [(0, 1), (1, 0)])
    async def test_a_checkout_names_the_workspace_of_its_customer(self, sync: Sync, order: tuple[int, ...]) -> None:
        bought = self.pack(mode="subscription", subscription="sub_1", line_items=None)
        stripe = FakeProcessor(customer(), subscription(), bought)
        told = [("checkout.session.completed", bought), ("customer.subscription.created", subscription())]

        for index in order:
            await sync.receive(*told[index])
            await sync.settle(stripe)

        sub = await sync.subscription()
        assert sub is not None
        assert sub.workspace_id == "ws_1"
        assert (await sync.workspace()).stripe_customer_id == "cus_1"
        assert (await sync.inbox.backlog()).parked == 0

    async def test_a_customer_stays_linked_by_its_checkout_when_it_changes(self, sync: Sync) -> None:
        stripe = FakeProcessor(customer(), self.pack())
        await sync.receive("checkout.session.completed", self.pack())
        await sync.settle(stripe)

        await sync.receive("customer.updated", customer(), created=T0 + 9)
        await sync.settle(stripe)

        mirror = await sync.mirror("cus_1")
        assert mirror is not None
        assert mirror.workspace_id == "ws_1"

    async def test_metadata_goes_before_a_checkout(self, sync: Sync) -> None:
        await sync.put(workspace("ws_2"))
        stripe = FakeProcessor(customer(workspace="ws_2"), self.pack())
        await sync.receive("customer.updated", customer())
        await sync.receive("checkout.session.completed", self.pack())
        await sync.settle(stripe)

        mirror = await sync.mirror("cus_1")
        assert mirror is not None
        assert mirror.workspace_id == "ws_2"
        assert await in_force(sync) == {"credits": "ws_1"}

    async def test_a_checkout_for_a_workspace_to_come_waits_for_it(self, sync: Sync) -> None:
        waiting = self.pack(client_reference_id="ws_9")
        stripe = FakeProcessor(customer(), waiting)
        event_id = await sync.receive("checkout.session.completed", waiting)
        await sync.settle(stripe)
        assert await sync.status(event_id) is E.PARKED
        assert await grants(sync) == []

        await sync.put(workspace("ws_9"))
        await sync.inbox.release(["ws_9"])
        await sync.settle(stripe)

        assert await in_force(sync) == {"credits": "ws_9"}


class TestEntitlements:
    def mirrored(self, *keys: str) -> Json:
        """Build the summary as the API's answer is kept: under an id of ours."""
        return {**active_entitlements(*keys), "id": "entitlements:cus_1"}

    async def receive(self, sync: Sync, *keys: str, **fields: Any) -> str:
        return await sync.receive(ENTITLED, {**self.mirrored(*keys), **fields})

    async def test_features_of_the_same_lookup_key_are_granted_while_stripe_gives_them(self, sync: Sync) -> None:
        stripe = FakeProcessor(customer(workspace="ws_1"), self.mirrored("sso", "audit"))
        await sync.receive("customer.updated", customer())
        await self.receive(sync, "sso")
        await sync.settle(stripe)
        assert await in_force(sync) == {"sso": "ws_1", "audit": "ws_1"}

        stripe.put(self.mirrored("audit"))
        await self.receive(sync, "audit")
        await sync.settle(stripe)

        assert await in_force(sync) == {"audit": "ws_1"}

    async def test_it_waits_for_its_customer_and_follows_it(self, sync: Sync) -> None:
        await sync.put(workspace("ws_2"))
        stripe = FakeProcessor(customer(), self.mirrored("sso"))
        event_id = await self.receive(sync, "sso")
        await sync.settle(stripe)
        assert await sync.status(event_id) is E.PARKED

        for owner in ("ws_1", "ws_2"):
            stripe.put(customer(workspace=owner))
            await sync.receive("customer.updated", customer())
            await sync.settle(stripe)
            assert await in_force(sync) == {"sso": owner}

    async def test_a_first_page_alone_revokes_nothing(self, sync: Sync) -> None:
        await sync.receive("customer.updated", customer(workspace="ws_1"))
        await self.receive(sync, "sso", "audit")
        await sync.settle(None)

        cut = {**self.mirrored("sso"), "entitlements": active_entitlements("sso", has_more=True)["entitlements"]}
        await sync.receive(ENTITLED, cut, created=T0 + 5)
        await sync.settle(None)

        assert await in_force(sync) == {"sso": "ws_1", "audit": "ws_1"}

        await sync.receive(ENTITLED, self.mirrored("audit"), created=T0 + 6)
        await sync.settle(None)

        assert await in_force(sync) == {"audit": "ws_1"}

    async def test_the_same_again_writes_nothing(self, sync: Sync) -> None:
        stripe = FakeProcessor(customer(workspace="ws_1"), self.mirrored("sso"))
        await sync.receive("customer.updated", customer())
        for _ in range(3):
            await self.receive(sync, "sso")
            await sync.settle(stripe)

        assert [grant.version for grant in await grants(sync)] == [1]

    async def test_what_cannot_be_read_once_is_taken_back_later(self, sync: Sync) -> None:
        stripe = FakeProcessor(customer(workspace="ws_1"), self.mirrored("sso", "audit"))
        await sync.receive("customer.updated", customer())
        await self.receive(sync, "sso")
        await sync.settle(stripe)
        for told in ({**self.mirrored(), "entitlements": "?"}, self.mirrored("audit")):
            stripe.put(told)
            await self.receive(sync, "audit")
            await sync.settle(stripe)

        assert await in_force(sync) == {"audit": "ws_1"}
