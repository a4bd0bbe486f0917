"""The Python client against the real service, and against one that misbehaves."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest
from entitled_client import (
    AccessDeniedReason,
    CheckInput,
    ConsumeInput,
    ConsumePayload,
    Entitled,
    EntitledError,
    LimitExceededError,
    RecordUsageInput,
    RecordUsagePayload,
    ReleaseInput,
    ReleasePayload,
    ReservationPayload,
    ReserveInput,
    SettleInput,
    SettlePayload,
    UnavailableError,
    UsageLineInput,
)
from support import graphql_server
from support.denial import denied
from support.service import Service, api, free_port


@pytest.fixture
async def entitled(service: Service) -> AsyncIterator[Entitled]:
    async with Entitled(f"{service.url}/graphql", service.key, timeout_s=10) as client:
        yield client


def question(feature: str, **fields: Any) -> CheckInput:
    return CheckInput(workspace_id="acme", feature_key=feature, **fields)


async def test_a_check_with_an_amount(entitled: Entitled) -> None:
    answer = (await entitled.check_entitlement(question("api_calls", requested_usage=Decimal("100.5")))).entitlement

    assert answer.access_denied_reason is AccessDeniedReason.USAGE_LIMIT_EXCEEDED
    assert answer.usage is not None
    assert answer.usage.limit == Decimal(100)
    assert answer.trial_ends_at is not None
    assert answer.trial_ends_at > datetime(2026, 1, 1, tzinfo=UTC)


async def test_many_checks_in_the_order_asked(entitled: Entitled) -> None:
    answers = await entitled.check_entitlements([question("sso"), question("teleport"), question("api_calls")])

    assert [(answer.entitlement.feature_key, answer.entitlement.has_access) for answer in answers] == [
        ("sso", True),
        ("teleport", False),
        ("api_calls", True),
    ]


async def test_all_entitlements_and_some(entitled: Entitled) -> None:
    everything = await entitled.entitlements("acme")
    some = await entitled.entitlements("acme", ["sso"])

    assert {entry.feature_key for entry in everything.entitlements} == {"sso", "api_calls"}
    assert [entry.feature_key for entry in some.entitlements] == ["sso"]


async def test_usage_is_recorded_once(service: Service, entitled: Entitled) -> None:
    async with api(service) as client:
        await client.mutate(
            "createFeature",
            "... on FeaturePayload { replayed }",
            key="exports",
            name="Exports",
            type="METERED",
        )
    used = RecordUsageInput(idempotency_key="one", workspace_id="acme", feature_key="exports", amount=Decimal("2.5"))

    first, again = await entitled.record_usage(used), await entitled.record_usage(used)

    assert isinstance(first, RecordUsagePayload)
    assert isinstance(again, RecordUsagePayload)
    assert (first.replayed, again.replayed, first.event_id) == (False, True, again.event_id)


def lines(**amounts: int) -> list[UsageLineInput]:
    return [UsageLineInput(feature_key=feature, amount=Decimal(amount)) for feature, amount in amounts.items()]


async def test_lines_are_consumed_all_or_none(entitled: Entitled) -> None:
    fits = ConsumeInput(idempotency_key="fits", workspace_id="acme", lines=lines(api_calls=3))
    too_much = ConsumeInput(idempotency_key="too much", workspace_id="acme", lines=lines(api_calls=3) * 40)

    used, refused = await entitled.consume(fits), await entitled.consume(too_much)

    assert isinstance(used, ConsumePayload)
    assert isinstance(refused, LimitExceededError)
    reason = refused.decision.entitlement.access_denied_reason
    assert (refused.line, refused.code, reason) == (32, "LIMIT_EXCEEDED", AccessDeniedReason.USAGE_LIMIT_EXCEEDED)


async def test_what_is_reserved_is_settled_or_released(entitled: Entitled) -> None:
    async def used() -> Decimal | None:
        usage = (await entitled.check_entitlement(question("api_calls"))).entitlement.usage
        return usage and usage.used

    before = await used()
    for number in "12":
        held = await entitled.reserve(
            ReserveInput(idempotency_key=number, workspace_id="acme", lines=lines(api_calls=10), ttl_seconds=60)
        )
        assert isinstance(held, ReservationPayload)
        assert held.expires_at > datetime(2026, 1, 1, tzinfo=UTC)
        settled = SettleInput(
            idempotency_key=f"s{number}", reservation_id=held.reservation_id, actual=lines(api_calls=4)
        )
        released = ReleaseInput(idempotency_key=f"r{number}", reservation_id=held.reservation_id)
        ended = await entitled.settle(settled) if number == "1" else await entitled.release(released)
        assert isinstance(ended, SettlePayload | ReleasePayload)

    assert before is not None
    assert await used() == before + 4


async def test_a_refusal_is_a_result(entitled: Entitled) -> None:
    used = RecordUsageInput(idempotency_key="two", workspace_id="acme", feature_key="teleport", amount=Decimal(1))

    refused = await entitled.record_usage(used)

    assert not isinstance(refused, RecordUsagePayload)
    assert (refused.typename__, refused.code) == ("NotFoundError", "NOT_FOUND")


async def test_changes_arrive_by_themselves(service: Service, entitled: Entitled) -> None:
    async with api(service) as client, aclosing(entitled.entitlements_changed("bare")) as changes:
        before = await anext(changes)
        await client.mutate(
            "grantEntitlement",
            "... on GrantPayload { replayed }",
            workspaceId="bare",
            featureKey="sso",
            source="MANUAL",
        )
        after = await anext(changes)

    def has_sso(entitlements: Any) -> bool:
        return next(entry.has_access for entry in entitlements.entitlements if entry.feature_key == "sso")

    assert (has_sso(before), has_sso(after)) == (False, True)


async def test_a_wrong_key_is_told_live_too(service: Service) -> None:
    async with (
        Entitled(f"{service.url}/graphql", "wrong") as client,
        aclosing(client.entitlements_changed("a")) as live,
    ):
        with pytest.raises(EntitledError, match=r"FORBIDDEN.*a valid API key is needed"):
            await anext(live)


async def test_nobody_answers_live() -> None:
    async with (
        Entitled(f"http://127.0.0.1:{free_port()}/graphql", "any") as client,
        aclosing(client.entitlements_changed("acme")) as live,
    ):
        with pytest.raises(UnavailableError):
            await anext(live)


@pytest.mark.parametrize(
    ("status", "answer", "kind", "code"),
    [
        pytest.param(404, "nothing here", EntitledError, "NO_GRAPHQL", id="another path"),
        pytest.param(200, "[]", EntitledError, "NO_GRAPHQL", id="no object"),
        pytest.param(429, {"detail": "slow down"}, UnavailableError, "UNREACHABLE", id="a proxy's limit"),
        pytest.param(502, "<html>", UnavailableError, "UNREACHABLE", id="a proxy's fault"),
        pytest.param(
            503, {"errors": [{"message": "m", "extensions": {"code": "NOT_READY"}}]}, UnavailableError, "NOT_READY"
        ),
        pytest.param(
            403, {"errors": [{"message": "m", "extensions": {"code": "FORBIDDEN"}}]}, EntitledError, "FORBIDDEN"
        ),
        pytest.param(200, {"data": None, "errors": [{"message": "m"}]}, EntitledError, "UNKNOWN", id="no code"),
    ],
)
async def test_what_is_no_answer(status: int, answer: Any, kind: type[EntitledError], code: str) -> None:
    with graphql_server.running() as fake:
        fake.status, fake.answer = status, answer
        async with Entitled(fake.url, "any") as client:
            with pytest.raises(EntitledError) as raised:
                await client.check_entitlement(question("sso"))

    assert (type(raised.value), raised.value.code) == (kind, code)


@pytest.mark.parametrize("url", ["localhost:8080/graphql", "ftp://localhost/graphql"])
async def test_a_bad_address_is_a_mistake(url: str) -> None:
    async with Entitled(url, "any") as client:
        with pytest.raises(EntitledError, match="BAD_ADDRESS") as raised:
            await client.check_entitlement(question("sso"))

    assert not isinstance(raised.value, UnavailableError)


async def test_a_slow_service_is_unavailable() -> None:
    def never(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("too slow", request=request)

    http = httpx.AsyncClient(transport=httpx.MockTransport(never))
    async with Entitled("http://service/graphql", "any", http_client=http) as client:
        with pytest.raises(UnavailableError):
            await client.check_entitlement(question("sso"))


async def test_a_reason_of_a_newer_service_is_taken_in() -> None:
    with graphql_server.running() as fake:
        fake.answer = denied("BAD_MOOD")
        async with Entitled(fake.url, "key") as client:
            answer = (await client.check_entitlement(question("sso"))).entitlement

    assert answer.access_denied_reason == "BAD_MOOD"
    assert answer.access_denied_reason is not AccessDeniedReason.STATE_UNKNOWN
    assert list(AccessDeniedReason) == [reason for reason in AccessDeniedReason if reason.value != "BAD_MOOD"]
    assert fake.keys == ["Bearer key"]
    assert fake.requests[0]["variables"] == {"input": {"workspaceId": "acme", "featureKey": "sso"}}
