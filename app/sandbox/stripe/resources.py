"""What all resources share: applying parameters to an object, retrieving and listing."""

from collections.abc import Callable, Mapping

from app.sandbox.stripe.forms import Reader, read
from app.sandbox.stripe.sandbox import Call, Sandbox
from app.sandbox.stripe.store import PAGE_READERS, page
from app.sandbox.stripe.wire import JsonObject

Operation = Callable[[Sandbox, Call], JsonObject]


def with_changes(obj: JsonObject, changes: JsonObject) -> JsonObject:
    """Return `obj` with fields replaced and metadata merged (an empty value unsets its key, None unsets all)."""
    changed = {**obj, **changes}
    if "metadata" in changes:
        changed["metadata"] = merge_metadata(obj["metadata"], changes["metadata"])
    return changed


def merge_metadata(current: dict[str, str], change: dict[str, str] | None) -> dict[str, str]:
    if change is None:
        return {}
    return {key: value for key, value in {**current, **change}.items() if value}


def retrieve(kind: str) -> Operation:
    def answer(sandbox: Sandbox, call: Call) -> JsonObject:
        read(call.form, {})
        return sandbox.store.get(kind, call.id)

    return answer


def list_page(
    sandbox: Sandbox,
    call: Call,
    kind: str,
    readers: Mapping[str, Reader],
    keep: Callable[[JsonObject, JsonObject], bool],
) -> JsonObject:
    """Return the page of a kind's objects that `keep(params, obj)` holds for."""
    params = read(call.form, {**PAGE_READERS, **readers})
    return page(sandbox.store.all(kind), params, f"/v1/{kind}s", lambda obj: keep(params, obj))


def keep_equal(params: JsonObject, obj: JsonObject, *names: str) -> bool:
    """Say whether `obj` has the values of those of the parameters `names` that were given."""
    return all(params.get(name) in (None, obj[name]) for name in names)
