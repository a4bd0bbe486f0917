"""Stripe's API and webhook signatures, with the SDK as transport: raw JSON goes out."""

import asyncio
import builtins
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar
from urllib.parse import quote

import httpx
import msgspec
import orjson
import stripe

from app.domain.stripe_catalogue import StripeCatalogue, StripeFeature, StripePrice, StripeProduct
from app.domain.stripe_event import FetchedObject
from app.domain.stripe_object import ENTITLEMENTS, SYNCED_TYPES, customer_of_entitlements
from app.domain.stripe_setup import AccountAccess, CreatedEndpoint, WebhookEndpoint
from app.gateways.rates import LocalRates
from app.gateways.stripe_answers import (
    Attached,
    Endpoint,
    TooLargeError,
    id_of,
    json_array,
    json_object,
    read_as,
    read_bounded,
    read_page,
    to_endpoint,
)
from app.gateways.stripe_objects import (
    ACTIVE_ENTITLEMENTS,
    FEATURES,
    PAYMENTS,
    PRODUCT_FEATURES,
    RESOURCES,
    lacks_invoice,
)
from app.ports.stripe import (
    CursorGoneError,
    ListedPage,
    Listing,
    PermissionMissingError,
    ProcessorRefusedError,
    ProcessorUnavailableError,
    RateLimits,
)

S = TypeVar("S", bound=msgspec.Struct)

_ENDPOINTS: Final = "/v1/webhook_endpoints"
_PAGE: Final = 100
_MAX_PAGES: Final = 50
_MAX_ANSWER_BYTES: Final = 4 * 1024 * 1024
_MAX_PAGE_BYTES: Final = 32 * 1024 * 1024  # a page holds up to a hundred objects
_MESSAGE_LENGTH: Final = 300
_RETRIABLE: Final = frozenset({408, 409, 425, 429})
_PERMISSION: Final = re.compile(r"\brak_\w+")


class StripeProcessor:
    """Reads objects from Stripe's API within our own rate: in all, and per endpoint. Never retries: the worker does.

    Whoever has the same `rates` shares them; by default they are this processor's own. `transport` carries the
    requests, by default over the network.
    """

    def __init__(
        self,
        api_key: str,
        *,
        api_base: str = stripe.DEFAULT_API_BASE,
        timeout_s: float = 15,
        rate_per_s: float = 40,
        endpoint_rate_per_s: float = 10,
        rates: RateLimits | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.livemode = is_livemode(api_key)
        self.api_version = stripe.api_version
        self._timeout_s = timeout_s
        self._transport = _BoundedTransport(timeout_s, transport)
        self._client = stripe.StripeClient(
            api_key,
            http_client=self._transport,
            max_network_retries=0,
            base_addresses={"api": api_base, "files": api_base, "meter_events": api_base},
        )
        self._rates = rates or LocalRates()
        self._rate_per_s = rate_per_s
        self._endpoint_rate_per_s = endpoint_rate_per_s

    async def retrieve(self, type: str, id: str) -> FetchedObject:
        """Fetch one object with every page of the lists in it; active entitlements are made one of their list."""
        if type not in SYNCED_TYPES:
            raise ProcessorRefusedError(f"objects of type {type!r} are not fetched")
        try:
            if type == ENTITLEMENTS:
                return await self._entitlements(id)
            answer = await self._get(RESOURCES[type].path, id, **_expand(RESOURCES[type].expand))
        except _GoneError:
            return FetchedObject(id=id, type=type, raw="", api_version=None, gone=True)
        found = json_object(answer.data)
        if found.get("id") != id:
            raise ProcessorUnavailableError(f"asked for {id}, Stripe answered with something else")
        gone = found.get("deleted") is True
        raw = answer.body if gone else await self._whole(type, found, answer.body)
        return FetchedObject(id=id, type=type, raw=raw, api_version=answer.headers.get("stripe-version"), gone=gone)

    async def list_page(self, listing: Listing, *, after: str | None) -> ListedPage:
        """Read one page of a list, each object with every page of the lists in it."""
        resource = RESOURCES[listing.type]
        params = dict(listing.filters) | ({"starting_after": after} if after else {})
        expand = _expand(tuple(f"data.{field}" for field in resource.expand))
        try:
            answer = await self._get(resource.path, limit=_PAGE, **params, **expand)
        except _GoneError as error:
            raise (CursorGoneError if after else ProcessorRefusedError)(str(error)) from error
        page = read_page(answer.body)
        found = [json_object(one) for one in json_array(json_object(answer.data).get("data"))]
        ids, version = [id_of(one) for one in found], answer.headers.get("stripe-version")
        if after in ids or (page.has_more and not ids):
            raise ProcessorUnavailableError(f"the list of {listing.type}s does not go on after {after}")
        featured = listing.type == "product" and bool(ids) and await self._has_features()
        objects = [
            FetchedObject(
                id, listing.type, await self._whole(listing.type, one, bytes(raw).decode(), featured=featured), version
            )
            for id, one, raw in zip(ids, found, page.data, strict=True)  # noqa: A001 - the API's word
        ]
        return ListedPage(tuple(objects), ids[-1] if page.has_more else None)

    async def catalogue(self) -> StripeCatalogue:
        """Read every product and price, archived ones too, and the features that are offered and given."""
        try:
            products = await self._read_all(StripeProduct, RESOURCES["product"].path)
            prices = await self._read_all(StripePrice, RESOURCES["price"].path)
            features = await self._read_all(StripeFeature, FEATURES)
        except _GoneError as error:  # what a page ended with
            raise ProcessorUnavailableError(f"deleted while the lists were read: {error}") from error
        offered = (product.id for product in products if product.active and features)
        given = {product: await self._features_of(product) for product in offered}
        return StripeCatalogue(products, prices, features, given)

    async def access(self) -> AccountAccess:
        """Ask each list that we read for one object, and tell what the key may not read."""
        modes: list[bool] = []
        missing: list[str] = []
        for path in (*(resource.path for resource in RESOURCES.values()), FEATURES, _ENDPOINTS):
            try:
                page = json_object((await self._get(path, limit=1)).data)
            except PermissionMissingError as error:
                missing.append(error.permission or f"reading {path}")
            else:
                modes += [json_object(one).get("livemode") is True for one in json_array(page.get("data"))]
        return AccountAccess(modes[0] if modes else None, tuple(dict.fromkeys(missing)))

    async def endpoints(self) -> tuple[WebhookEndpoint, ...]:
        """Return every webhook endpoint of the account."""
        return tuple(to_endpoint(one) for one in await self._read_all(Endpoint, _ENDPOINTS))

    async def create_endpoint(self, url: str, events: Sequence[str], *, idempotency_key: str) -> CreatedEndpoint:
        """Create an endpoint of our API version, once for each key."""
        params = {"url": url, "enabled_events": list(events), "api_version": self.api_version}
        made = await self._post(_ENDPOINTS, **params, idempotency_key=idempotency_key)
        secret = made.get("secret")
        if not isinstance(secret, str):
            raise ProcessorUnavailableError("Stripe made an endpoint and did not tell its secret")
        return CreatedEndpoint(to_endpoint(read_as(made, Endpoint, _ENDPOINTS)), secret)

    async def update_endpoint(self, id: str, events: Sequence[str]) -> WebhookEndpoint:
        """Enable an endpoint and let it be sent these events."""
        try:
            changed = await self._post(_ENDPOINTS, id, enabled_events=list(events), disabled=False)
        except _GoneError as error:
            raise ProcessorUnavailableError(f"the endpoint has just been deleted: {error}") from error
        return to_endpoint(read_as(changed, Endpoint, _ENDPOINTS))

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close_async()

    async def _whole(self, type: str, found: dict[str, Any], body: str, *, featured: bool = True) -> str:
        """Return an object as JSON with every page of the lists in it; untouched where nothing is to be added.

        A product gets its features, asked for only where the account is `featured`; a payment in trouble its invoice.
        """
        id, parts = id_of(found), dict[str, Any]()  # noqa: A001 - the API's word
        try:
            for sublist in RESOURCES[type].sublists:
                listing = json_object(found.get(sublist.field))
                if listing.get("has_more"):
                    known = json_array(listing.get("data"))
                    rest = self._rest_of(known, sublist.path, *sublist.segments(id), **sublist.filters(id))
                    parts[sublist.field] = {**listing, "data": await rest, "has_more": False}
            if type == "product":
                attached = await self._rest_of([], RESOURCES[type].path, id, "features") if featured else []
                parts[PRODUCT_FEATURES] = {"object": "list", "data": attached, "has_more": False}
            if lacks_invoice(type, found):
                parts["invoice"] = await self._invoice_of(id)
        except _GoneError as error:
            raise ProcessorUnavailableError(f"deleted while its lists were read: {error}") from error
        return orjson.dumps({**found, **parts}).decode() if parts else body

    async def _entitlements(self, id: str) -> FetchedObject:
        """Read a customer's active entitlements into one object, as their event has it."""
        customer = customer_of_entitlements(id)
        active = await self._rest_of([], ACTIVE_ENTITLEMENTS, customer=customer)
        listing = {"object": "list", "data": active, "has_more": False}
        summary = {"object": ENTITLEMENTS, "customer": customer, "entitlements": listing, "livemode": self.livemode}
        return FetchedObject(id=id, type=ENTITLEMENTS, raw=orjson.dumps(summary).decode(), api_version=self.api_version)

    async def _invoice_of(self, payment_intent: str) -> object:
        payment = {"type": "payment_intent", "payment_intent": payment_intent}
        page = json_object((await self._get(PAYMENTS, limit=1, payment=payment)).data)
        return next((json_object(one).get("invoice") for one in json_array(page.get("data"))), None)

    async def _has_features(self) -> bool:
        """Tell whether the account has any feature, archived or not: without one, no product needs to be asked."""
        for filters in ({}, {"archived": "true"}):
            page = json_object((await self._get(FEATURES, limit=1, **filters)).data)
            if json_array(page.get("data")):
                return True
        return False

    async def _features_of(self, product: str) -> tuple[str, ...]:
        try:
            attached = await self._read_all(Attached, RESOURCES["product"].path, product, "features")
        except _GoneError:
            return ()
        return tuple(one.entitlement_feature.id for one in attached)

    async def _read_all(self, type: builtins.type[S], path: str, *segments: str) -> tuple[S, ...]:
        return tuple(read_as(one, type, path) for one in await self._rest_of([], path, *segments))

    async def _rest_of(self, known: list[Any], path: str, *segments: str, **params: str) -> list[Any]:
        """Return what is known of a list, and all that follows it."""
        found = list(known)
        for _ in range(_MAX_PAGES):
            after = {"starting_after": json_object(found[-1]).get("id")} if found else {}
            page = json_object((await self._get(path, *segments, limit=_PAGE, **after, **params)).data)
            more = json_array(page.get("data"))
            found += more
            if not page.get("has_more"):
                return found
            if not more:
                break
        raise ProcessorUnavailableError(f"the list of {path} does not end after {_MAX_PAGES} pages")

    async def _get(self, path: str, *segments: str, **params: Any) -> stripe.StripeResponse:
        return await self._request("get", path, *segments, **params)

    async def _post(self, path: str, *segments: str, **params: Any) -> dict[str, Any]:
        return json_object((await self._request("post", path, *segments, **params)).data)

    async def _request(self, method: str, path: str, *segments: str, **params: Any) -> stripe.StripeResponse:
        await self._rates.acquire(path, per_s=self._endpoint_rate_per_s)
        await self._rates.acquire("stripe", per_s=self._rate_per_s)
        url = "/".join((path, *(quote(segment, safe="") for segment in segments)))
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._client.raw_request_async(method, url, **params)  # pyright: ignore[reportUnknownMemberType] - the SDK leaves its parameters untyped
        except TimeoutError as error:
            raise ProcessorUnavailableError(f"Stripe did not answer within {self._timeout_s} s") from error
        except UnicodeDecodeError as error:
            raise ProcessorUnavailableError("Stripe's answer is not UTF-8") from error
        except stripe.StripeError as error:
            raise _translate(error) from None  # its arguments hold the whole body


def _expand(fields: tuple[str, ...]) -> dict[str, list[str]]:
    return {"expand": list(fields)} if fields else {}


def is_livemode(api_key: str) -> bool:
    """Tell whether the key is of Stripe's live mode; else it is of the test mode."""
    return "_live_" in api_key


class _GoneError(Exception):
    """Stripe knows no such object."""


class _BoundedTransport(stripe.HTTPClient):
    """The SDK's transport over httpx, which stops reading an answer that is too large."""

    name = "httpx"

    def __init__(self, timeout_s: float, transport: httpx.AsyncBaseTransport | None) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType] - the SDK leaves a parameter untyped
        self._httpx = httpx.AsyncClient(timeout=timeout_s, transport=transport)

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """Send one request and return body, status and headers."""
        try:
            request_url = httpx.URL(url)
            request = self._httpx.stream(method.upper(), request_url, headers=dict(headers), content=post_data)
            async with request as answer:
                most_bytes = _MAX_PAGE_BYTES if request_url.query else _MAX_ANSWER_BYTES
                return await read_bounded(answer, most_bytes), answer.status_code, answer.headers
        except (httpx.HTTPError, httpx.InvalidURL, TooLargeError) as error:
            raise stripe.APIConnectionError(f"{type(error).__name__}: {error}") from error

    async def sleep_async(self, secs: float) -> None:
        """Wait; only used where the SDK retries."""
        await asyncio.sleep(secs)

    async def close_async(self) -> None:
        """Close the connections."""
        await self._httpx.aclose()


def _translate(error: stripe.StripeError) -> Exception:
    status = error.http_status
    message = f"{type(error).__name__} {status or ''}: {error.user_message or ''}"[:_MESSAGE_LENGTH]
    if isinstance(error, stripe.InvalidRequestError) and error.code == "resource_missing":
        # "a similar object exists in live mode": our key is for the other mode, the object is not gone
        return ProcessorRefusedError(message) if "similar object exists" in message else _GoneError(message)
    if isinstance(error, stripe.PermissionError):
        named = _PERMISSION.search(error.user_message or "")
        return PermissionMissingError(message, permission=named.group() if named else None)
    refused = status is not None and status not in _RETRIABLE and 400 <= status < 500  # noqa: PLR2004 - HTTP's words
    # What is no answer of Stripe's (a proxy's page, JSON without an error) is not believed, whatever its status.
    spoken = not isinstance(error, stripe.APIError | stripe.APIConnectionError | stripe.RateLimitError)
    if refused and spoken:
        return ProcessorRefusedError(message)
    return ProcessorUnavailableError(message, retry_after_s=_retry_after_s(error), slow_down=_is_too_much(error))


def _is_too_much(error: stripe.StripeError) -> bool:
    """Tell too many requests from an object that is locked, which Stripe also answers with 429, but says to retry."""
    limited = isinstance(error, stripe.RateLimitError) or error.http_status == 429  # noqa: PLR2004 - HTTP's word
    return limited and (error.headers or {}).get("stripe-should-retry") != "true"


def _retry_after_s(error: stripe.StripeError) -> float | None:
    text = (error.headers or {}).get("retry-after", "")
    return float(text) if text.isdigit() and text.isascii() else None
