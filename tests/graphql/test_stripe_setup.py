"""Setting Stripe up, as callers see it."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from support.api import Api
from support.runtime import FakeStripe, running

from app.domain.api_key import Scope
from app.domain.stripe_setup import AccountAccess
from app.services.stripe_setup import EVENTS

SETUP = """mutation($key: String! = "k", $url: String!, $dry: Boolean! = false) {
    setUpStripe(input: { idempotencyKey: $key, url: $url, dryRun: $dry }) { __typename
    ... on SetUpStripePayload { dryRun livemode apiVersion replayed secret
        endpoint { id url enabled enabledEvents apiVersion createdAt }
        changes { action endpointId added removed } findings { code message endpointId } }
    ... on UserError { code message path } } }"""
URL = {"url": "https://billing.example/webhooks/stripe"}


@pytest.fixture
async def api(mongodb_uri: str, database: str) -> AsyncIterator[Api]:
    async with running(mongodb_uri, database) as rt:
        yield Api(replace(rt, stripe=FakeStripe()))


async def test_a_dry_run_then_the_endpoint_with_its_secret_and_never_again(api: Api) -> None:
    dry = (await api.data(SETUP, {**URL, "dry": True}))["setUpStripe"]
    done = (await api.data(SETUP, URL))["setUpStripe"]
    again = (await api.data(SETUP, URL))["setUpStripe"]

    assert dry["changes"] == [{"action": "CREATE", "endpointId": None, "added": list(EVENTS), "removed": []}]
    assert (dry["endpoint"], dry["secret"], dry["dryRun"]) == (None, None, True)
    assert done == {
        "__typename": "SetUpStripePayload",
        "dryRun": False,
        "livemode": False,
        "apiVersion": "2026-10-28.endive",
        "replayed": False,
        "secret": "whsec_made",
        "endpoint": {
            "id": "we_1",
            **URL,
            "enabled": True,
            "enabledEvents": list(EVENTS),
            "apiVersion": "2026-10-28.endive",
            "createdAt": "1970-01-01T00:00:00.000Z",
        },
        "changes": [{**dry["changes"][0], "endpointId": "we_1"}],
        "findings": [],
    }
    assert again == {**done, "secret": None, "replayed": True}


async def test_what_is_missing_is_named(api: Api) -> None:
    assert isinstance(api.rt.stripe, FakeStripe)
    api.rt.stripe.told_access = AccountAccess(None, ("rak_price_read",))

    told = (await api.data(SETUP, URL))["setUpStripe"]

    assert [finding["code"] for finding in told["findings"]] == ["MISSING_PERMISSION"]
    assert "rak_price_read" in told["findings"][0]["message"]


async def test_no_address_is_a_member_and_another_scope_is_forbidden(api: Api) -> None:
    refused = (await api.data(SETUP, {"url": "nowhere"}))["setUpStripe"]

    assert (refused["code"], refused["path"]) == ("VALIDATION_FAILED", ["input", "url"])
    assert await api.code(SETUP, URL, key=api.key(Scope.BILLING_WRITE)) == "FORBIDDEN"
