"""Checkout sessions in the sandbox, and a person at their pages."""

from typing import Any
from urllib.parse import urlsplit

import httpx
from sandbox.stripe_account import Account

SUCCESS = "https://shop.test/done?session={CHECKOUT_SESSION_ID}"
CANCEL = "https://shop.test/cart"
EMAIL = "ann@example.com"


async def one_time_price(account: Account, amount: int = 5000, currency: str = "usd") -> str:
    """Return the id of a price that is paid once."""
    product = (await account.post("/v1/products", {"name": "Credits"}))["id"]
    form = {"currency": currency, "unit_amount": amount, "product": product}
    return (await account.post("/v1/prices", form))["id"]


async def open_session(account: Account, form: dict[str, Any] | None = None, *, mode: str = "payment") -> Any:
    """Return a new session of one line, or in setup mode of none."""
    wanted = {"mode": mode, "success_url": SUCCESS, "cancel_url": CANCEL, **(form or {})}
    if mode == "setup":
        return await account.post("/v1/checkout/sessions", wanted)
    wanted = {"line_items[0][quantity]": 1, **wanted}
    if "line_items[0][price]" not in wanted and "line_items[0][price_data][currency]" not in wanted:
        price = await one_time_price(account) if mode == "payment" else (await account.price())["id"]
        wanted["line_items[0][price]"] = price
    return await account.post("/v1/checkout/sessions", wanted)


async def submit(account: Account, session: dict[str, Any], means: str = "visa", **fields: str) -> httpx.Response:
    """Choose what to pay with and press the button, as a browser without an API key does."""
    sent = {"means": means, "email": EMAIL, "name": "Ann", **fields}
    return await account.http.post(_path(session), data=sent, headers={"Authorization": ""})


async def answer_bank(account: Account, session: dict[str, Any], *, allow: bool) -> httpx.Response:
    sent = {"do": "complete" if allow else "fail"}
    return await account.http.post(f"{_path(session)}/authenticate", data=sent)


async def look(account: Account, session: dict[str, Any], more: str = "") -> httpx.Response:
    return await account.http.get(_path(session) + more)


async def current(account: Account, session: dict[str, Any]) -> Any:
    return await account.get(f"/v1/checkout/sessions/{session['id']}")


async def types_since(account: Account, before: list[str]) -> list[str]:
    """Return the types of the events since there were those of `before`, oldest first."""
    return (await account.event_types())[len(before) :]


def _path(session: dict[str, Any]) -> str:
    return urlsplit(session["url"]).path
