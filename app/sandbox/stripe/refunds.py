"""The operations of /v1/refunds, and what becomes of a refund after it was made."""

from typing import Final

from app.sandbox.stripe import disputes
from app.sandbox.stripe.cards import card_of_charge
from app.sandbox.stripe.errors import StripeError
from app.sandbox.stripe.forms import Reader, metadata, one_of, positive, read, text
from app.sandbox.stripe.resources import keep_equal, list_page, with_changes
from app.sandbox.stripe.sandbox import Call, Sandbox
from app.sandbox.stripe.wire import JsonObject, new_id

KIND: Final = "refund"
FAILED, CANCELED = "failed", "canceled"
_SETTLES_AFTER_S: Final = 300
_GIVEN_BACK: Final = (FAILED, CANCELED)  # the money stays with the account
_SYMBOLS: Final = {"eur": "€", "gbp": "£", "usd": "$"}
_AT_CREATION: Final[dict[str, Reader]] = {
    "amount": positive,
    "charge": text,
    "metadata": metadata,
    "payment_intent": text,
    "reason": one_of("duplicate", "fraudulent", "requested_by_customer"),
}


def create(sandbox: Sandbox, call: Call) -> JsonObject:
    """Refund a charge, whole or in part; with some test cards that is settled five minutes later, or fails then."""
    params = read(call.form, _AT_CREATION)
    charge = _charge_of(sandbox, params)
    left: int = charge["amount_captured"] - charge["amount_refunded"]
    amount: int = params.get("amount", left)
    _check(charge, amount, left)
    _check_undisputed(sandbox, charge)
    described = {name: params[name] for name in ("metadata", "reason") if name in params}
    refund = with_changes(_blank(charge, amount, call.at), described)
    sandbox.put(None, refund, "refund.created")
    if _take(sandbox, charge, amount, "charge.refunded")["refunded"]:
        disputes.close_inquiries(sandbox, charge)
    return refund


def _charge_of(sandbox: Sandbox, params: JsonObject) -> JsonObject:
    if params.get("charge"):
        charge = sandbox.store.get("charge", params["charge"], param="charge")
        if params.get("payment_intent") not in (None, charge["payment_intent"]):
            raise StripeError("The charge does not belong to the payment intent.", param="charge")
        return charge
    if not params.get("payment_intent"):
        raise StripeError(
            "One of the following params should be provided for this request: payment_intent or charge.",
            code="parameter_missing",
        )
    intent = sandbox.store.get("payment_intent", params["payment_intent"], param="payment_intent")
    if intent["status"] != "succeeded":
        raise StripeError(
            f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.", param="payment_intent"
        )
    return sandbox.store.get("charge", intent["latest_charge"])


def _check(charge: JsonObject, amount: int, left: int) -> None:
    if not charge["captured"] or charge["status"] != "succeeded":
        raise StripeError(f"Charge {charge['id']} has not been captured and cannot be refunded.", param="charge")
    if charge["refunded"]:
        raise StripeError(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    if amount > left:
        asked, rest = _money(amount, charge["currency"]), _money(left, charge["currency"])
        raise StripeError(
            f"Refund amount ({asked}) is greater than unrefunded amount on charge ({rest})", param="amount"
        )


def _check_undisputed(sandbox: Sandbox, charge: JsonObject) -> None:
    """Refuse to refund what the bank has taken back already; an inquiry takes nothing."""
    for dispute in sandbox.store.having(disputes.KIND, "charge", charge["id"]):
        if not dispute["is_charge_refundable"] and dispute["status"] not in (disputes.WON, disputes.INQUIRY_CLOSED):
            raise StripeError(
                f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed"
            )


def _money(amount: int, currency: str) -> str:
    symbol = _SYMBOLS.get(currency)
    return f"{symbol}{amount / 100:.2f}" if symbol else f"{amount} {currency.upper()}"


def _blank(charge: JsonObject, amount: int, at: int) -> JsonObject:
    ends_as = card_of_charge(charge).refund_ends_as
    is_pending = ends_as == "succeeded"
    card = {"reference_status": "pending", "reference_type": "acquirer_reference_number", "type": "refund"}
    return {
        "id": new_id("re"),
        "object": KIND,
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": at,
        "currency": charge["currency"],
        "destination_details": {"card": card, "type": "card"} if charge["payment_method"] else None,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "pending_reason": "processing" if is_pending else None,
        "reason": None,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "pending" if is_pending else "succeeded",
        "transfer_reversal": None,
        "_ends_as": ends_as,
        "_ends_at": at + _SETTLES_AFTER_S if ends_as else None,
    }


def _take(sandbox: Sandbox, charge: JsonObject, amount: int, told: str) -> JsonObject:
    """Count what is refunded of the charge; less than nothing gives it back."""
    refunded: int = charge["amount_refunded"] + amount
    counted = {"amount_refunded": refunded, "refunded": refunded == charge["amount_captured"]}
    return sandbox.put(charge, {**charge, **counted}, told)


def become(sandbox: Sandbox, refund: JsonObject, status: str, *, failure_reason: str | None = None) -> JsonObject:
    """Let a refund reach a status; where that is a failure the charge is as little refunded as before."""
    changed = {**refund, "status": status, "_ends_as": None, "_ends_at": None}
    if status != "pending":
        changed["pending_reason"] = None
    if status == FAILED:
        changed["failure_reason"] = failure_reason or "expired_or_canceled_card"
    told = ("refund.failed",) if status == FAILED else ()
    sandbox.put(refund, changed, "refund.updated", "charge.refund.updated", *told)
    if (status in _GIVEN_BACK) and refund["status"] not in _GIVEN_BACK:
        charge = sandbox.store.get("charge", refund["charge"])
        _take(sandbox, charge, -refund["amount"], "charge.updated")
    return changed


def settle(sandbox: Sandbox, refund: JsonObject) -> None:
    become(sandbox, refund, refund["_ends_as"])


def update(sandbox: Sandbox, call: Call) -> JsonObject:
    refund = sandbox.store.get(KIND, call.id)
    changed = with_changes(refund, read(call.form, {"metadata": metadata}))
    return refund if changed == refund else sandbox.put(refund, changed, "refund.updated", "charge.refund.updated")


def cancel(sandbox: Sandbox, call: Call) -> JsonObject:
    """Cancel a refund that waits for its customer, which is all that Stripe allows."""
    refund = sandbox.store.get(KIND, call.id)
    read(call.form, {})
    if refund["status"] != "requires_action":
        raise StripeError(f"A refund whose status is `{refund['status']}` cannot be canceled.")
    return become(sandbox, refund, CANCELED)


def list_all(sandbox: Sandbox, call: Call) -> JsonObject:
    readers: dict[str, Reader] = {"charge": text, "payment_intent": text}
    return list_page(
        sandbox, call, KIND, readers, lambda params, refund: keep_equal(params, refund, "charge", "payment_intent")
    )
