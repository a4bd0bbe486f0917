"""The controls of what happens to money by others' doing: refunds that fail or settle, and disputes."""

from typing import Final, Literal

import msgspec
from starlette.requests import Request

from app.sandbox.stripe import disputes, refunds
from app.sandbox.stripe.bodies import decode
from app.sandbox.stripe.cards import Grievance
from app.sandbox.stripe.errors import StripeError
from app.sandbox.stripe.render import render
from app.sandbox.stripe.sandbox import Sandbox
from app.sandbox.stripe.wire import JsonObject

_REASON_CODE: Final = "10.4"
_OVER: Final = (refunds.FAILED, refunds.CANCELED)


class Settlement(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """What becomes of a refund, and why it failed if it did (Stripe's `failure_reason`)."""

    status: Literal["failed", "pending", "requires_action", "succeeded"]
    failure_reason: str | None = None


class Complaint(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """What a charge's customer complains of; `amount` is the charge's by default.

    `outcome` ends it at once; `warning` is an inquiry, which takes no money and stays open, as does no outcome at all.
    """

    reason: str = "fraudulent"
    amount: int | None = None
    outcome: Literal["won", "lost", "warning"] | None = None


class Decision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a dispute ends; `escalated` makes a dispute of an inquiry."""

    outcome: Literal["won", "lost", "warning_closed", "escalated"]


def settle_refund(sandbox: Sandbox, request: Request, body: bytes) -> JsonObject:
    wanted = decode(body, Settlement)
    refund = sandbox.store.get(refunds.KIND, request.path_params["id"])
    if refund["status"] in _OVER:
        raise StripeError(f"This refund is over: its status is `{refund['status']}`.")
    with sandbox.clock.held():
        changed = refunds.become(sandbox, refund, wanted.status, failure_reason=wanted.failure_reason)
    return _shown(sandbox, changed)


def dispute_charge(sandbox: Sandbox, request: Request, body: bytes) -> JsonObject:
    wanted = decode(body, Complaint)
    charge = sandbox.store.get("charge", request.path_params["id"])
    grievance = Grievance(wanted.reason, _REASON_CODE, is_inquiry=wanted.outcome == "warning")
    with sandbox.clock.held():
        made = disputes.open_dispute(sandbox, charge, grievance, amount=wanted.amount)
        if wanted.outcome in (disputes.WON, disputes.LOST):
            made = disputes.decide(sandbox, made, wanted.outcome)
    return _shown(sandbox, made)


def decide_dispute(sandbox: Sandbox, request: Request, body: bytes) -> JsonObject:
    wanted = decode(body, Decision).outcome
    dispute = sandbox.store.get(disputes.KIND, request.path_params["id"])
    if (wanted == disputes.INQUIRY_CLOSED) != (disputes.is_inquiry(dispute) and wanted != "escalated"):
        raise StripeError("A dispute is won or lost, an inquiry is closed or escalated.", param="outcome")
    with sandbox.clock.held():
        outcome = disputes.NEEDS_RESPONSE if wanted == "escalated" else wanted
        return _shown(sandbox, disputes.decide(sandbox, dispute, outcome))


def _shown(sandbox: Sandbox, obj: JsonObject) -> JsonObject:
    return render(obj, sandbox.config.api_version, sandbox.store)
