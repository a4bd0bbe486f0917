"""Form-encoded parameters: bracketed names into nested values, and readers that check them as Stripe does."""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

from app.sandbox.stripe.errors import StripeError, missing
from app.sandbox.stripe.wire import JsonObject

FormValue: TypeAlias = "str | Form"
Form: TypeAlias = dict[str, FormValue]
Reader: TypeAlias = Callable[[str, FormValue], Any]

_API_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(\.[a-z]+)?")


def decode_form(text: str) -> Form:
    """Nest `items[0][price]=x` as {"items": {"0": {"price": "x"}}}; `a[]=x` takes the next free index."""
    form: Form = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        first, *rest = name.split("[")
        target, key = form, first
        for part in rest:
            inner = target.setdefault(key, {})
            if isinstance(inner, str):
                raise StripeError(f"Invalid parameter: {name} is both a value and a hash.", param=first)
            target, key = inner, part.removesuffix("]") or str(len(inner))
        target[key] = value
    return form


def read(form: Form, readers: Mapping[str, Reader], *, required: tuple[str, ...] = ()) -> JsonObject:
    """Return the parameters that were given, checked; others than `readers` names are refused."""
    for name in required:
        if form.get(name, "") == "":
            raise missing(name)
    return _read_named("", form, readers)


def _read_named(prefix: str, form: Form, readers: Mapping[str, Reader]) -> JsonObject:
    values: JsonObject = {}
    for name, value in form.items():
        path = f"{prefix}[{name}]" if prefix else name
        if name not in readers:
            raise StripeError(f"Received unknown parameter: {path}", code="parameter_unknown", param=path)
        values[name] = readers[name](path, value)
    return values


def text(path: str, value: FormValue) -> str | None:
    """Read a string; the empty one unsets the field."""
    if not isinstance(value, str):
        raise StripeError(f"Invalid string: {path}", param=path)
    return value or None


def integer(path: str, value: FormValue) -> int | None:
    if value == "":
        return None
    try:
        return int(_plain(path, value))
    except ValueError:
        raise StripeError(f"Invalid integer: {value}", code="parameter_invalid_integer", param=path) from None


def boolean(path: str, value: FormValue) -> bool:
    if value not in ("true", "false"):
        raise StripeError(f"Invalid boolean: {value}", param=path)
    return value == "true"


def instant(path: str, value: FormValue) -> int | str | None:
    """Read epoch seconds or the word `now`."""
    return "now" if value == "now" else integer(path, value)


def positive(path: str, value: FormValue) -> int:
    number = integer(path, value)
    if number is None or number < 1:
        raise StripeError(f"Invalid {path}: must be at least 1.", code="parameter_invalid_integer", param=path)
    return number


def api_version(path: str, value: FormValue) -> str:
    if not isinstance(value, str) or not _API_VERSION.fullmatch(value):
        raise StripeError(f"Invalid API version: {value} (one is 2025-03-31.basil)", param=path)
    return value


def one_of(*words: str) -> Reader:
    def read_word(path: str, value: FormValue) -> str:
        if _plain(path, value) not in words:
            raise StripeError(f"Invalid {path}: must be one of {', '.join(words)}", param=path)
        return _plain(path, value)

    return read_word


def metadata(path: str, value: FormValue) -> dict[str, str] | None:
    """Read a change of metadata: an empty value unsets its key, an empty hash (None) unsets all."""
    if isinstance(value, str):
        if value:
            raise StripeError("Invalid hash", param=path)
        return None
    return {key: _plain(f"{path}[{key}]", inner) for key, inner in value.items()}


def list_of(reader: Reader) -> Reader:
    def read_list(path: str, value: FormValue) -> list[Any]:
        if value == "":
            return []
        if isinstance(value, str) or not all(key.isdecimal() for key in value):
            raise StripeError("Invalid array", param=path)
        return [reader(f"{path}[{key}]", value[key]) for key in sorted(value, key=int)]

    return read_list


def fields(**readers: Reader) -> Reader:
    """Read a hash of these fields; the empty string unsets it."""

    def read_fields(path: str, value: FormValue) -> JsonObject | None:
        if isinstance(value, str):
            if value:
                raise StripeError("Invalid object", param=path)
            return None
        return _read_named(path, value, readers)

    return read_fields


def _plain(path: str, value: FormValue) -> str:
    if not isinstance(value, str):
        raise StripeError(f"Invalid value: {path} takes no hash", param=path)
    return value
