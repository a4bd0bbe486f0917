"""The controls of what others do about money: refunds that settle or fail, disputes, authentication."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final, Literal

import msgspec
from starlette.requests import Request

from app.sandbox.stripe import disputes, payment_intents, refunds
from app.sandbox.stripe.bodies import decode
from app.sandbox.stripe.cards import Grievance
from app.sandbox.stripe.errors import StripeError
from app.sandbox.stripe.payments import INTENT
from app.sandbox.stripe.render import render
from app.sandbox.stripe.sandbox import Sandbox
from app.sandbox.stripe.test_clocks import time_of
from app.sandbox.stripe.wire import JsonObject

_REASON_CODE: Final = "10.4"
_OVER: Final = (refunds.FAILED, refunds.CANCELED)


class Settlement(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """What becomes of a refund, and why it failed if it did (Stripe's `failure_reason`)."""

    status: Literal["failed", "pending", "requires_action", "succeeded"]
    failure_reason: str | None = None


class Authentication(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether a customer allows the payment that they are asked for."""

    outcome: Literal["succeeded", "failed"]


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


@contextmanager
def _now_for(sandbox: Sandbox, obj: JsonObject) -> Generator[None]:
    """Let what is done within happen at one instant, by the object's clock."""
    with sandbox.clock.held(sandbox.clock.own()), sandbox.clock.apart(time_of(sandbox, obj)):
        yield


def settle_refund(sandbox: Sandbox, request: Request, body: bytes) -> JsonObject:
    wanted = decode(body, Settlement)
    refund = sandbox.store.get(refunds.KIND, request.path_params["id"])
    if refund["status"] in _OVER:
        raise StripeError(f"This refund is over: its status is `{refund['status']}`.")
    with _now_for(sandbox, refund):
        changed = refunds.become(sandbox, refund, wanted.status, failure_reason=wanted.failure_reason)
    return _shown(sandbox, changed)


def authenticate(sandbox: Sandbox, request: Request, body: bytes) -> JsonObject:
    wanted = decode(body, Authentication)
    intent = sandbox.store.get(INTENT, request.path_params["id"])
    with _now_for(sandbox, intent):
        return _shown(sandbox, payment_intents.authenticate(sandbox, intent, is_allowed=wanted.outcome == "succeeded"))


def dispute_charge(sandbox: Sandbox, request: Request, body: bytes) -> JsonObject:
    wanted = decode(body, Complaint)
    charge = sandbox.store.get("charge", request.path_params["id"])
    grievance = Grievance(wanted.reason, _REASON_CODE, is_inquiry=wanted.outcome == "warning")
    with _now_for(sandbox, charge):
        made = disputes.open_dispute(sandbox, charge, grievance, amount=wanted.amount)
        if wanted.outcome in (disputes.WON, disputes.LOST):
            made = disputes.decide(sandbox, made, wanted.outcome)
    return _shown(sandbox, made)


def decide_dispute(sandbox: Sandbox, request: Request, body: bytes) -> JsonObject:
    wanted = decode(body, Decision).outcome
    dispute = sandbox.store.get(disputes.KIND, request.path_params["id"])
    if (wanted == disputes.INQUIRY_CLOSED) != (disputes.is_inquiry(dispute) and wanted != "escalated"):
        raise StripeError("A dispute is won or lost, an inquiry is closed or escalated.", param="outcome")
    with _now_for(sandbox, dispute):
        outcome = disputes.NEEDS_RESPONSE if wanted == "escalated" else wanted
        return _shown(sandbox, disputes.decide(sandbox, dispute, outcome))


def _shown(sandbox: Sandbox, obj: JsonObject) -> JsonObject:
    return render(obj, sandbox.config.api_version, sandbox.store)
