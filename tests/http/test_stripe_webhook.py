"""The route in-process, with a fake inbox and signatures made without Stripe's code."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from structlog.testing import capture_logs
from support.clock import FrozenClock
from support.runtime import FakeInbox
from support.stripe import SECRET, T0, customer, event, sign, subscription
from support.stripe_shapes import active_entitlements

from app.domain.errors import UnavailableError
from app.domain.stripe_event import StripeEvent, StripeEventStatus
from app.gateways.stripe_signatures import StripeSignatures
from app.http.stripe_webhook import LIMIT_BYTES, PATH, webhook_route
from app.telemetry import Metrics

E = StripeEventStatus


class Hook:
    def __init__(self, secrets: tuple[str, ...] = (SECRET,), *, livemode: bool | None = None) -> None:
        self.clock = FrozenClock(T0 * 1000)
        self.inbox = FakeInbox()
        self.metrics = Metrics()
        self.woken = 0
        verifier = StripeSignatures(secrets, self.clock) if secrets else None
        route = webhook_route(
            self.inbox, verifier, clock=self.clock, wake=self.wake, metrics=self.metrics, livemode=livemode
        )
        transport = httpx.ASGITransport(Starlette(routes=[route]), raise_app_exceptions=False)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://test")

    def wake(self) -> None:
        self.woken += 1

    async def post(self, body: bytes | dict[str, Any], signature: str | bytes | None = "") -> httpx.Response:
        raw = json.dumps(body).encode() if isinstance(body, dict) else body
        header = sign(raw, T0) if signature == "" else signature
        return await self.client.post(PATH, content=raw, headers={"stripe-signature": header} if header else {})

    def stored(self) -> StripeEvent:
        (stored,) = self.inbox.events.values()
        return stored


def hooked(id: str = "evt_1", **fields: Any) -> dict[str, Any]:
    return event(id, "customer.subscription.updated", subscription(), **fields)


async def test_an_event_is_stored_as_it_came_and_wakes_the_worker() -> None:
    hook = Hook()
    body = json.dumps(hooked(), indent=1).encode()

    answer = await hook.post(body)

    stored = hook.stored()
    assert (answer.status_code, answer.json()) == (200, {"received": True, "outcome": "accepted"})
    assert stored.payload.encode() == body
    assert (stored.status, stored.object_type, stored.object_id) == (E.RECEIVED, "subscription", "sub_1")
    assert (stored.occurred_at, stored.api_version) == (T0 * 1000, "2026-10-28.endive")
    assert hook.woken == 1


async def test_a_duplicate_is_answered_200_and_wakes_nobody() -> None:
    hook = Hook()
    await hook.post(hooked())

    answer = await hook.post(hooked())

    assert (answer.status_code, answer.json()["outcome"], hook.woken) == (200, "duplicate", 1)
    assert hook.metrics.value("stripe_events", "duplicate") == 1


async def test_an_unknown_type_is_stored_as_ignored() -> None:
    hook = Hook()

    answer = await hook.post(event("evt_1", "galaxy.formed", {"object": "galaxy", "id": "gx_1"}))

    assert (answer.status_code, answer.json()["outcome"], hook.woken) == (200, "ignored", 0)
    assert hook.stored().status is E.IGNORED


@pytest.mark.parametrize(
    ("type", "told"),
    [
        pytest.param("invoice.upcoming", {"object": "invoice"}, id="of no subscription"),
        pytest.param("customer.updated", {"object": "customer"}, id="without an id"),
        pytest.param("payment_method.attached", {"object": "payment_method", "id": "pm_1"}, id="not used"),
    ],
)
async def test_what_tells_of_no_object_that_is_used_is_stored_with_the_reason(type: str, told: dict[str, Any]) -> None:
    hook = Hook()

    answer = await hook.post(event("evt_1", type, told))

    assert (answer.status_code, hook.stored().status) == (200, E.IGNORED)
    assert (hook.stored().reason or "").startswith("no object that is used is told of by")


@pytest.mark.parametrize(
    ("type", "told", "about"),
    [
        pytest.param(
            "entitlements.active_entitlement_summary.updated",
            active_entitlements("sso"),
            ("entitlements.active_entitlement_summary", "entitlements:cus_1"),
            id="entitlements",
        ),
        pytest.param(
            "invoice_payment.paid",
            {"object": "invoice_payment", "id": "inpay_1", "invoice": "in_1"},
            ("invoice", "in_1"),
            id="payment of an invoice",
        ),
    ],
)
async def test_an_event_of_what_is_not_mirrored_itself_marks_what_it_tells_of(
    type: str, told: dict[str, Any], about: tuple[str, str]
) -> None:
    hook = Hook()

    await hook.post(event("evt_1", type, told))

    assert (hook.stored().status, hook.stored().object_type, hook.stored().object_id) == (E.RECEIVED, *about)


@pytest.mark.parametrize(
    "names",
    [
        {"subscription": "sub_1"},
        {"subscription": {"id": "sub_1", "object": "subscription"}},
        {"id": "upcoming_in_1", "parent": {"subscription_details": {"subscription": "sub_1"}}},
        {"parent": {"subscription_details": {"subscription": {"id": "sub_1"}}}},
    ],
)
async def test_the_preview_of_an_invoice_is_about_its_subscription(names: dict[str, Any]) -> None:
    hook = Hook()

    answer = await hook.post(event("evt_1", "invoice.upcoming", {"object": "invoice", **names}))

    stored = hook.stored()
    assert (answer.status_code, stored.status, hook.woken) == (200, E.RECEIVED, 1)
    assert (stored.object_type, stored.object_id) == ("subscription", "sub_1")


def thin(type: str = "subscription", **fields: Any) -> dict[str, Any]:
    return {
        "id": "evt_t",
        "object": "v2.core.event",
        "type": "v1.customer.subscription.updated",
        "livemode": False,
        "created": "2026-08-01T00:00:01.250Z",
        "context": None,
        "related_object": {"id": "sub_1", "type": type, "url": "/v1/subscriptions/sub_1"},
        **fields,
    }


async def test_a_thin_event_has_its_object_asked_for() -> None:
    hook = Hook(livemode=False)

    answer = await hook.post(thin())

    stored = hook.stored()
    assert (answer.status_code, answer.json()["outcome"], hook.woken) == (200, "accepted", 1)
    assert (stored.status, stored.object_type, stored.object_id) == (E.RECEIVED, "subscription", "sub_1")
    assert stored.occurred_at == 1_785_542_401_250


@pytest.mark.parametrize(
    ("livemode", "event", "reason"),
    [
        pytest.param(None, thin(), "STRIPE_SECRET_KEY", id="no key to ask with"),
        pytest.param(False, thin("v2.core.account"), "not used", id="another type"),
        pytest.param(False, thin(related_object=None), "names no object", id="no object"),
        pytest.param(True, thin(), "test mode", id="other mode"),
        pytest.param(False, thin(context="acct_1"), "acct_1", id="other account"),
    ],
)
async def test_a_thin_event_of_no_use_is_stored_with_the_reason(
    livemode: bool | None,  # noqa: FBT001
    event: dict[str, Any],
    reason: str,
) -> None:
    hook = Hook(livemode=livemode)

    answer = await hook.post(event)

    assert (answer.status_code, hook.stored().status, hook.woken) == (200, E.IGNORED, 0)
    assert reason in (hook.stored().reason or "")


@pytest.mark.parametrize(
    ("ours", "theirs", "status"),
    [(True, False, E.IGNORED), (False, True, E.IGNORED), (True, True, E.RECEIVED), (None, True, E.RECEIVED)],
)
async def test_events_of_the_other_mode_are_not_used(ours: bool | None, theirs: bool, status: E) -> None:  # noqa: FBT001
    hook = Hook(livemode=ours)

    assert (await hook.post(hooked(livemode=theirs))).status_code == 200

    assert (hook.stored().status, hook.stored().foreign) == (status, status is E.IGNORED)
    assert hook.woken == (status is E.RECEIVED)


async def test_the_reason_says_what_to_do_about_the_other_mode() -> None:
    hook = Hook(livemode=True)

    await hook.post(hooked(livemode=False))

    assert hook.stored().reason == (
        "it is of Stripe's test mode and STRIPE_SECRET_KEY of live mode; "
        "remove this endpoint in test mode, or set a key and a webhook secret of that mode"
    )


@pytest.mark.parametrize("livemode", [None, False])
async def test_events_of_a_connected_account_are_not_used(livemode: bool | None) -> None:  # noqa: FBT001
    hook = Hook(livemode=livemode)

    answer = await hook.post(hooked(account="acct_1"))

    stored = hook.stored()
    assert (answer.status_code, answer.json()["outcome"], hook.woken) == (200, "ignored", 0)
    assert (stored.status, stored.foreign) == (E.IGNORED, True)
    assert stored.reason is not None
    assert "acct_1" in stored.reason
    assert "your own account" in stored.reason


async def test_an_event_of_our_own_account_names_none() -> None:
    hook = Hook(livemode=False)

    await hook.post(hooked(account=None))

    assert (hook.stored().status, hook.stored().foreign) == (E.RECEIVED, False)


@pytest.mark.parametrize("secret", ["whsec_new", "whsec_old"])
async def test_any_of_several_secrets_will_do(secret: str) -> None:
    hook = Hook(secrets=("whsec_new", "whsec_old"))
    body = json.dumps(hooked()).encode()

    assert (await hook.post(body, sign(body, T0, secret))).status_code == 200


BODY = json.dumps(hooked()).encode()


@pytest.mark.parametrize(
    "signature",
    [
        pytest.param(None, id="none"),
        pytest.param("t=1", id="no signature"),
        pytest.param("garbage", id="garbage"),
        pytest.param("v1=abc", id="no time"),
        pytest.param("t=now,v1=abc", id="no number"),
        pytest.param(f"t={'9' * 5000},v1=abc", id="5000 digits"),
        pytest.param("t=1,v1=\u00e9\u00e9".encode("latin-1"), id="not ASCII"),
        pytest.param(sign(BODY, T0, "whsec_other"), id="other secret"),
        pytest.param(sign(BODY + b" ", T0), id="other body"),
        pytest.param(sign(BODY, T0).replace("v1=", "v0="), id="other scheme"),
        pytest.param(sign(BODY, T0 - 301), id="too old"),
        pytest.param(sign(BODY, T0 + 301), id="from the future"),
        pytest.param(sign(BODY, T0).replace(f"t={T0}", f"t={T0 + 1}"), id="time changed"),
    ],
)
async def test_a_bad_signature_is_400_and_stores_nothing(signature: str | bytes | None) -> None:
    hook = Hook()

    answer = await hook.post(BODY, signature)

    assert (answer.status_code, hook.inbox.events, hook.woken) == (400, {}, 0)


async def test_refusals_are_logged_once_a_minute() -> None:
    hook = Hook()

    with capture_logs() as logged:
        for later_ms in (0, 59_999, 1):
            hook.clock.advance(later_ms)
            await hook.post(BODY, "t=1,v1=aa")

    assert [(line["log_level"], line["reason"]) for line in logged] == [
        ("warning", "the signature matches no webhook secret")
    ] * 2
    assert hook.metrics.value("stripe_events", "refused") == 3


@pytest.mark.parametrize("at_s", [T0 - 300, T0 + 300])
async def test_the_tolerance_reaches_five_minutes_both_ways(at_s: int) -> None:
    assert (await Hook().post(BODY, sign(BODY, at_s))).status_code == 200


def changed(**fields: Any) -> bytes:
    return json.dumps({**hooked(), **fields}).encode()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"[]", id="array"),
        pytest.param(b"null", id="null"),
        pytest.param(b"1", id="number"),
        pytest.param(b'"event"', id="text"),
        pytest.param(b"{}", id="no event"),
        pytest.param(b"\xff\xfe", id="not UTF-8"),
        pytest.param(b"<html></html>", id="html"),
        pytest.param(b"[" * 100_000 + b"]" * 100_000, id="100k deep"),
        pytest.param(b'{"a":' * 50_000 + b"1" + b"}" * 50_000, id="50k deep objects"),
        pytest.param(changed()[:-1] + b',"n":' + b"9" * 5000 + b"}", id="5000 digits"),
        pytest.param(changed()[:-1] + b',"n":NaN}', id="NaN"),
        pytest.param(changed()[:-1] + b',"n":"\\ud800"}', id="lone surrogate"),
        pytest.param(changed(id="evt_\0"), id="NUL in the id"),
        pytest.param(changed(id="\ud800"), id="surrogate in the id"),
        pytest.param(changed(id=""), id="empty id"),
        pytest.param(changed(id="e" * 300), id="long id"),
        pytest.param(changed(id=5), id="id of a wrong type"),
        pytest.param(changed(id={"$ne": None}), id="operator as id"),
        pytest.param(changed(type=None), id="no type"),
        pytest.param(changed(created="now"), id="created of a wrong type"),
        pytest.param(changed(created=-1), id="created before time"),
        pytest.param(changed(created=10**15), id="created after time"),
        pytest.param(changed(created=1.5), id="created between seconds"),
        pytest.param(changed(livemode="no"), id="livemode of a wrong type"),
        pytest.param(changed(object="list"), id="not an event"),
        pytest.param(changed(data=None), id="no data"),
        pytest.param(changed(data={"object": []}), id="no object"),
        pytest.param(changed(data={"object": {"object": "customer", "id": ["cus_1"]}}), id="object id of a wrong type"),
        pytest.param(changed(data={"object": {"object": "customer", "id": "cus\0"}}), id="NUL in the object's id"),
        pytest.param(changed(object="v2.core.event", type=7), id="malformed thin event"),
    ],
)
async def test_a_signed_body_that_is_no_event_is_400_and_stores_nothing(body: bytes) -> None:
    hook = Hook()

    answer = await hook.post(body)

    assert (answer.status_code, hook.inbox.events) == (400, {})
    assert len(answer.content) < 500


async def test_a_large_body_is_413_while_it_still_comes() -> None:
    hook = Hook()
    sent = 0

    async def stream() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 1
            yield b" " * 65_536

    answer = await hook.client.post(PATH, content=stream(), headers={"stripe-signature": "t=1,v1=x"})

    assert answer.status_code == 413
    assert sent <= LIMIT_BYTES // 65_536 + 2


async def test_a_body_of_just_the_limit_is_taken() -> None:
    body = json.dumps(hooked()).encode()

    assert (await Hook().post(body + b" " * (LIMIT_BYTES - len(body)))).status_code == 200


async def test_what_cannot_be_stored_is_503_so_that_stripe_sends_it_again() -> None:
    hook = Hook()

    async def fail(_event: StripeEvent) -> bool:
        raise UnavailableError

    hook.inbox.accept = fail  # type: ignore[method-assign]

    assert (await hook.post(hooked())).status_code == 503
    assert hook.woken == 0


async def test_without_a_secret_the_route_says_so() -> None:
    answer = await Hook(secrets=()).post(hooked())

    assert answer.status_code == 503
    assert "STRIPE_WEBHOOK_SECRET" in answer.text


async def test_other_methods_are_refused() -> None:
    assert (await Hook().client.get(PATH)).status_code == 405


@pytest.mark.parametrize("change", [lambda e: e, lambda e: {**e, "api_version": None}])
async def test_both_a_versioned_and_an_unversioned_event_are_taken(
    change: Callable[[dict[str, Any]], dict[str, Any]],
) -> None:
    assert (await Hook().post(change(event("evt_1", "customer.updated", customer())))).status_code == 200
