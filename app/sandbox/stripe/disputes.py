"""The operations of /v1/disputes, and the life of a dispute: opened, answered, escalated, decided."""

from typing import Final

from app.sandbox.stripe.cards import Grievance, card_of_charge
from app.sandbox.stripe.errors import StripeError
from app.sandbox.stripe.forms import Reader, boolean, fields, metadata, read, text
from app.sandbox.stripe.resources import keep_equal, list_page, merge_metadata
from app.sandbox.stripe.sandbox import Call, Sandbox
from app.sandbox.stripe.wire import JsonObject, new_id

KIND: Final = "dispute"
NEEDS_RESPONSE, UNDER_REVIEW, WON, LOST = "needs_response", "under_review", "won", "lost"
INQUIRY: Final = "warning_"
INQUIRY_CLOSED: Final = f"{INQUIRY}closed"
_DAY_S: Final = 86_400
_TO_ANSWER_S: Final = 9 * _DAY_S
_TO_DECIDE_S: Final = 5
_FEE: Final = 1500
# What Stripe's test mode takes as evidence that decides.
_DECISIVE: Final = {
    "winning_evidence": WON,
    "losing_evidence": LOST,
    "escalate_inquiry_evidence": NEEDS_RESPONSE,
}
_TEXTS: Final = (
    *("access_activity_log", "billing_address", "cancellation_policy", "cancellation_policy_disclosure"),
    *("cancellation_rebuttal", "customer_communication", "customer_email_address", "customer_name"),
    *("customer_purchase_ip", "customer_signature", "duplicate_charge_documentation"),
    *("duplicate_charge_explanation", "duplicate_charge_id", "product_description", "receipt", "refund_policy"),
    *("refund_policy_disclosure", "refund_refusal_explanation", "service_date", "service_documentation"),
    *("shipping_address", "shipping_carrier", "shipping_date", "shipping_documentation"),
    *("shipping_tracking_number", "uncategorized_file", "uncategorized_text"),
)


def open_dispute(
    sandbox: Sandbox, charge: JsonObject, grievance: Grievance, *, amount: int | None = None
) -> JsonObject:
    """Dispute a charge; unless it is an inquiry its money and a fee are withdrawn, until the account wins."""
    if not charge["captured"] or charge["status"] != "succeeded":
        raise StripeError(f"Charge {charge['id']} has not been captured and cannot be disputed.")
    if amount is not None and not 0 < amount <= charge["amount_captured"]:
        raise StripeError("A dispute is about the charge's amount or a part of it.", param="amount")
    made = _blank(charge, grievance, amount or charge["amount_captured"], sandbox.now())
    sandbox.put(None, made, "charge.dispute.created")
    sandbox.put(charge, {**charge, "disputed": True, "_disputed_at": None}, "charge.updated")
    return made if grievance.is_inquiry else _withdraw(sandbox, made)


def _blank(charge: JsonObject, grievance: Grievance, amount: int, at: int) -> JsonObject:
    inquiry, reason_code = grievance.is_inquiry, grievance.network_reason_code
    details: JsonObject = charge["payment_method_details"] or {}
    card: JsonObject = details.get("card") or {}
    brand: str = card.get("brand", "visa")
    case = {"brand": brand, "case_type": "inquiry" if inquiry else "chargeback", "network": brand}
    return {
        "id": new_id("du"),
        "object": KIND,
        "amount": amount,
        "balance_transactions": [],
        "charge": charge["id"],
        "created": at,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {**dict.fromkeys(_TEXTS), "enhanced_evidence": {}},
        "evidence_details": {
            "due_by": at + _TO_ANSWER_S,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        "is_charge_refundable": inquiry,
        "livemode": False,
        "metadata": {},
        "network_reason_code": reason_code,
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {"card": {**case, "network_reason_code": reason_code}, "type": "card"},
        "reason": grievance.reason,
        "status": f"{INQUIRY}{NEEDS_RESPONSE}" if inquiry else NEEDS_RESPONSE,
        "_ends_as": INQUIRY_CLOSED if inquiry else LOST,
        "_ends_at": at + _TO_ANSWER_S,
    }


def is_inquiry(dispute: JsonObject) -> bool:
    return dispute["status"].startswith(INQUIRY)


def is_over(dispute: JsonObject) -> bool:
    return dispute["status"] in (WON, LOST, INQUIRY_CLOSED)


def _withdraw(sandbox: Sandbox, dispute: JsonObject) -> JsonObject:
    moved = [*dispute["balance_transactions"], _movement(dispute, -1, sandbox.now())]
    return sandbox.put(dispute, {**dispute, "balance_transactions": moved}, "charge.dispute.funds_withdrawn")


def _movement(dispute: JsonObject, sign: int, at: int) -> JsonObject:
    """Return the balance transaction by which money and fee are taken (-1) or given back (1)."""
    amount: int = sign * dispute["amount"]
    fee = -sign * _FEE
    words = "Chargeback reversal" if sign > 0 else "Chargeback withdrawal"
    return {
        "id": new_id("txn"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": at,
        "balance_type": "payments",
        "created": at,
        "currency": dispute["currency"],
        "description": f"{words} for {dispute['charge']}",
        "exchange_rate": None,
        "fee": fee,
        "fee_details": [
            {
                "amount": fee,
                "application": None,
                "currency": dispute["currency"],
                "description": "Dispute fee",
                "type": "stripe_fee",
            }
        ],
        "net": amount - fee,
        "reporting_category": "dispute_reversal" if sign > 0 else "dispute",
        "source": dispute["id"],
        "status": "available",
        "type": "adjustment",
    }


def decide(sandbox: Sandbox, dispute: JsonObject, outcome: str) -> JsonObject:
    """Close a dispute as won or lost, an inquiry as closed; or let an inquiry become a dispute (`needs_response`)."""
    if is_over(dispute):
        raise StripeError(f"This dispute is already closed: its status is `{dispute['status']}`.")
    if outcome == NEEDS_RESPONSE:
        return _escalate(sandbox, dispute)
    status = INQUIRY_CLOSED if is_inquiry(dispute) else outcome
    closed = {**dispute, "status": status, "is_charge_refundable": False, "_ends_as": None, "_ends_at": None}
    if status == WON:
        moved = [*dispute["balance_transactions"], _movement(dispute, 1, sandbox.now())]
        closed["balance_transactions"] = moved
        return sandbox.put(dispute, closed, "charge.dispute.funds_reinstated", "charge.dispute.closed")
    return sandbox.put(dispute, closed, "charge.dispute.closed")


def _escalate(sandbox: Sandbox, dispute: JsonObject) -> JsonObject:
    if not is_inquiry(dispute):
        raise StripeError("Only an inquiry can be escalated.")
    details: JsonObject = dispute["payment_method_details"]
    due_by = sandbox.now() + _TO_ANSWER_S
    escalated = {
        **dispute,
        "evidence_details": {**dispute["evidence_details"], "due_by": due_by},
        "is_charge_refundable": False,
        "payment_method_details": {**details, "card": {**details["card"], "case_type": "chargeback"}},
        "status": NEEDS_RESPONSE,
        "_ends_as": LOST,
        "_ends_at": due_by,
    }
    return _withdraw(sandbox, sandbox.put(dispute, escalated, "charge.dispute.updated"))


def end_in_time(sandbox: Sandbox, dispute: JsonObject) -> None:
    """Decide by the evidence given, or against an account that gave none in time."""
    decide(sandbox, dispute, dispute["_ends_as"])


def close_inquiries(sandbox: Sandbox, charge: JsonObject) -> None:
    """End the inquiries into a charge that has been refunded whole."""
    for dispute in sandbox.store.having(KIND, "charge", charge["id"]):
        if is_inquiry(dispute) and not is_over(dispute):
            decide(sandbox, dispute, INQUIRY_CLOSED)


def open_of_card(sandbox: Sandbox, charge: JsonObject) -> None:
    if grievance := card_of_charge(charge).disputed_as:
        open_dispute(sandbox, charge, grievance)


def update(sandbox: Sandbox, call: Call) -> JsonObject:
    """Keep evidence and, unless `submit` is false, hand it in.

    The bank decides seconds later by Stripe's words for tests in `uncategorized_text`, else when the control says.
    """
    dispute = sandbox.store.get(KIND, call.id)
    evidence = fields(**dict.fromkeys(_TEXTS, text))
    params = read(call.form, {"evidence": evidence, "metadata": metadata, "submit": boolean})
    changed = {**dispute, "metadata": merge_metadata(dispute["metadata"], params.get("metadata", {}))}
    if given := params.get("evidence"):
        if is_over(dispute):
            raise StripeError(f"This dispute is already closed: its status is `{dispute['status']}`.")
        changed["evidence"] = {**dispute["evidence"], **given}
        changed["evidence_details"] = {**dispute["evidence_details"], "has_evidence": True}
    if params.get("submit", given is not None) and not is_over(dispute):
        changed = _submitted(changed, call.at)
    return dispute if changed == dispute else sandbox.put(dispute, changed, "charge.dispute.updated")


def _submitted(dispute: JsonObject, at: int) -> JsonObject:
    details = dispute["evidence_details"]
    outcome = _DECISIVE.get(dispute["evidence"]["uncategorized_text"] or "")
    counted = {"submission_count": details["submission_count"] + 1, "submission_method": "manual"}
    return {
        **dispute,
        "evidence_details": {**details, **counted},
        "status": f"{INQUIRY}{UNDER_REVIEW}" if is_inquiry(dispute) else UNDER_REVIEW,
        "_ends_as": outcome,
        "_ends_at": at + _TO_DECIDE_S if outcome else None,
    }


def close(sandbox: Sandbox, call: Call) -> JsonObject:
    """Give in: a dispute that needs a response is lost."""
    dispute = sandbox.store.get(KIND, call.id)
    read(call.form, {})
    return decide(sandbox, dispute, LOST)


def list_all(sandbox: Sandbox, call: Call) -> JsonObject:
    readers: dict[str, Reader] = {"charge": text, "payment_intent": text}
    return list_page(
        sandbox, call, KIND, readers, lambda params, dispute: keep_equal(params, dispute, "charge", "payment_intent")
    )
