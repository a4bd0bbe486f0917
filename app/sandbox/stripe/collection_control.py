"""The control of how payments are collected: retries, what follows the last, and whether a card is needed."""

from typing import Final

import msgspec
from starlette.requests import Request

from app.sandbox.stripe.bodies import decode
from app.sandbox.stripe.errors import StripeError
from app.sandbox.stripe.sandbox import Collection, Sandbox
from app.sandbox.stripe.wire import JsonObject

_MOST_RETRIES: Final = 8
_LONGEST_DAYS: Final = 60


def show(sandbox: Sandbox, _request: Request, _body: bytes) -> JsonObject:
    return msgspec.to_builtins(sandbox.collection)


def configure(sandbox: Sandbox, request: Request, body: bytes) -> JsonObject:
    """Collect by these rules from now on; what is left out falls back to its default."""
    collect_by(sandbox, decode(body, Collection))
    return show(sandbox, request, body)


def collect_by(sandbox: Sandbox, wanted: Collection) -> None:
    """Take the rules, or raise what is wrong with them."""
    if len(wanted.retry_days) > _MOST_RETRIES or not all(1 <= days <= _LONGEST_DAYS for days in wanted.retry_days):
        raise StripeError("Name up to 8 delays between retries, of 1 to 60 days each.", param="retryDays")
    sandbox.collection = wanted
