"""What the sandbox tells reads the same in the newest shape and in one before basil, by our own gateway."""

import asyncio
import json
from typing import Any, Final

import httpx
import msgspec
from hypothesis import given, settings
from sandbox.checkout import open_session, submit
from sandbox.histories import Step, lived, steps
from sandbox.stripe_account import Account, Clock, account_of

from app.domain.stripe_facts import ActiveEntitlementsFacts, ChargeFacts, InvoiceFacts, PaymentIntentFacts, StripeFacts
from app.domain.stripe_object import ENTITLEMENTS, SYNCED_TYPES, entitlements_id
from app.gateways.stripe import StripeProcessor
from app.gateways.stripe_objects import RESOURCES
from app.sandbox.stripe.application import make_application
from sync.stripe.decode import decode_subscription
from sync.stripe.decode_facts import decode_facts
from sync.stripe.lists import EVERYTHING

_OLD: Final = {"Stripe-Version": "2025-02-24.acacia"}
_QUICK: Final = {"rate_per_s": 10_000, "endpoint_rate_per_s": 10_000}


class Told:
    """All that an account has: as our gateway reads it (`now`), and in the shape before basil (`before`)."""

    def __init__(self, now: dict[str, tuple[str, str]], before: dict[str, str]) -> None:
        self.now = now
        self.before = before

    def facts(self) -> dict[str, tuple[StripeFacts, StripeFacts]]:
        """Return what either shape says; features of products have no older shape."""
        found: dict[str, tuple[StripeFacts, StripeFacts]] = {}
        for key, (type_, raw) in self.now.items():
            if new := decode_facts(type_, raw):
                old = decode_facts(type_, self.before[key], new)
                assert old is not None
                found[key] = new, old
        return found


async def told_by(account: Account) -> Told:
    transport = httpx.ASGITransport(make_application(account.sandbox))
    processor = StripeProcessor("sk_test_1", api_base="http://sandbox", transport=transport, **_QUICK)
    now: dict[str, tuple[str, str]] = {}
    before: dict[str, str] = {}
    for listing in EVERYTHING:
        after: str | None = None
        while True:
            page = await processor.list_page(listing, after=after)
            for one in page.objects:
                now[one.id] = listing.type, one.raw
                before[one.id] = json.dumps(await _before_basil(account, listing.type, one.id))
            after = page.after
            if after is None:
                break
    return Told(now, before)


async def _before_basil(account: Account, type_: str, key: str) -> dict[str, Any]:
    path = f"{RESOURCES[type_].path}/{key}"
    expand = RESOURCES[type_].expand if type_ != "invoice" else ()  # its payments came with basil
    found = await account.get(path, {f"expand[{n}]": field for n, field in enumerate(expand)}, **_OLD)
    if type_ == "invoice":
        found["lines"] = await account.get(f"{path}/lines", {"limit": 100}, **_OLD)
    return found


def check(told: Told) -> None:
    facts = told.facts()
    paid_by = {
        payment.payment_intent_id: key
        for key, (new, _) in facts.items()
        if isinstance(new, InvoiceFacts)
        for payment in new.payments
    }
    for key, (new, old) in facts.items():
        match old:
            case PaymentIntentFacts() | ChargeFacts():
                # Since basil the invoice names its payments; before it, they named it: both say the same.
                assert old.invoice_id == paid_by.get(old.payment_intent_id if isinstance(old, ChargeFacts) else key)
                assert isinstance(new, PaymentIntentFacts | ChargeFacts)
                assert new.invoice_id in (None, old.invoice_id)
                assert msgspec.structs.replace(old, invoice_id=new.invoice_id) == new
            case _:
                assert old == new


@settings(max_examples=8, deadline=None)
@given(steps)
def test_after_any_history_both_shapes_say_the_same(history: list[Step]) -> None:
    told = asyncio.run(_told_after(history))

    check(told)
    for key, (type_, raw) in told.now.items():
        if type_ == "subscription":
            new, old = (
                decode_subscription(one, stored=None, at=0, provisional=False) for one in (raw, told.before[key])
            )
            assert old.status is new.status
            assert [item.price_id for item in old.items] == [item.price_id for item in new.items]


async def _told_after(history: list[Step]) -> Told:
    async with lived(history) as account:
        return await told_by(account)


async def test_one_of_each_type_is_read_and_both_shapes_say_the_same() -> None:
    async with account_of(Clock()) as account:
        customer = await _one_of_each(account)
        told = await told_by(account)
        processor = StripeProcessor(
            "sk_test_1",
            api_base="http://sandbox",
            transport=httpx.ASGITransport(make_application(account.sandbox)),
            **_QUICK,
        )
        alone = {key: await processor.retrieve(type_, key) for key, (type_, _) in told.now.items()}
        entitled = await processor.retrieve(ENTITLEMENTS, entitlements_id(customer))

    check(told)
    assert {type_ for type_, _ in told.now.values()} == set(SYNCED_TYPES) - {ENTITLEMENTS}
    assert {key: json.loads(one.raw) for key, one in alone.items()} == {
        key: json.loads(raw) for key, (_, raw) in told.now.items()
    }
    assert decode_facts(ENTITLEMENTS, entitled.raw) == ActiveEntitlementsFacts(
        customer_id=customer, lookup_keys=("sso",)
    )


async def _one_of_each(account: Account) -> str:
    """Make one of each type and return the customer, who is entitled to a feature."""
    customer = await account.customer_with("pm_card_visa")
    tiers = {"tiers[0][up_to]": 1, "tiers[0][unit_amount]": 5, "tiers[1][up_to]": "inf", "tiers[1][unit_amount]": 4}
    tiered = await account.price(unit_amount="", billing_scheme="tiered", tiers_mode="graduated", **tiers)
    feature = await account.post("/v1/entitlements/features", {"lookup_key": "sso", "name": "SSO"})
    await account.post(f"/v1/products/{tiered['product']}/features", {"entitlement_feature": feature["id"]})
    await account.post("/v1/coupons", {"id": "TEN", "percent_off": 12.5, "applies_to[products][]": tiered["product"]})
    await account.post("/v1/promotion_codes", {"promotion[type]": "coupon", "promotion[coupon]": "TEN"})
    meter = {"display_name": "Calls", "event_name": "calls", "default_aggregation[formula]": "sum"}
    await account.post("/v1/billing/meters", meter)
    sub = await account.subscription(
        {"customer": customer, "items[0][price]": tiered["id"], "discounts[0][coupon]": "TEN"}
    )
    await account.post("/v1/subscription_schedules", {"from_subscription": sub["id"]})
    charge = (await account.get("/v1/charges", {"limit": 1}))["data"][0]["id"]
    await account.post("/v1/refunds", {"charge": charge, "amount": 1})
    await account.charge_of("pm_card_createDispute")
    await account.control("clock", {"by": 10})
    await submit(account, await open_session(account, {"customer": customer}))
    return customer
