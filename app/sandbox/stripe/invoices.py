"""The operations of /v1/invoices."""

from app.sandbox.stripe import invoicing, payments
from app.sandbox.stripe.collection import collect, follow
from app.sandbox.stripe.errors import StripeError
from app.sandbox.stripe.forms import Reader, boolean, one_of, read, text
from app.sandbox.stripe.invoicing import DRAFT_S
from app.sandbox.stripe.payment_methods import KIND, resolve
from app.sandbox.stripe.resources import keep_equal, list_page
from app.sandbox.stripe.sandbox import Call, Sandbox
from app.sandbox.stripe.store import PAGE_READERS, page
from app.sandbox.stripe.wire import JsonObject

_STATUSES = ("draft", "open", "paid", "uncollectible", "void")
_PAYABLE = ("open", "uncollectible")


def list_all(sandbox: Sandbox, call: Call) -> JsonObject:
    readers: dict[str, Reader] = {
        "collection_method": one_of("charge_automatically", "send_invoice"),
        "customer": text,
        "status": one_of(*_STATUSES),
        "subscription": text,
    }

    def keep(params: JsonObject, invoice: JsonObject) -> bool:
        wanted = params.get("subscription")
        return keep_equal(params, invoice, "collection_method", "customer", "status") and (
            wanted is None or invoice["parent"]["subscription_details"]["subscription"] == wanted
        )

    return list_page(sandbox, call, "invoice", readers, keep)


def list_lines(sandbox: Sandbox, call: Call) -> JsonObject:
    invoice = sandbox.store.get("invoice", call.id)
    return page(invoice["lines"]["data"], read(call.form, PAGE_READERS), _lines_url(call.id), lambda _: True)


def _lines_url(id: str) -> str:
    return f"/v1/invoices/{id}/lines"


def list_items(sandbox: Sandbox, call: Call) -> JsonObject:
    """List invoice items, such as prorations; with `pending=true` those that no invoice has taken."""

    def keep(params: JsonObject, item: JsonObject) -> bool:
        pending = params.get("pending")
        is_pending = item["invoice"] is None
        return keep_equal(params, item, "customer", "invoice") and pending in (None, is_pending)

    return list_page(sandbox, call, "invoiceitem", {"customer": text, "invoice": text, "pending": boolean}, keep)


def finalize(sandbox: Sandbox, call: Call) -> JsonObject:
    """Finalize a draft; with `auto_advance` it is charged an hour later."""
    invoice = sandbox.store.get("invoice", call.id)
    params = read(call.form, {"auto_advance": boolean})
    if invoice["status"] != "draft":
        raise StripeError("This invoice is already finalized, you can't re-finalize a non-draft invoice.")
    goes_on: bool = params.get("auto_advance", invoice["auto_advance"])
    finalized = invoicing.finalize(sandbox, {**invoice, "auto_advance": goes_on})
    if finalized["status"] == "paid":
        follow(sandbox, finalized)
    elif goes_on and invoicing.is_automatic(finalized):
        finalized = sandbox.save(finalized, {**finalized, "next_payment_attempt": call.at + DRAFT_S})
    return finalized


def pay(sandbox: Sandbox, call: Call) -> JsonObject:
    """Charge an invoice now, to its default or to `payment_method`; a draft is finalized first."""
    invoice = sandbox.store.get("invoice", call.id)
    readers: dict[str, Reader] = {"forgive": boolean, "off_session": boolean}
    params = read(call.form, {**readers, "paid_out_of_band": boolean, "payment_method": text})
    if invoice["status"] == "paid":
        raise StripeError("Invoice is already paid", code="invoice_already_paid")
    if invoice["status"] == "draft":
        invoice = invoicing.finalize(sandbox, invoice)
    if invoice["status"] in _PAYABLE:
        _pay(sandbox, invoice, params)
    elif invoice["status"] == "paid":
        follow(sandbox, invoice)
    else:
        raise StripeError("This invoice can no longer be paid because it is void.", code="invoice_not_payable")
    return sandbox.store.get("invoice", call.id)


def _pay(sandbox: Sandbox, invoice: JsonObject, params: JsonObject) -> None:
    if params.get("paid_out_of_band"):
        payments.withdraw(sandbox, invoice, "void_invoice")
        follow(sandbox, invoicing.mark_paid(sandbox, invoice, off_stripe=True))
        return
    method: JsonObject | None = None
    if given := params.get("payment_method"):
        method = sandbox.store.get(KIND, resolve(sandbox, given, invoice["customer"], "payment_method"))
    if decline := collect(sandbox, invoice, method=method, manual=True):
        raise decline.to_error("invoice")


def void(sandbox: Sandbox, call: Call) -> JsonObject:
    invoice = _open_invoice(sandbox, call, *_PAYABLE)
    voided = invoicing.void(sandbox, invoice)
    follow(sandbox, voided)
    return voided


def mark_uncollectible(sandbox: Sandbox, call: Call) -> JsonObject:
    invoice = _open_invoice(sandbox, call, "open")
    given_up = invoicing.mark_uncollectible(sandbox, invoice)
    follow(sandbox, given_up)
    return given_up


def _open_invoice(sandbox: Sandbox, call: Call, *allowed: str) -> JsonObject:
    invoice = sandbox.store.get("invoice", call.id)
    read(call.form, {})
    if invoice["status"] not in allowed:
        raise StripeError(f"You can only do this to an invoice that is open; this one is {invoice['status']}.")
    return invoice
