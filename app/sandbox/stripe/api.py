"""The API's routes, and what every request goes through: key, faults, parameters, idempotency, shape, expansion."""

import asyncio
import base64
import binascii
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.sandbox.stripe import (
    captures,
    charges,
    checkout_sessions,
    coupons,
    customers,
    disputes,
    entitlements,
    events,
    invoice_previews,
    invoices,
    meter_events,
    meters,
    payment_intents,
    payment_methods,
    payments,
    portal_configurations,
    portal_sessions,
    prices,
    products,
    promotion_codes,
    redemptions,
    refunds,
    schedules,
    setup_intents,
    subscription_items,
    subscriptions,
    test_clocks,
    webhook_endpoints,
)
from app.sandbox.stripe.entitling import ACTIVE, FEATURE
from app.sandbox.stripe.errors import StripeError
from app.sandbox.stripe.forms import decode_form, list_of, text
from app.sandbox.stripe.idempotency import Answer, Answers
from app.sandbox.stripe.life import run_due
from app.sandbox.stripe.render import expand, render
from app.sandbox.stripe.resources import Operation, retrieve
from app.sandbox.stripe.sandbox import Call, Sandbox
from app.sandbox.stripe.test_clocks import time_of_request
from app.sandbox.stripe.wire import encode, new_id

_OPERATIONS: tuple[tuple[str, str, Operation], ...] = (
    ("POST", "/v1/customers", customers.create),
    ("GET", "/v1/customers", customers.list_all),
    ("GET", "/v1/customers/{id}", retrieve("customer")),
    ("POST", "/v1/customers/{id}", customers.update),
    ("DELETE", "/v1/customers/{id}", customers.delete),
    ("DELETE", "/v1/customers/{id}/discount", redemptions.delete_of_customer),
    ("GET", "/v1/customers/{id}/payment_methods", payment_methods.list_of_customer),
    ("POST", "/v1/payment_methods", payment_methods.create),
    ("GET", "/v1/payment_methods", payment_methods.list_all),
    ("GET", "/v1/payment_methods/{id}", retrieve("payment_method")),
    ("POST", "/v1/payment_methods/{id}", payment_methods.update),
    ("POST", "/v1/payment_methods/{id}/attach", payment_methods.attach),
    ("POST", "/v1/payment_methods/{id}/detach", payment_methods.detach),
    ("POST", "/v1/products", products.create),
    ("GET", "/v1/products", products.list_all),
    ("GET", "/v1/products/{id}", retrieve("product")),
    ("POST", "/v1/products/{id}", products.update),
    ("DELETE", "/v1/products/{id}", products.delete),
    ("POST", "/v1/products/{id}/features", entitlements.attach),
    ("GET", "/v1/products/{id}/features", entitlements.list_attached),
    ("GET", "/v1/products/{parent}/features/{id}", entitlements.retrieve_attached),
    ("DELETE", "/v1/products/{parent}/features/{id}", entitlements.detach),
    ("GET", "/v1/entitlements/active_entitlements", entitlements.list_active),
    ("GET", "/v1/entitlements/active_entitlements/{id}", retrieve(ACTIVE)),
    ("POST", "/v1/entitlements/features", entitlements.create),
    ("GET", "/v1/entitlements/features", entitlements.list_all),
    ("GET", "/v1/entitlements/features/{id}", retrieve(FEATURE)),
    ("POST", "/v1/entitlements/features/{id}", entitlements.update),
    ("POST", "/v1/prices", prices.create),
    ("GET", "/v1/prices", prices.list_all),
    ("GET", "/v1/prices/{id}", retrieve("price")),
    ("POST", "/v1/prices/{id}", prices.update),
    ("POST", "/v1/subscriptions", subscriptions.create),
    ("GET", "/v1/subscriptions", subscriptions.list_all),
    ("GET", "/v1/subscriptions/{id}", retrieve("subscription")),
    ("POST", "/v1/subscriptions/{id}", subscriptions.update),
    ("DELETE", "/v1/subscriptions/{id}", subscriptions.cancel),
    ("DELETE", "/v1/subscriptions/{id}/discount", redemptions.delete_of_subscription),
    ("POST", "/v1/subscriptions/{id}/pause", subscriptions.pause),
    ("POST", "/v1/subscriptions/{id}/resume", subscriptions.resume),
    ("GET", "/v1/subscription_items", subscription_items.list_all),
    ("POST", "/v1/coupons", coupons.create),
    ("GET", "/v1/coupons", coupons.list_all),
    ("GET", "/v1/coupons/{id}", coupons.retrieve),
    ("POST", "/v1/coupons/{id}", coupons.update),
    ("DELETE", "/v1/coupons/{id}", coupons.delete),
    ("POST", "/v1/promotion_codes", promotion_codes.create),
    ("GET", "/v1/promotion_codes", promotion_codes.list_all),
    ("GET", "/v1/promotion_codes/{id}", retrieve(promotion_codes.KIND)),
    ("POST", "/v1/promotion_codes/{id}", promotion_codes.update),
    ("POST", "/v1/billing/meters", meters.create),
    ("GET", "/v1/billing/meters", meters.list_all),
    ("GET", "/v1/billing/meters/{id}", retrieve(meters.KIND)),
    ("POST", "/v1/billing/meters/{id}", meters.update),
    ("POST", "/v1/billing/meters/{id}/deactivate", meters.deactivate),
    ("POST", "/v1/billing/meters/{id}/reactivate", meters.reactivate),
    ("GET", "/v1/billing/meters/{id}/event_summaries", meter_events.list_summaries),
    ("POST", "/v1/billing/meter_events", meter_events.create),
    ("POST", "/v1/billing/meter_event_adjustments", meter_events.adjust),
    ("POST", "/v1/subscription_schedules", schedules.create),
    ("GET", "/v1/subscription_schedules", schedules.list_all),
    ("GET", "/v1/subscription_schedules/{id}", retrieve(schedules.KIND)),
    ("POST", "/v1/subscription_schedules/{id}", schedules.update),
    ("POST", "/v1/subscription_schedules/{id}/release", schedules.release),
    ("POST", "/v1/subscription_schedules/{id}/cancel", schedules.cancel),
    ("POST", "/v1/test_helpers/test_clocks", test_clocks.create),
    ("GET", "/v1/test_helpers/test_clocks", test_clocks.list_all),
    ("GET", "/v1/test_helpers/test_clocks/{id}", retrieve(test_clocks.KIND)),
    ("POST", "/v1/test_helpers/test_clocks/{id}/advance", test_clocks.advance),
    ("DELETE", "/v1/test_helpers/test_clocks/{id}", test_clocks.delete),
    ("POST", "/v1/billing_portal/configurations", portal_configurations.create),
    ("GET", "/v1/billing_portal/configurations", portal_configurations.list_all),
    ("GET", "/v1/billing_portal/configurations/{id}", retrieve(portal_configurations.KIND)),
    ("POST", "/v1/billing_portal/configurations/{id}", portal_configurations.update),
    ("POST", "/v1/billing_portal/sessions", portal_sessions.create),
    ("POST", "/v1/checkout/sessions", checkout_sessions.create),
    ("GET", "/v1/checkout/sessions", checkout_sessions.list_all),
    ("GET", "/v1/checkout/sessions/{id}", retrieve(checkout_sessions.KIND)),
    ("POST", "/v1/checkout/sessions/{id}", checkout_sessions.update),
    ("POST", "/v1/checkout/sessions/{id}/expire", checkout_sessions.expire),
    ("GET", "/v1/checkout/sessions/{id}/line_items", checkout_sessions.list_lines),
    ("POST", "/v1/webhook_endpoints", webhook_endpoints.create),
    ("GET", "/v1/webhook_endpoints", webhook_endpoints.list_all),
    ("GET", "/v1/webhook_endpoints/{id}", retrieve(webhook_endpoints.KIND)),
    ("POST", "/v1/webhook_endpoints/{id}", webhook_endpoints.update),
    ("DELETE", "/v1/webhook_endpoints/{id}", webhook_endpoints.delete),
    ("GET", "/v1/invoices", invoices.list_all),
    ("POST", "/v1/invoices/create_preview", invoice_previews.create),
    ("GET", "/v1/invoices/upcoming", invoice_previews.retrieve_upcoming),
    ("GET", "/v1/invoices/upcoming/lines", invoice_previews.list_upcoming_lines),
    ("GET", "/v1/invoices/{id}", retrieve("invoice")),
    ("GET", "/v1/invoices/{id}/lines", invoices.list_lines),
    ("POST", "/v1/invoices/{id}/finalize", invoices.finalize),
    ("POST", "/v1/invoices/{id}/mark_uncollectible", invoices.mark_uncollectible),
    ("POST", "/v1/invoices/{id}/pay", invoices.pay),
    ("POST", "/v1/invoices/{id}/void", invoices.void),
    ("GET", "/v1/invoiceitems", invoices.list_items),
    ("GET", "/v1/invoiceitems/{id}", retrieve("invoiceitem")),
    ("GET", "/v1/invoice_payments", payments.list_invoice_payments),
    ("GET", "/v1/invoice_payments/{id}", retrieve("invoice_payment")),
    ("GET", "/v1/payment_intents", payments.list_intents),
    ("POST", "/v1/payment_intents", payment_intents.create),
    ("GET", "/v1/payment_intents/{id}", retrieve(payments.INTENT)),
    ("POST", "/v1/payment_intents/{id}", payment_intents.update),
    ("POST", "/v1/payment_intents/{id}/cancel", payment_intents.cancel),
    ("POST", "/v1/payment_intents/{id}/capture", captures.capture),
    ("POST", "/v1/payment_intents/{id}/confirm", payment_intents.confirm),
    ("GET", "/v1/setup_intents", setup_intents.list_all),
    ("GET", "/v1/setup_intents/{id}", retrieve(setup_intents.KIND)),
    ("GET", "/v1/charges", charges.list_all),
    ("GET", "/v1/charges/{id}", retrieve(charges.KIND)),
    ("POST", "/v1/charges/{id}", charges.update),
    ("POST", "/v1/refunds", refunds.create),
    ("GET", "/v1/refunds", refunds.list_all),
    ("GET", "/v1/refunds/{id}", retrieve(refunds.KIND)),
    ("POST", "/v1/refunds/{id}", refunds.update),
    ("POST", "/v1/refunds/{id}/cancel", refunds.cancel),
    ("GET", "/v1/disputes", disputes.list_all),
    ("GET", "/v1/disputes/{id}", retrieve(disputes.KIND)),
    ("POST", "/v1/disputes/{id}", disputes.update),
    ("POST", "/v1/disputes/{id}/close", disputes.close),
    ("GET", "/v1/events", events.list_all),
    ("GET", "/v1/events/{id}", events.retrieve),
    ("GET", "/v2/core/events/{id}", events.retrieve_thin),
)


def routes(sandbox: Sandbox) -> list[Route]:
    answers = Answers()
    known = [
        Route(path, _endpoint(sandbox, answers, operation), methods=[method]) for method, path, operation in _OPERATIONS
    ]
    unknown = _endpoint(sandbox, answers, None)
    every = ["GET", "POST", "DELETE", "PUT", "PATCH"]
    return [*known, *(Route(f"/{version}/{{rest:path}}", unknown, methods=every) for version in ("v1", "v2"))]


def _endpoint(
    sandbox: Sandbox, answers: Answers, operation: Operation | None
) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        headers = {"Request-Id": new_id("req", 14), "Stripe-Version": _version(sandbox, request)}
        try:
            body = await _answer(sandbox, answers, operation, request, headers)
        except StripeError as error:
            return Response(encode(error.to_body()), error.status, headers | error.to_headers(), "application/json")
        return Response(body, 200, headers, "application/json")

    return answer


async def _answer(
    sandbox: Sandbox, answers: Answers, operation: Operation | None, request: Request, headers: dict[str, str]
) -> bytes:
    """Return the body; `headers`, which holds the request's id and version, gets what a replayed answer adds."""
    method, path = request.method, request.url.path
    _check_key(request.headers.get("authorization", ""))
    fault = sandbox.faults.take(method, path)
    if fault and fault.kind == "status":
        raise fault.to_error()
    if fault and fault.kind == "delay":
        await asyncio.sleep(fault.delay_ms / 1000)
    if operation is None:
        raise StripeError(f"Unrecognized request URL ({method}: {path}).", status=404)

    sent = (await request.body()).decode()
    key = request.headers.get("idempotency-key") if method == "POST" else None
    signature = f"{method} {path}?{sent}"
    if key and (kept := answers.find(key, signature)):
        headers |= {"Idempotent-Replayed": "true", "Original-Request": kept.request_id, "Idempotency-Key": key}
        return kept.body
    form = decode_form("&".join(part for part in (request.url.query, sent) if part))
    run_due(sandbox, sandbox.now())
    ids = {name: request.path_params.get(name, "") for name in ("id", "parent")}
    ids |= {"base_url": str(request.base_url).rstrip("/"), "version": headers["Stripe-Version"]}
    at = time_of_request(sandbox, ids["id"], form)
    call = Call(**ids, form=form, at=at, request_id=headers["Request-Id"], idempotency_key=key)
    body = _perform(sandbox, operation, call, headers["Stripe-Version"])
    if key:
        answers.keep(key, Answer(signature, call.request_id, body))

    if fault and fault.kind == "slow_read":
        await asyncio.sleep(fault.delay_ms / 1000)
    return body


def _perform(sandbox: Sandbox, operation: Operation, call: Call, version: str) -> bytes:
    expansions = list_of(text)("expand", call.form.pop("expand", ""))
    with sandbox.answering(call):
        rendered = render(operation(sandbox, call), version, sandbox.store)
    expand(rendered, expansions, version, sandbox.store)
    return encode(rendered)


def _version(sandbox: Sandbox, request: Request) -> str:
    return request.headers.get("stripe-version") or sandbox.config.api_version


def _check_key(authorization: str) -> None:
    """Take any key, as Bearer token or as Basic user name, but not none."""
    scheme, _, credentials = authorization.partition(" ")
    match scheme.lower():
        case "bearer":
            key = credentials
        case "basic":
            key = _decode_basic(credentials).partition(":")[0]
        case _:
            key = ""
    if not key.strip():
        raise StripeError("You did not provide an API key.", status=401, code="invalid_api_key")


def _decode_basic(credentials: str) -> str:
    try:
        return base64.b64decode(credentials).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
