"""What each transition of a record tells of, once."""

from typing import Any

import pytest
from msgspec.structs import replace
from support.records import DAY, NOW, feature, item, sub, workspace

from app.domain.billing_event import NEWS_MS, BillingEvent
from app.domain.change import Record
from app.domain.effects import events_of
from app.domain.stripe_facts import (
    ActiveEntitlementsFacts,
    ChargeFacts,
    CheckoutSessionFacts,
    CouponFacts,
    CustomerFacts,
    DisputeFacts,
    InvoiceFacts,
    InvoicePayment,
    PaymentIntentFacts,
    PriceFacts,
    ProductFacts,
    PromotionCodeFacts,
    RefundFacts,
    StripeFacts,
)
from app.domain.stripe_object import StripeObject, StripeSource
from app.domain.subscription import Subscription, SubscriptionStatus

S = SubscriptionStatus
STATUSES = list(SubscriptionStatus)


def told(before: Record | None, after: Record, at: int = NOW) -> list[str]:
    return [event.type.value for event in events_of(before, after, at)]


def young(status: SubscriptionStatus = S.ACTIVE, **fields: Any) -> Subscription:
    return sub(status=status, **{"subscribed_at": NOW - DAY, **fields})


def mirror(facts: StripeFacts | None, **fields: Any) -> StripeObject:
    return StripeObject(
        **{
            "id": "obj_1",
            "version": 1,
            "incarnation": "i",
            "type": "invoice",
            "raw": str(facts),
            "source": StripeSource.FETCH,
            "facts": facts,
            **fields,
        }
    )


def invoice(status: str = "draft", **fields: Any) -> InvoiceFacts:
    return InvoiceFacts(**{"currency": "usd", "status": status, "customer_id": "cus_1", "created_at": NOW, **fields})


def payment(status: str, **fields: Any) -> PaymentIntentFacts:
    return PaymentIntentFacts(**{"status": status, "amount": 1000, "currency": "usd", "created_at": NOW, **fields})


def charge(status: str = "succeeded", **fields: Any) -> ChargeFacts:
    return ChargeFacts(**{"status": status, "amount": 1000, "currency": "usd", "created_at": NOW, **fields})


def refund(status: str) -> RefundFacts:
    return RefundFacts(status=status, amount=5, currency="usd", created_at=NOW)


def dispute(status: str) -> DisputeFacts:
    return DisputeFacts(status=status, amount=5, currency="usd", created_at=NOW)


def checkout(status: str, payment_status: str = "unpaid") -> CheckoutSessionFacts:
    return CheckoutSessionFacts(mode="payment", status=status, payment_status=payment_status, created_at=NOW)


ENTRIES: dict[tuple[SubscriptionStatus | None, SubscriptionStatus], list[str]] = {
    (None, S.INCOMPLETE): ["created"],
    (None, S.TRIALING): ["created", "trial_started"],
    (None, S.ACTIVE): ["created", "activated"],
    (None, S.PAST_DUE): ["created", "past_due"],
    (None, S.UNPAID): ["created", "unpaid"],
    (None, S.PAUSED): ["created", "paused"],
    (None, S.CANCELED): ["created", "canceled"],
    (None, S.INCOMPLETE_EXPIRED): ["created", "expired"],
    (S.INCOMPLETE, S.TRIALING): ["trial_started"],
    (S.INCOMPLETE, S.ACTIVE): ["activated"],
    (S.TRIALING, S.INCOMPLETE): ["trial_ended"],
    (S.TRIALING, S.ACTIVE): ["trial_ended", "activated"],
    (S.ACTIVE, S.TRIALING): ["trial_started"],
    (S.ACTIVE, S.INCOMPLETE): ["updated"],
    (S.PAUSED, S.TRIALING): ["resumed"],
    (S.PAUSED, S.ACTIVE): ["resumed"],
    **{(was, S.INCOMPLETE): ["updated"] for was in STATUSES if was not in (S.INCOMPLETE, S.TRIALING)},
    **{
        (was, now): ["reactivated"]
        for was in (S.PAST_DUE, S.UNPAID, S.CANCELED, S.INCOMPLETE_EXPIRED)
        for now in (S.TRIALING, S.ACTIVE)
    },
    **{
        (was, now): [*(["trial_ended"] if was is S.TRIALING else []), word]
        for was in STATUSES
        for now, word in (
            (S.PAST_DUE, "past_due"),
            (S.UNPAID, "unpaid"),
            (S.PAUSED, "paused"),
            (S.CANCELED, "canceled"),
            (S.INCOMPLETE_EXPIRED, "expired"),
        )
        if was is not now
    },
    **{(status, status): [] for status in STATUSES},
}


def test_the_table_has_every_pair_of_statuses() -> None:
    assert set(ENTRIES) == {(was, now) for was in (None, *STATUSES) for now in STATUSES}


@pytest.mark.parametrize(("was", "now"), list(ENTRIES), ids=str)
def test_a_change_of_status_tells(was: SubscriptionStatus | None, now: SubscriptionStatus) -> None:
    before = None if was is None else young(was)

    assert told(before, young(now, version=2)) == [f"subscription.{word}" for word in ENTRIES[was, now]]


@pytest.mark.parametrize(
    ("before", "after", "types"),
    [
        pytest.param({}, {"cancel_at_period_end": True}, ["cancel_scheduled"], id="to end with the period"),
        pytest.param({}, {"cancel_at": NOW + DAY}, ["cancel_scheduled"], id="to end at an instant"),
        pytest.param({"cancel_at": NOW + DAY}, {}, ["cancel_unscheduled"], id="to go on"),
        pytest.param({"cancel_at": NOW + DAY}, {"cancel_at": NOW + 2 * DAY}, ["updated"], id="to end later"),
        pytest.param({}, {"metadata": {"$a.b": "c"}}, ["updated"], id="metadata"),
        pytest.param({}, {"trial_end_at": NOW + DAY}, ["updated"], id="trial end"),
        pytest.param({}, {"workspace_id": "ws_2"}, ["updated"], id="owner"),
        pytest.param({}, {"items": (item(quantity=5),)}, ["updated"], id="quantity"),
        pytest.param({}, {"items": (item(current_period_end_at=NOW + 50 * DAY),)}, ["updated"], id="renewal"),
        pytest.param({}, {"items": (item("team"),)}, ["plan_changed"], id="price"),
        pytest.param({}, {"items": (item(), item("seats"))}, ["plan_changed"], id="another item"),
        pytest.param({}, {"past_due_at": NOW, "provisional": True}, [], id="what we alone use"),
    ],
)
def test_what_else_changes_of_a_subscription_tells(
    before: dict[str, Any], after: dict[str, Any], types: list[str]
) -> None:
    assert told(young(**before), young(**after, version=2)) == [f"subscription.{word}" for word in types]


def test_what_was_skipped_is_told_in_an_order_that_makes_sense() -> None:
    before = young(S.TRIALING)
    after = young(S.ACTIVE, items=(item("team"),), cancel_at_period_end=True, version=2)

    assert told(before, after) == [
        f"subscription.{word}" for word in ("plan_changed", "trial_ended", "activated", "cancel_scheduled")
    ]


def test_of_what_has_ended_no_end_is_scheduled() -> None:
    assert told(young(), young(S.CANCELED, cancel_at=NOW, version=2)) == ["subscription.canceled"]
    assert told(None, young(S.CANCELED, cancel_at=NOW)) == ["subscription.created", "subscription.canceled"]


def test_the_history_of_an_adopted_account_is_not_repeated() -> None:
    old = NOW - NEWS_MS - 1

    assert told(None, young(subscribed_at=old)) == []
    assert told(None, mirror(invoice("paid", created_at=old, finalized_at=old, paid_at=old))) == []
    assert told(None, mirror(invoice("paid", created_at=old, finalized_at=old, paid_at=NOW))) == ["invoice.paid"]
    assert told(None, mirror(ProductFacts(name="Pro", created_at=old))) == []
    assert told(None, mirror(charge(amount_refunded=5, created_at=old))) == []
    assert told(None, mirror(CustomerFacts(created_at=old))) == []


def test_what_is_old_tells_what_becomes_of_it_from_then_on() -> None:
    old = NOW - 2 * NEWS_MS

    assert told(sub(subscribed_at=old), sub(status=S.CANCELED, subscribed_at=old)) == ["subscription.canceled"]
    before, after = (mirror(invoice(status, created_at=old, finalized_at=old)) for status in ("open", "void"))
    assert told(before, after) == ["invoice.voided"]


@pytest.mark.parametrize(
    ("was", "now", "types"),
    [
        (None, invoice(), ["invoice.created"]),
        (invoice(), invoice("open"), ["invoice.finalized"]),
        (invoice("open"), invoice("paid", amount_paid=5), ["invoice.paid", "payment.succeeded"]),
        (invoice("open"), invoice("paid"), ["invoice.paid"]),
        (invoice("open"), invoice("void"), ["invoice.voided"]),
        (invoice("open"), invoice("uncollectible"), ["invoice.uncollectible"]),
        (invoice("uncollectible"), invoice("paid", amount_paid=5), ["invoice.paid", "payment.succeeded"]),
        (invoice("open"), invoice("open", attempt_count=2), []),
        (
            None,
            invoice("paid", amount_paid=5),
            ["invoice.created", "invoice.finalized", "invoice.paid", "payment.succeeded"],
        ),
        (None, payment("requires_payment_method"), []),
        (payment("processing"), payment("succeeded"), ["payment.succeeded"]),
        (payment("processing"), payment("requires_action", invoice_id="in_1"), []),
        (payment("processing"), payment("canceled"), ["payment.canceled"]),
        (payment("processing"), payment("requires_action"), ["payment.action_required"]),
        (payment("requires_action"), payment("requires_action", amount=2), []),
        (
            payment("processing"),
            payment("requires_payment_method", failure_code="card_declined", latest_charge_id="ch_1"),
            ["payment.failed"],
        ),
        (
            payment("requires_payment_method", failure_code="card_declined", latest_charge_id="ch_1"),
            payment("requires_payment_method", failure_code="card_declined", latest_charge_id="ch_2"),
            ["payment.failed"],
        ),
        (
            payment("requires_payment_method", failure_code="card_declined", latest_charge_id="ch_1"),
            payment("requires_payment_method", failure_code="card_declined", latest_charge_id="ch_1", amount=5),
            [],
        ),
        (None, charge(payment_intent_id="pi_1"), []),
        (None, charge(), ["payment.succeeded"]),
        (None, charge("failed"), ["payment.failed"]),
        (charge(payment_intent_id="pi_1"), charge(payment_intent_id="pi_1", amount_refunded=5), ["payment.refunded"]),
        (charge(amount_refunded=5), charge(amount_refunded=9), ["payment.refunded"]),
        (charge(amount_refunded=5), charge(amount_refunded=5, disputed=True), []),
        (None, refund("pending"), ["refund.created"]),
        (refund("pending"), refund("succeeded"), ["refund.succeeded"]),
        (refund("succeeded"), refund("failed"), ["refund.failed"]),
        (refund("failed"), refund("canceled"), []),
        (None, dispute("needs_response"), ["dispute.created"]),
        (dispute("needs_response"), dispute("under_review"), ["dispute.updated"]),
        (dispute("under_review"), dispute("lost"), ["dispute.closed"]),
        (None, checkout("open"), []),
        (checkout("open"), checkout("complete"), ["checkout.completed"]),
        (checkout("complete"), checkout("complete", "paid"), ["checkout.paid"]),
        (checkout("open"), checkout("complete", "paid"), ["checkout.completed", "checkout.paid"]),
        (checkout("open"), checkout("expired"), ["checkout.expired"]),
        (None, CustomerFacts(created_at=NOW), ["customer.created"]),
        (CustomerFacts(), CustomerFacts(email="a@example.com"), ["customer.updated"]),
        (None, ProductFacts(name="Pro", created_at=NOW), ["catalog.changed"]),
        (ProductFacts(name="Pro"), ProductFacts(name="Team"), ["catalog.changed"]),
        (PriceFacts(currency="usd"), PriceFacts(currency="usd", active=False), ["catalog.changed"]),
        (CouponFacts(duration="once"), CouponFacts(duration="once", times_redeemed=1), []),
        (CouponFacts(duration="once"), CouponFacts(duration="once", valid=False), ["catalog.changed"]),
        (
            PromotionCodeFacts(code="A", coupon_id="c"),
            PromotionCodeFacts(code="A", coupon_id="c", times_redeemed=1),
            [],
        ),
        (None, ActiveEntitlementsFacts(customer_id="cus_1"), []),
        (None, ActiveEntitlementsFacts(customer_id="cus_1", lookup_keys=("sso",)), ["entitlement.changed"]),
        (None, ActiveEntitlementsFacts(customer_id="cus_1", lookup_keys=("sso",), is_complete=False), []),
        (
            ActiveEntitlementsFacts(customer_id="cus_1", lookup_keys=("sso", "api")),
            ActiveEntitlementsFacts(customer_id="cus_1", lookup_keys=("api", "sso")),
            [],
        ),
        (
            ActiveEntitlementsFacts(customer_id="cus_1", lookup_keys=("sso",)),
            ActiveEntitlementsFacts(customer_id="cus_1"),
            ["entitlement.changed"],
        ),
    ],
)
def test_a_mirror_tells(was: StripeFacts | None, now: StripeFacts, types: list[str]) -> None:
    before = None if was is None else mirror(was)

    assert told(before, mirror(now, version=2)) == types
    assert told(mirror(now), mirror(now, version=2)) == []


def test_a_payment_and_its_invoice_tell_once_that_money_came() -> None:
    paid_by = (InvoicePayment(payment_intent_id="pi_1", status="paid"), InvoicePayment(charge_id="ch_1", status="paid"))
    others = (InvoicePayment(payment_intent_id="pi_2", status="canceled"),)
    paid = mirror(invoice("paid", amount_paid=5, payments=paid_by + others))
    of_invoice = [event for event in events_of(None, paid, NOW) if event.type == "payment.succeeded"]

    [by_intent] = events_of(None, mirror(payment("succeeded"), id="pi_1", type="payment_intent"), NOW)
    [by_charge] = events_of(None, mirror(charge(), id="ch_1", type="charge"), NOW)

    assert [event.id for event in of_invoice] == [by_intent.id, by_charge.id]
    assert told(mirror(replace(paid.facts, payments=paid_by[:1])), paid) == ["payment.succeeded"]


def test_what_is_deleted_is_told_once() -> None:
    customer, product = (mirror(facts) for facts in (CustomerFacts(), ProductFacts(name="Pro")))

    assert told(customer, replace(customer, gone=True)) == ["customer.deleted"]
    assert told(replace(customer, gone=True), replace(customer, gone=True, version=3)) == []
    assert told(product, replace(product, gone=True)) == ["catalog.changed"]


def test_what_only_a_payload_told_has_no_effect_on_money_until_it_is_fetched() -> None:
    opened, paid = mirror(invoice("open")), mirror(invoice("paid", amount_paid=5), version=2)
    told_by_payload = replace(paid, source=StripeSource.EVENT)

    assert told(None, replace(opened, source=StripeSource.EVENT)) == []
    assert told(opened, told_by_payload) == []
    confirmed = events_of(told_by_payload, replace(paid, version=3), NOW)

    assert {"invoice.paid", "payment.succeeded"} <= {event.type.value for event in confirmed}
    again = {event.id for event in events_of(None, opened, NOW)}
    assert {event.id for event in confirmed if event.type in ("invoice.created", "invoice.finalized")} == again


def test_a_payload_is_enough_for_what_is_not_money() -> None:
    assert told(None, mirror(CustomerFacts(created_at=NOW), source=StripeSource.EVENT)) == ["customer.created"]
    assert told(None, young(provisional=True)) == ["subscription.created", "subscription.activated"]
    assert told(young(provisional=True), young(version=2)) == []


def test_to_read_more_out_of_the_same_is_no_change() -> None:
    before = mirror(ProductFacts(name="Pro"), raw="{}")

    assert told(before, mirror(ProductFacts(name="Pro", features=("sso",)), raw="{}", norm_version=9)) == []


def test_a_mirror_that_cannot_be_read_tells_nothing() -> None:
    assert told(mirror(invoice()), mirror(None, version=2)) == []


@pytest.mark.parametrize(
    ("was", "now", "types"),
    [
        (None, None, []),
        (None, "cus_1", ["customer.linked"]),
        ("cus_1", "cus_1", []),
        ("cus_1", "cus_2", ["customer.linked"]),
        ("cus_1", None, ["customer.unlinked"]),
    ],
)
def test_a_workspace_tells_of_its_link(was: str | None, now: str | None, types: list[str]) -> None:
    after = workspace(stripe_customer_id=now, version=2)

    assert told(workspace(stripe_customer_id=was), after) == types
    assert told(None, after) == (["customer.linked"] if now else [])


def test_other_records_tell_nothing() -> None:
    assert told(None, feature()) == []


def test_an_event_says_whose_it_is_what_is_and_what_was() -> None:
    ended_at = NOW - 1000
    [event] = events_of(young(), young(S.CANCELED, ended_at=ended_at, version=2), NOW)

    assert (event.workspace_id, event.customer_id) == ("ws_1", "cus_1")
    assert (event.object_type, event.object_id) == ("subscription", "sub_1")
    assert (event.occurred_at, event.recorded_at) == (ended_at, NOW)
    assert event.data["before"] == {"status": "active", "endedAt": None}
    assert event.data["after"]["items"] == [{"id": "si_pro", "priceId": "price_pro", "quantity": 1}]
    assert event.data["after"]["endedAt"] == "2026-09-21T14:13:19.000Z"


def test_the_same_transition_has_the_same_ids_and_another_has_others() -> None:
    def ids(*transitions: tuple[Record | None, Record]) -> list[str]:
        return [event.id for before, after in transitions for event in events_of(before, after, NOW + len(transitions))]

    trial, active = young(S.TRIALING), young(version=2)
    again = young(version=4)
    past_due = young(S.PAST_DUE, version=3)

    assert ids((trial, active)) == ids((trial, active))
    every = ids((None, trial), (trial, active), (active, past_due), (past_due, again), (trial, replace(active, id="b")))
    assert len(set(every)) == len(every)
    reborn = ids((trial, replace(active, incarnation="j")))
    assert set(reborn).isdisjoint(every)


def test_events_recorded_together_are_listed_in_their_order() -> None:
    events: tuple[BillingEvent, ...] = events_of(None, mirror(invoice("paid", amount_paid=5)), NOW)

    assert [event.id for event in events] == sorted(event.id for event in events)
