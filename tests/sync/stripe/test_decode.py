import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.stripe import DAY, T0, before_basil, customer, item, price, subscription

from app.domain.subscription import Subscription, SubscriptionStatus
from sync.stripe.decode import decode_links, decode_payload, decode_subscription
from sync.stripe.decode_facts import decode_facts
from sync.stripe.wire import DecodeError

LATER = (T0 + 10 * DAY) * 1000


def read(sub: dict[str, Any], stored: Subscription | None = None, at: int = LATER) -> Subscription:
    return decode_subscription(json.dumps(sub), stored=stored, at=at, provisional=False)


def test_both_shapes_give_the_same_record() -> None:
    sub = subscription(items=[item(), item("si_2", price("price_seats", None), quantity=7)], trial_end=T0 + DAY)

    assert read(before_basil(sub)) == read(sub)


def test_a_plan_of_the_time_before_prices_is_read_as_one() -> None:
    of_plan = {**item(), "plan": price("gold", None)}
    del of_plan["price"]

    assert read(subscription(items=[of_plan])) == read(subscription(items=[item(price_=price("gold", None))]))


def test_an_item_without_any_price_is_refused() -> None:
    with pytest.raises(DecodeError, match="item si_1 has no price"):
        read(subscription(items=[{**item(), "price": None}]))


def test_periods_of_items_may_differ() -> None:
    sub = subscription(items=[item(), item("si_2", current_period_end=T0 + 365 * DAY)])

    record = read(sub)

    assert record.renews_at == (T0 + 30 * DAY) * 1000
    assert record.paid_through_at == (T0 + 365 * DAY) * 1000


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"customer": {"id": "cus_1", "object": "customer", "email": None}}, id="customer"),
        pytest.param({"customer": {"id": "cus_1", "object": "customer", "deleted": True}}, id="deleted customer"),
        pytest.param(
            {"items": {"data": [item(price_=price(product={"id": "prod_pro", "object": "product"}))]}}, id="product"
        ),
    ],
)
def test_expanded_objects_read_like_ids(changed: dict[str, Any]) -> None:
    assert read({**subscription(), **changed}) == read(subscription())


def test_every_time_is_in_milliseconds() -> None:
    record = read(subscription(status="canceled", cancel_at=T0 + 1, canceled_at=T0 + 2, ended_at=T0 + 3))

    assert (record.cancel_at, record.canceled_at, record.ended_at) == tuple((T0 + s) * 1000 for s in (1, 2, 3))
    assert record.started_at == record.billing_anchor_at == T0 * 1000


def test_an_unknown_status_says_so_and_that_the_last_state_stays() -> None:
    with pytest.raises(DecodeError, match="unknown subscription status 'hibernating'; the last known state stays"):
        read(subscription(status="hibernating"))


def test_an_item_without_any_period_is_refused() -> None:
    with pytest.raises(DecodeError, match="si_1 has no period"):
        read(subscription(items=[{"id": "si_1", "price": "price_pro"}]))


def test_the_first_price_counts_from_the_end_of_the_second_of_its_item() -> None:
    record = read(subscription(items=[item(created=T0 + 5)]))

    assert record.items[0].price_since_at == (T0 + 5) * 1000 + 999


def test_a_price_that_stays_keeps_its_start() -> None:
    first = read(subscription())

    again = read(subscription(items=[item(quantity=3)]), stored=first, at=LATER + 1)

    assert again.items[0].price_since_at == first.items[0].price_since_at


def test_a_price_that_replaces_another_starts_when_it_was_told() -> None:
    first = read(subscription())

    moved = read(subscription(items=[item(price_=price("price_team"))]), stored=first, at=LATER)

    assert moved.items[0].price_since_at == LATER


def test_a_lookup_key_transferred_to_a_newer_price_stays_with_who_bought_under_it() -> None:
    first = read(subscription(items=[item(price_=price("price_pro", lookup_key="pro"))]))

    transferred = read(subscription(items=[item(price_=price("price_pro", lookup_key=None))]), stored=first)
    renamed = read(subscription(items=[item(price_=price("price_pro", lookup_key="pro_2"))]), stored=transferred)
    moved = read(subscription(items=[item(price_=price("price_team", lookup_key=None))]), stored=renamed, at=LATER)

    keys = [record.items[0].lookup_key for record in (first, transferred, renamed, moved)]
    assert keys == ["pro", "pro", "pro_2", None]


def test_past_due_is_fixed_once() -> None:
    renewed = {"current_period_start": T0 + 30 * DAY, "current_period_end": T0 + 60 * DAY}
    first = read(subscription(status="past_due"), stored=read(subscription()))

    later = read(subscription(status="unpaid", items=[item(**renewed)]), stored=first)

    assert first.past_due_at == later.past_due_at == T0 * 1000


def test_a_payment_ends_past_due_and_the_next_failure_counts_anew() -> None:
    renewed = {"current_period_start": T0 + 30 * DAY, "current_period_end": T0 + 60 * DAY}
    paid = read(subscription(), stored=read(subscription(status="past_due")))

    again = read(subscription(status="past_due", items=[item(**renewed)]), stored=paid)

    assert paid.past_due_at is None
    assert again.past_due_at == (T0 + 30 * DAY) * 1000


def test_a_record_continues_the_stored_one() -> None:
    stored = Subscription(
        id="sub_1",
        version=7,
        incarnation="i",
        created_at=1,
        updated_at=2,
        workspace_id="ws_1",
        stripe_customer_id="cus_1",
        status=SubscriptionStatus.TRIALING,
        started_at=0,
        billing_anchor_at=0,
    )

    record = read(subscription(), stored=stored)

    assert (record.version, record.incarnation, record.workspace_id) == (7, "i", "ws_1")


def test_metadata_with_a_nul_can_still_be_stored() -> None:
    assert read(subscription(metadata={"a\0b": "c\0"})).metadata == {"a\ufffdb": "c\ufffd"}


def test_a_payload_gives_its_object() -> None:
    raw = decode_payload(json.dumps({"id": "evt_1", "data": {"object": customer()}}))

    assert json.loads(raw) == customer()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
TEXT = st.text() | JSON.map(json.dumps)


@st.composite
def nearly_subscriptions(draw: st.DrawFn) -> str:
    sub = subscription(items=[item(), item("si_2")])
    for _ in range(draw(st.integers(1, 3))):
        target = draw(st.sampled_from([sub, sub["items"]["data"][0], sub["items"]["data"][1]]))
        target[draw(st.sampled_from(sorted(target)))] = draw(JSON)
        if not isinstance(sub["items"], dict) or not isinstance(sub["items"].get("data"), list):
            break
    return json.dumps(sub)


@given(TEXT | nearly_subscriptions())
def test_decoding_never_raises_anything_but_decode_error(text: str) -> None:
    for decode in (
        decode_links,
        decode_payload,
        lambda raw: decode_subscription(raw, stored=None, at=0, provisional=True),
    ):
        try:
            decode(text)
        except DecodeError:
            continue


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[" * 100_000 + "]" * 100_000, id="deep"),
        pytest.param('{"id": ' + "9" * 5000 + "}", id="5000 digits"),
        pytest.param('{"id": "\\ud800"}', id="lone surrogate"),
        pytest.param('{"id": "\ud800"}', id="raw surrogate"),
        pytest.param('{"id": "a\\u0000"}', id="NUL"),
        pytest.param("[]", id="array"),
        pytest.param("", id="empty"),
        pytest.param("<html>", id="html"),
    ],
)
def test_hostile_json_is_refused(text: str) -> None:
    with pytest.raises(DecodeError):
        decode_facts("customer", text)
    with pytest.raises(DecodeError):
        decode_payload(text)
