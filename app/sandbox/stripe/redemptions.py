"""Coupons and promotion codes become discounts of customers and subscriptions, and discounts end."""

from collections.abc import Callable
from typing import Final, NamedTuple

from app.sandbox.stripe.coupons import is_valid
from app.sandbox.stripe.discounts import KIND, is_running
from app.sandbox.stripe.errors import StripeError, missing, no_such
from app.sandbox.stripe.forms import Reader, fields, list_of, read, text
from app.sandbox.stripe.periods import add_interval
from app.sandbox.stripe.proration import amount_of, round_half_away
from app.sandbox.stripe.sandbox import Call, Sandbox
from app.sandbox.stripe.store import Store
from app.sandbox.stripe.wire import JsonObject, new_id

read_discounts: Final[Reader] = list_of(fields(coupon=text, discount=text, promotion_code=text))
OLD_READERS: Final[dict[str, Reader]] = {"coupon": text, "promotion_code": text}  # before basil


class Cart(NamedTuple):
    """What a discount is redeemed for; a customer's own has neither currency nor amount yet.

    A checkout may have no `customer` before it is paid.
    """

    customer: str | None
    currency: str | None = None
    amount: int | None = None


def take_old_params(params: JsonObject) -> list[JsonObject] | None:
    """Take `coupon` and `promotion_code` out of the parameters, and return them as `discounts` says it since basil."""
    given = {name: params.pop(name) for name in OLD_READERS if name in params}
    if len(given) > 1:
        raise StripeError(
            "You may only specify one of these parameters: coupon, promotion_code.", param="promotion_code"
        )
    if not given:
        return None
    return [given] if any(given.values()) else []


def redeem_for_subscription(
    store: Store, subscription: JsonObject, asked: list[JsonObject], at: int
) -> list[JsonObject]:
    """Return the discounts that the subscription is to have; nothing is stored or counted yet."""
    cart = Cart(subscription["customer"], subscription["currency"], _worth(store, subscription["items"]["data"]))
    wanted = kept_of(subscription["discounts"], asked, "discounts")
    return _redeem_all(store, wanted, cart, "discounts", at, {"subscription": subscription["id"]})


def kept_of(held: list[JsonObject], asked: list[JsonObject], path: str) -> list[JsonObject]:
    """Return what is asked for, with those discounts whole that are held already."""
    known = {discount["id"]: discount for discount in held}
    for index, given in enumerate(asked):
        if given.get("discount") and given["discount"] not in known:
            raise no_such(KIND, given["discount"], param=f"{path}[{index}][discount]")
    return [known[given["discount"]] if given.get("discount") else given for given in asked]


def _redeem_all(
    store: Store, wanted: list[JsonObject], cart: Cart, path: str, at: int, owner: JsonObject
) -> list[JsonObject]:
    """Return the discounts, those made of what is not one yet."""
    return [
        given
        if given.get("object") == KIND
        else {
            **redeem(store, given, cart, f"{path}[{index}]", at),
            "checkout_session": given.get("checkout_session"),
            **owner,
        }
        for index, given in enumerate(wanted)
    ]


def with_items_redeemed(store: Store, subscription: JsonObject, at: int) -> JsonObject:
    """Return the subscription whose items have the discounts that they ask for; nothing is stored or counted yet."""
    items: list[JsonObject] = []
    for index, item in enumerate(subscription["items"]["data"]):
        cart = Cart(subscription["customer"], subscription["currency"], _worth(store, [item]))
        owner = {"subscription": subscription["id"], "subscription_item": item["id"]}
        path = f"items[{index}][discounts]"
        items.append({**item, "discounts": _redeem_all(store, item["discounts"], cart, path, at, owner)})
    return {**subscription, "items": {**subscription["items"], "data": items}}


def _worth(store: Store, items: list[JsonObject]) -> int:
    return sum(round_half_away(amount_of(store.get("price", item["price"]), item["quantity"])) for item in items)


def redeem_for_customer(store: Store, customer: str, asked: list[JsonObject], at: int) -> JsonObject | None:
    """Return the one discount that the customer is to have, or none; nothing is stored or counted yet."""
    return redeem(store, asked[0], Cart(customer), "", at) if asked else None


def redeem(store: Store, given: JsonObject, cart: Cart, path: str, at: int) -> JsonObject:
    """Return the discount that a coupon or code gives, or raise why it does not; nothing is stored or counted yet."""
    code: JsonObject | None = None
    named: str | None = given.get("coupon")
    param = f"{path}[coupon]" if path else "coupon"
    if promised := given.get("promotion_code"):
        param = f"{path}[promotion_code]" if path else "promotion_code"
        code = store.get("promotion_code", promised, param=param)
        _check_code(store, code, cart, param, at)
        named = code["promotion"]["coupon"]
    if not named:
        raise missing(param)
    coupon = store.get("coupon", named, param=param)
    if not is_valid(coupon, at):
        raise StripeError(f"Coupon expired: {named}", code="coupon_expired", param=param)
    if coupon["currency"] and cart.currency not in (None, coupon["currency"]):
        raise StripeError(f"Coupon {named} takes off {coupon['currency']}, not {cart.currency}.", param=param)
    return _blank(coupon, code, cart.customer, at)


def _check_code(store: Store, code: JsonObject, cart: Cart, param: str, at: int) -> None:
    """Refuse a promotion code that has ended, or that is not for this customer or purchase."""
    most, rules = code["max_redemptions"], code["restrictions"]
    is_over = not code["active"] or (code["expires_at"] is not None and at >= code["expires_at"])
    if is_over or (most is not None and code["times_redeemed"] >= most):
        raise StripeError("This promotion code cannot be redeemed because it has ended.", param=param)
    if code["customer"] not in (None, cart.customer):
        raise StripeError("This promotion code cannot be redeemed by this customer.", param=param)
    if rules["first_time_transaction"] and _has_paid(store, cart.customer):
        raise StripeError(
            "This promotion code cannot be redeemed because the associated customer has prior transactions.",
            param=param,
        )
    if rules["minimum_amount"] is None or cart.amount is None:
        return
    if cart.amount < rules["minimum_amount"] or cart.currency != rules["minimum_amount_currency"]:
        raise StripeError("This promotion code requires a minimum amount that is not reached.", param=param)


def _has_paid(store: Store, customer: str | None) -> bool:
    return customer is not None and any(
        charge["customer"] == customer and charge["paid"] for charge in store.all("charge")
    )


def _blank(coupon: JsonObject, code: JsonObject | None, customer: str | None, at: int) -> JsonObject:
    months: int | None = coupon["duration_in_months"]
    return {
        "id": new_id("di"),
        "object": KIND,
        "checkout_session": None,
        "customer": customer,
        "customer_account": None,
        "end": add_interval(at, "month", months) if months else None,
        "invoice": None,
        "invoice_item": None,
        "promotion_code": code["id"] if code else None,
        "source": {"coupon": coupon["id"], "type": "coupon"},
        "start": at,
        "subscription": None,
        "subscription_item": None,
        "_coupon": coupon,  # as it was: a discount outlives its coupon
    }


def follow(sandbox: Sandbox, before: list[JsonObject], after: list[JsonObject], *, switched: bool = False) -> None:
    """Store and count the discounts that came, and tell of those and of what went."""
    old, new = {each["id"] for each in before}, {each["id"] for each in after}
    for discount in after:
        if discount["id"] not in old:
            count(sandbox, discount)
            sandbox.put(None, discount, "customer.discount.updated" if switched else "customer.discount.created")
    for discount in before:
        if discount["id"] not in new and not switched:
            sandbox.put(discount, discount, "customer.discount.deleted")


def count(sandbox: Sandbox, discount: JsonObject) -> None:
    """Count the redemption of coupon and code; a code that is used up ends."""
    if coupon := sandbox.store.find(discount["source"]["coupon"]):
        sandbox.store.put({**coupon, "times_redeemed": coupon["times_redeemed"] + 1})
    if code := sandbox.store.find(discount["promotion_code"] or ""):
        counted = {**code, "times_redeemed": code["times_redeemed"] + 1}
        is_left = code["max_redemptions"] is None or counted["times_redeemed"] < code["max_redemptions"]
        sandbox.save(code, {**counted, "active": code["active"] and is_left})


def use_up(sandbox: Sandbox, invoice: JsonObject) -> None:
    """End the discounts that are for one invoice, where this one has used them."""
    used = {each["discount"] for each in invoice["total_discount_amounts"] if each["amount"]}

    def is_used_up(discount: JsonObject) -> bool:
        return discount["id"] in used and discount["_coupon"]["duration"] == "once"

    drop(
        sandbox,
        sandbox.store.get("subscription", invoice["parent"]["subscription_details"]["subscription"]),
        is_used_up,
    )
    if customer := sandbox.store.find(invoice["customer"]):
        drop(sandbox, customer, is_used_up)


def drop(sandbox: Sandbox, owner: JsonObject, is_over: Callable[[JsonObject], bool]) -> list[JsonObject]:
    """Take the discounts that are over from a subscription or a customer, and return them."""
    held = held_by(owner)
    gone = [discount for discount in held if is_over(discount)]
    if gone:
        kept = [discount for discount in held if discount not in gone]
        follow(sandbox, held, kept)
        sandbox.save(owner, _with_only(owner, kept))
    return gone


def _with_only(owner: JsonObject, kept: list[JsonObject]) -> JsonObject:
    if owner["object"] == "customer":
        return {**owner, "discount": None}
    items = [
        {**item, "discounts": [one for one in item["discounts"] if one in kept]} for item in owner["items"]["data"]
    ]
    left = [one for one in owner["discounts"] if one in kept]
    return {**owner, "discounts": left, "items": {**owner["items"], "data": items}}


def held_by(owner: JsonObject) -> list[JsonObject]:
    """Return the discounts of a subscription and its items, or of a customer, who has one at most."""
    if owner["object"] == "subscription":
        return [*owner["discounts"], *(one for item in owner["items"]["data"] for one in item["discounts"])]
    return [owner["discount"]] if owner.get("discount") else []


def end_in_time(sandbox: Sandbox, owner: JsonObject) -> None:
    at = sandbox.now()
    drop(sandbox, owner, lambda discount: not is_running(discount, at))


def delete_of_customer(sandbox: Sandbox, call: Call) -> JsonObject:
    return _delete(sandbox, call, "customer")


def delete_of_subscription(sandbox: Sandbox, call: Call) -> JsonObject:
    return _delete(sandbox, call, "subscription")


def _delete(sandbox: Sandbox, call: Call, kind: str) -> JsonObject:
    read(call.form, {})
    gone = drop(sandbox, sandbox.store.get(kind, call.id), lambda discount: discount["subscription_item"] is None)
    if not gone:
        raise StripeError(f"No active discount for {kind}: {call.id}", status=404, code="resource_missing")
    return {**gone[0], "deleted": True}
