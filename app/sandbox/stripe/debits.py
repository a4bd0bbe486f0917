"""Bank debits: payments that are settled days after they were made, and then succeed or fail."""

from typing import Final

from app.sandbox.stripe import payments
from app.sandbox.stripe.cards import Decline
from app.sandbox.stripe.payment_methods import KIND, new_method
from app.sandbox.stripe.sandbox import Sandbox
from app.sandbox.stripe.wire import JsonObject

_PROCESSED_S: Final = 3 * 86_400
OF_CURRENCY: Final = {"usd": "us_bank_account", "eur": "sepa_debit"}
_DETAILS: Final[dict[str, JsonObject]] = {
    "us_bank_account": {
        "account_holder_type": "individual",
        "account_type": "checking",
        "bank_name": "STRIPE TEST BANK",
        "financial_connections_account": None,
        "networks": {"preferred": "ach", "supported": ["ach"]},
        "routing_number": "110000000",
        "status_details": {},
    },
    "sepa_debit": {
        "bank_code": "37040044",
        "branch_code": None,
        "country": "DE",
        "generated_from": {"charge": None, "setup_attempt": None},
    },
}
PAID: Final = {"us_bank_account": "6789", "sepa_debit": "3000"}
UNPAID: Final = {"us_bank_account": "2227", "sepa_debit": "3001"}
_FUNDS: Final = Decline(
    "insufficient_funds", None, "The customer's account has insufficient funds to cover this payment."
)


def new_debit(type: str, at: int, *, is_paid: bool) -> JsonObject:
    """Return a bank account that belongs to nobody yet, and whose payments succeed in the end or do not."""
    last4 = (PAID if is_paid else UNPAID)[type]
    return new_method(type, {**_DETAILS[type], "fingerprint": f"sandbox{last4}", "last4": last4}, at)


def is_debit(method: JsonObject) -> bool:
    return method["type"] in _DETAILS


def process(sandbox: Sandbox, intent: JsonObject, method: JsonObject) -> JsonObject:
    """Begin a payment whose outcome the bank tells later."""
    pending = {"paid": False, "status": "pending"}
    made = {**payments.new_charge(intent, method, None, sandbox.now()), **pending}
    known = {"latest_charge": made["id"], "payment_method": method["id"], "status": "processing"}
    until = {"_ends_at": sandbox.now() + _PROCESSED_S}
    processing = sandbox.put(intent, {**intent, **known, **until}, "payment_intent.processing")
    sandbox.put(None, made, "charge.pending")
    return processing


def settle(sandbox: Sandbox, intent: JsonObject) -> bool:
    """Let the bank tell what became of a payment that it processes; return whether it was paid."""
    intent = {**intent, "_ends_at": None}
    method = sandbox.store.get(KIND, intent["payment_method"])
    made = sandbox.store.get("charge", intent["latest_charge"])
    if method[method["type"]]["last4"] == PAID[method["type"]]:
        sandbox.put(made, {**made, "paid": True, "status": "succeeded"}, "charge.succeeded")
        paid = {"amount_received": intent["amount"], "status": "succeeded"}
        sandbox.put(intent, {**intent, **paid}, "payment_intent.succeeded")
        return True
    why = {"failure_code": _FUNDS.code, "failure_message": _FUNDS.message, "amount_captured": 0, "captured": False}
    sandbox.put(made, {**made, **why, "status": "failed"}, "charge.failed")
    told = {"last_payment_error": _FUNDS.to_payment_error(method), "payment_method": None}
    failed = {**intent, **told, "status": "requires_payment_method"}
    sandbox.put(intent, failed, "payment_intent.payment_failed")
    return False
