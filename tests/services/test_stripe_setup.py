"""Setting the webhook endpoint up: once per key, never with a secret in the store."""

from collections.abc import AsyncIterator
from dataclasses import replace

import msgspec
import pytest
from support.runtime import ADMIN, FakeStripe, running

from app.domain.errors import IdempotencyConflictError, StripeRefusedError, UnavailableError, ValidationError
from app.domain.stripe_setup import AccountAccess, SetupAction, SetupFindingCode
from app.ports.stripe import ProcessorRefusedError, ProcessorUnavailableError
from app.runtime import Runtime
from app.services.stripe_setup import EVENTS, OPERATION, SetUpStripeInput, set_up_stripe

URL = "https://billing.example/webhooks/stripe"


@pytest.fixture
def stripe() -> FakeStripe:
    return FakeStripe()


@pytest.fixture
async def rt(mongodb_uri: str, database: str, stripe: FakeStripe) -> AsyncIterator[Runtime]:
    async with running(mongodb_uri, database) as rt:
        yield replace(rt, stripe=stripe)


def asked(key: str = "k", url: str = URL, *, dry_run: bool = False) -> SetUpStripeInput:
    return SetUpStripeInput(idempotency_key=key, url=url, dry_run=dry_run)


async def test_an_endpoint_is_created_once_and_its_secret_is_told_once(rt: Runtime, stripe: FakeStripe) -> None:
    first = await set_up_stripe(rt, ADMIN, asked())
    again = await set_up_stripe(rt, ADMIN, asked())
    later = await set_up_stripe(rt, ADMIN, asked("another"))

    assert (first.secret, first.replayed) == ("whsec_made", False)
    assert [(change.action, change.endpoint_id) for change in first.changes] == [(SetupAction.CREATE, "we_1")]
    assert again == msgspec.structs.replace(first, secret=None, replayed=True)
    assert (later.changes, later.secret) == ((), None)
    assert stripe.has["we_1"].enabled_events == EVENTS
    assert stripe.created == [f"{ADMIN.id}:{OPERATION}:k"]


async def test_the_secret_is_not_stored(rt: Runtime) -> None:
    await set_up_stripe(rt, ADMIN, asked())

    stored = await rt.store.result(f"{ADMIN.id}:{OPERATION}:k")

    assert stored is not None
    assert "we_1" in stored.answer
    assert "whsec" not in stored.answer


async def test_a_dry_run_changes_nothing(rt: Runtime, stripe: FakeStripe) -> None:
    told = await set_up_stripe(rt, ADMIN, asked(dry_run=True))

    assert ([change.action for change in told.changes], told.endpoint) == ([SetupAction.CREATE], None)
    assert stripe.has == {}


async def test_what_is_there_is_changed_and_not_made_again(rt: Runtime, stripe: FakeStripe) -> None:
    await set_up_stripe(rt, ADMIN, asked())
    stripe.has["we_1"] = msgspec.structs.replace(stripe.has["we_1"], enabled_events=("*",), is_enabled=False)

    told = await set_up_stripe(rt, ADMIN, asked("another"))

    assert [change.action for change in told.changes] == [SetupAction.SET_EVENTS, SetupAction.ENABLE]
    assert told.endpoint is not None
    assert (told.endpoint.is_enabled, told.endpoint.enabled_events, told.secret) == (True, EVENTS, None)
    assert list(stripe.has) == ["we_1"]


@pytest.mark.parametrize(
    ("access", "code"),
    [
        (AccountAccess(True, ()), SetupFindingCode.OTHER_MODE),
        (AccountAccess(None, ("rak_price_read",)), SetupFindingCode.MISSING_PERMISSION),
    ],
)
async def test_a_key_that_will_not_do_changes_nothing(
    rt: Runtime, stripe: FakeStripe, access: AccountAccess, code: SetupFindingCode
) -> None:
    stripe.told_access = access

    told = await set_up_stripe(rt, ADMIN, asked())

    assert ([finding.code for finding in told.findings], told.changes, stripe.has) == ([code], (), {})


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("", "EMPTY"),
        ("billing.example/webhooks/stripe", "INVALID_FORMAT"),
        ("ftp://billing.example/webhooks/stripe", "INVALID_FORMAT"),
        ("https://[billing.example/webhooks/stripe", "INVALID_FORMAT"),
        ("https://billing.example/", "INVALID_FORMAT"),
        ("https://billing.example/" + "a" * 2000, "TOO_LONG"),
    ],
)
async def test_what_is_no_address_of_a_webhook_is_refused(rt: Runtime, url: str, code: str) -> None:
    with pytest.raises(ValidationError) as refused:
        await set_up_stripe(rt, ADMIN, asked(url=url))

    assert refused.value.fields[0].code == code


async def test_the_same_key_for_another_address_is_refused(rt: Runtime) -> None:
    await set_up_stripe(rt, ADMIN, asked())

    with pytest.raises(IdempotencyConflictError):
        await set_up_stripe(rt, ADMIN, asked(url="https://other.example/webhooks/stripe"))


@pytest.mark.parametrize(
    ("told", "error"),
    [
        (ProcessorUnavailableError("no answer"), UnavailableError),
        (ProcessorRefusedError("Invalid API Key"), StripeRefusedError),
    ],
)
async def test_a_stripe_that_will_not_tell_is_told(rt: Runtime, told: Exception, error: type[Exception]) -> None:
    with pytest.raises(error):
        await set_up_stripe(replace(rt, stripe=FakeStripe(told)), ADMIN, asked())


async def test_without_a_key_to_ask_stripe_with_it_is_refused(rt: Runtime) -> None:
    with pytest.raises(StripeRefusedError, match="STRIPE_SECRET_KEY"):
        await set_up_stripe(replace(rt, stripe=None), ADMIN, asked())
