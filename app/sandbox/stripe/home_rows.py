"""Rows of the home page's tables, in words."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Final

import orjson

from app.sandbox.stripe import dues
from app.sandbox.stripe.chaos import Chaos
from app.sandbox.stripe.clock import Due
from app.sandbox.stripe.delivery import Attempt, Deliveries
from app.sandbox.stripe.pages import Html, badge, button, day, element, form, moment, money
from app.sandbox.stripe.proration import amount_of, round_half_away
from app.sandbox.stripe.sandbox import Sandbox
from app.sandbox.stripe.store import Store
from app.sandbox.stripe.wire import JsonObject, is_hash

DUE_WORDS: Final = {
    dues.CAPTURE_END: "The payment is given back uncaptured",
    dues.CANCEL: "The subscription ends",
    dues.CLOCK_END: "The test clock is deleted",
    dues.COLLECTION_RESUME: "Payments are collected again",
    dues.DISCOUNT_END: "The discount ends",
    dues.DISPUTE: "The customer disputes the payment",
    dues.EXPIRE: "The subscription expires unpaid",
    dues.EXPIRE_SESSION: "The checkout expires",
    dues.EXPIRING: "The schedule's end is announced",
    dues.FINALIZE: "The invoice is finalized and charged",
    dues.NEXT_PHASE: "The schedule goes on",
    dues.OVERDUE: "The invoice becomes overdue",
    dues.PENDING_END: "The waiting change is given up",
    dues.RENEW: "The subscription is renewed",
    dues.RETRY: "The payment is tried again",
    dues.SETTLE: "The bank answers",
    dues.TRIAL_END: "The trial ends",
    dues.TRIAL_WILL_END: "The trial's end is announced",
    dues.UPCOMING: "The renewal is announced",
}
AFTER_LAST_RETRY: Final = {"cancel": "is canceled", "unpaid": "becomes unpaid", "past_due": "stays past due"}
_TONES: Final = {
    "active": "good",
    "trialing": "good",
    "past_due": "bad",
    "unpaid": "bad",
    "incomplete": "bad",
    "incomplete_expired": "bad",
    "open": "bad",
    "paid": "good",
}
_SUCCESS: Final = range(200, 300)


def due_rows(sandbox: Sandbox, found: Iterable[tuple[Due, JsonObject]]) -> Iterator[tuple[str, ...]]:
    for due, obj in found:
        whose = _buyer_of(sandbox.store, obj) if due.what == dues.EXPIRE_SESSION else customer_of(sandbox.store, obj)
        yield DUE_WORDS[due.what], whose, moment(due.at)


def _when(at: int) -> Html:
    return element("span", moment(at), class_="nowrap")


def customer_of(store: Store, obj: JsonObject) -> str:
    """Return how a person knows the customer of an object, or of its charge or invoice: by name, address or id."""
    for whose in ("charge", "invoice"):
        if "customer" not in obj and isinstance(of := obj.get(whose), str):
            return customer_of(store, store.find(of) or {})
    named = obj["id"] if obj.get("object") == "customer" else obj.get("customer")
    if not isinstance(named, str):
        return ""
    customer = store.find(named) or {}
    return customer.get("name") or customer.get("email") or named


def checkout_rows(sandbox: Sandbox, sessions: Iterable[JsonObject]) -> Iterator[tuple[str, ...]]:
    for session in sessions:
        link = element("a", "Pay, fail or leave", href=session["url"] or "/")
        total = money(session["amount_total"], session["currency"]) if session["_lines"] else "saves a card"
        yield link, _buyer_of(sandbox.store, session), _when(session["expires_at"]), total


def _buyer_of(store: Store, session: JsonObject) -> str:
    return customer_of(store, session) or session.get("customer_email") or "somebody new"


def subscription_rows(sandbox: Sandbox, subscriptions: Iterable[JsonObject]) -> Iterator[tuple[str, ...]]:
    store = sandbox.store
    for subscription in subscriptions:
        items: list[JsonObject] = subscription["items"]["data"]
        prices = [store.get("price", item["price"]) for item in items]
        names = [_product_name(store, price) for price in prices]
        amounts = [amount_of(price, item["quantity"]) for item, price in zip(items, prices, strict=True)]
        yield (
            customer_of(store, subscription),
            ", ".join(_times(item["quantity"], name) for item, name in zip(items, names, strict=True)),
            status_badge(subscription["status"]),
            _then(subscription),
            form(f"/p/customer/{subscription['customer']}", button("Portal", is_small=True)),
            money(round_half_away(sum(amounts, Fraction(0))), subscription["currency"]),
        )


def _times(quantity: int | None, name: str) -> str:
    return name if quantity in (None, 1) else f"{quantity} x {name}"


def _product_name(store: Store, price: JsonObject) -> str:
    return (store.find(price["product"]) or {}).get("name") or price["id"]


def _then(subscription: JsonObject) -> str:
    """Say what comes next of a subscription, and when."""
    if subscription["ended_at"]:
        return f"ended {day(subscription['ended_at'])}"
    if subscription["cancel_at"]:
        return f"ends {day(subscription['cancel_at'])}"
    if subscription["status"] == "trialing" and subscription["trial_end"]:
        return f"trial until {day(subscription['trial_end'])}"
    return f"period ends {day(min(item['current_period_end'] for item in subscription['items']['data']))}"


def status_badge(status: str, text: str | None = None) -> Html:
    return badge((text or status).replace("_", " "), _TONES.get(status, ""))


def event_rows(sandbox: Sandbox, events: list[JsonObject]) -> Iterator[tuple[str, ...]]:
    last = last_attempts(sandbox.deliveries, {event["id"] for event in events})
    for event in events:
        about = event["data"]["object"]
        again = form(f"/events/{event['id']}", button("Send again", is_small=True))
        whose = customer_of(sandbox.store, about) if is_hash(about) else ""
        link = element("a", event["type"], href=f"/events/{event['id']}")
        yield _when(event["created"]), link, whose, outcome(sandbox.deliveries, event["id"], last), again


def last_attempts(deliveries: Deliveries, wanted: set[str]) -> dict[str, Attempt]:
    """Return the last attempt to deliver each of these events, where there was one."""
    last: dict[str, Attempt] = {}
    for attempt in reversed(deliveries.attempts):
        if attempt.event_id in wanted:
            last.setdefault(attempt.event_id, attempt)
            if len(last) == len(wanted):
                break
    return last


def outcome(deliveries: Deliveries, event_id: str, last: dict[str, Attempt]) -> Html:
    """Say what became of an event's delivery."""
    attempt = last.get(event_id)
    is_on_its_way = event_id in deliveries.unfinished
    if attempt is None:
        return badge("on its way" if is_on_its_way else "not sent")
    if attempt.status in _SUCCESS:
        return badge(f"taken, {attempt.duration_ms:.0f} ms", "good")
    why = attempt.status or "no answer"
    return badge(f"{why}, tried again" if is_on_its_way else f"{why}, given up", "bad")


def attempt_rows(attempts: Iterable[Attempt]) -> Iterator[tuple[str, ...]]:
    for attempt in attempts:
        answer = str(attempt.status or attempt.error)
        yield _when(attempt.at), attempt.url, answer, f"{attempt.duration_ms:.0f} ms"


def chaos_words(chaos: Chaos) -> list[str]:
    """Say what the dial does to deliveries; nothing is an empty list."""
    rates = {
        "duplicated": chaos.duplicate_rate,
        "dropped": chaos.drop_rate,
        "in the old shape": chaos.old_shape_rate,
        "signed with the old secret": chaos.old_secret_rate,
    }
    words = [f"{rate:.0%} {word}" for word, rate in rates.items() if rate]
    if chaos.shuffle_seconds:
        words.append(f"shuffled within {chaos.shuffle_seconds:g} s")
    if chaos.delay_seconds[1]:
        words.append(f"delayed by up to {chaos.delay_seconds[1]:g} s")
    return words


def pretty(obj: JsonObject) -> str:
    return orjson.dumps(obj, option=orjson.OPT_INDENT_2).decode()
