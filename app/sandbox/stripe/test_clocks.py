"""The operations of /v1/test_helpers/test_clocks, and whose time an object lives in."""

from typing import Final

from app.sandbox.stripe.dues import CLOCK_LIFE_S
from app.sandbox.stripe.endings import ENDED
from app.sandbox.stripe.errors import StripeError
from app.sandbox.stripe.forms import Form, integer, read, text
from app.sandbox.stripe.life import delete_clock, run_due
from app.sandbox.stripe.periods import add_interval
from app.sandbox.stripe.sandbox import Call, Sandbox
from app.sandbox.stripe.store import PAGE_READERS, page
from app.sandbox.stripe.wire import JsonObject, is_hash, new_id

KIND: Final = "test_helpers.test_clock"
_INTERVALS: Final = 2
_YEARS_WITHOUT_SUBSCRIPTION: Final = 2
_NAMING: Final = (
    *("test_clock", "customer", "subscription", "invoice", "payment_intent", "charge", "schedule"),
    *("payment_method", "from_subscription"),
)
_PAGE: Final = {name: reader for name, reader in PAGE_READERS.items() if name != "created"}


def time_of(sandbox: Sandbox, obj: JsonObject | None) -> int:
    """Return what time it is for an object: its test clock's, or the sandbox's own."""
    clock = sandbox.store.find(sandbox.store.clock_of(obj) or "")
    return clock["frozen_time"] if clock else sandbox.now()


def time_of_request(sandbox: Sandbox, id: str, form: Form) -> int:
    """Return what time it is for what a request is about: the object in its path, or the first that it names."""
    payload = form.get("payload")
    metered = payload.get("stripe_customer_id") if is_hash(payload) else None
    named = (id, *map(form.get, _NAMING), metered)
    known = (sandbox.store.find(one) for one in named if isinstance(one, str) and one)
    about = next(filter(None, known), None)
    if about and about["object"] == KIND and about["id"] != id:  # a new customer on that clock
        return about["frozen_time"]
    return time_of(sandbox, about)


def create(sandbox: Sandbox, call: Call) -> JsonObject:
    params = read(call.form, {"frozen_time": integer, "name": text}, required=("frozen_time",))
    made: JsonObject = {
        "id": new_id("clock"),
        "object": KIND,
        "created": call.at,
        "deletes_after": call.at + CLOCK_LIFE_S,
        "frozen_time": params["frozen_time"],
        "livemode": False,
        "name": params.get("name"),
        "status": "ready",
        "status_details": {},
    }
    return sandbox.put(None, made, f"{KIND}.created")


def advance(sandbox: Sandbox, call: Call) -> JsonObject:
    """Move the clock on; what becomes due for its objects happens on the way, each at its own instant.

    As at Stripe the answer says that it is advancing; here it is ready by then.
    """
    clock = sandbox.store.get(KIND, call.id)
    target: int = read(call.form, {"frozen_time": integer}, required=("frozen_time",))["frozen_time"]
    _check(sandbox, clock, target)
    details = {"advancing": {"target_frozen_time": target}}
    advancing = sandbox.put(clock, {**clock, "status": "advancing", "status_details": details}, f"{KIND}.advancing")
    run_due(sandbox, target, clock=call.id)
    sandbox.put(advancing, {**clock, "frozen_time": target}, f"{KIND}.ready")
    return advancing


def _check(sandbox: Sandbox, clock: JsonObject, target: int) -> None:
    now: int = clock["frozen_time"]
    if target <= now:
        raise StripeError(f"The test clock stands at {now} and must be advanced to a later time.", param="frozen_time")
    items = [
        item
        for subscription in sandbox.store.all("subscription")
        if subscription["test_clock"] == clock["id"] and subscription["status"] not in ENDED
        for item in subscription["items"]["data"]
    ]
    recurring = [sandbox.store.get("price", item["price"])["recurring"] for item in items]
    spans = [add_interval(now, one["interval"], _INTERVALS * one["interval_count"]) for one in recurring]
    latest = min(spans, default=add_interval(now, "year", _YEARS_WITHOUT_SUBSCRIPTION))
    if target > latest:
        raise StripeError(
            "A test clock is advanced by at most two intervals of its shortest subscription, or by two years without "
            f"any: to {latest}.",
            param="frozen_time",
        )


def delete(sandbox: Sandbox, call: Call) -> JsonObject:
    """Delete the clock and its customers, whose subscriptions are canceled."""
    read(call.form, {})
    delete_clock(sandbox, sandbox.store.get(KIND, call.id))
    return {"id": call.id, "object": KIND, "deleted": True}


def list_all(sandbox: Sandbox, call: Call) -> JsonObject:
    return page(sandbox.store.all(KIND), read(call.form, _PAGE), "/v1/test_helpers/test_clocks", lambda _: True)
