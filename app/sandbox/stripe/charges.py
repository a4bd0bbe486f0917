"""The operations of /v1/charges, which payment intents make."""

from app.sandbox.stripe.forms import Reader, metadata, read, text
from app.sandbox.stripe.resources import keep_equal, list_page, with_changes
from app.sandbox.stripe.sandbox import Call, Sandbox
from app.sandbox.stripe.wire import JsonObject

KIND = "charge"


def update(sandbox: Sandbox, call: Call) -> JsonObject:
    charge = sandbox.store.get(KIND, call.id)
    readers: dict[str, Reader] = {"description": text, "metadata": metadata, "receipt_email": text}
    return sandbox.save(charge, with_changes(charge, read(call.form, readers)))


def list_all(sandbox: Sandbox, call: Call) -> JsonObject:
    readers: dict[str, Reader] = {"customer": text, "payment_intent": text}
    return list_page(
        sandbox, call, KIND, readers, lambda params, made: keep_equal(params, made, "customer", "payment_intent")
    )
