"""Usage over GraphQL: what is taken, what is refused and why, and batches whose entries stand alone."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace as replace_in
from decimal import Decimal
from typing import Any

import pytest
from support.api import Api
from support.records import NOW, feature, grant, limit, plan, workspace
from support.runtime import put, running

from app.domain.consumption import Refused
from app.domain.errors import UnavailableError
from app.domain.plan import FeatureType, MeterType, ResetPeriod
from app.ports.usage import Accepted, UsageRequest, UsageWriter

ANSWER = "entitlement { featureKey hasAccess accessDeniedReason usage { used reserved remaining overage } }"
REFUSALS = "... on UserError { code message path } ... on ValidationError { fields { path code } }"
DENIED = f"... on LimitExceededError {{ line decision {{ {ANSWER} }} }}"
USED = f"... on UsagePayload {{ eventId replayed decisions {{ {ANSWER} }} }}"
RECORDED = f"... on RecordUsagePayload {{ eventId replayed {ANSWER} }}"
SELECT = {
    "consume": f"{USED} {DENIED}",
    "reserve": f"{USED} {DENIED} ... on ReservationPayload {{ reservationId expiresAt }}",
    "settle": USED,
    "release": USED,
    "recordUsage": RECORDED,
    "setUsage": RECORDED,
    "correctUsage": RECORDED,
}


class Caller:
    """Sends mutations with fresh idempotency keys."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.key = api.key()
        self.count = 0

    async def __call__(self, name: str, /, **fields: Any) -> dict[str, Any]:
        self.count += 1
        query = f"""mutation($i: {name[0].upper()}{name[1:]}Input!) {{ {name}(input: $i) {{
            __typename {SELECT[name]} {REFUSALS} }} }}"""
        return (await self.api.data(query, {"i": {"idempotencyKey": f"k{self.count}", **fields}}, key=self.key))[name]

    async def on(self, name: str, *lines: tuple[str, Any], **fields: Any) -> dict[str, Any]:
        listed = [{"featureKey": key, "amount": str(amount)} for key, amount in lines]
        return await self(name, workspaceId="acme", lines=listed, **fields)


@pytest.fixture
async def call(mongodb_uri: str, database: str) -> AsyncIterator[Caller]:
    async with running(mongodb_uri, database, default_plan_key="free") as rt:
        await put(
            rt,
            workspace(external_id="acme"),
            feature("api_calls"),
            feature("seats", meter_type=MeterType.FLUCTUATING),
            feature("ai", FeatureType.CREDIT),
            feature("images", FeatureType.CREDIT, credit_key="ai", cost=Decimal("2.5")),
            grant("grant_ai", "ai", amount=Decimal(500)),
            plan("free", limit(amount=100), limit("seats", 5, ResetPeriod.NEVER), prices=()),
        )
        yield Caller(Api(rt))


def usage_of(decision: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in decision["entitlement"]["usage"].items() if value != "0"}


async def test_several_features_are_used_at_once_and_a_retry_is_replayed(call: Caller) -> None:
    done = await call.on("consume", ("api_calls", 10), ("images", 4), idempotencyKey="same")
    again = await call.on("consume", ("api_calls", 10), ("images", 4), idempotencyKey="same")

    assert [usage_of(decision) for decision in done["decisions"]] == [
        {"used": "10", "remaining": "90"},
        {"used": "10", "remaining": "490"},
    ]
    assert (again["eventId"], again["replayed"], done["replayed"]) == (done["eventId"], True, False)


async def test_a_refusal_names_the_line_and_the_reason(call: Caller) -> None:
    refused = await call.on("consume", ("api_calls", 10), ("images", 201))

    assert (refused["__typename"], refused["code"], refused["line"]) == ("LimitExceededError", "LIMIT_EXCEEDED", 1)
    assert refused["path"] == ["input", "lines", "1"]
    assert refused["decision"]["entitlement"]["accessDeniedReason"] == "INSUFFICIENT_CREDITS"


async def test_a_reservation_is_settled_and_another_released(call: Caller) -> None:
    one = await call.on("reserve", ("ai", 75), ttlSeconds=60)
    two = await call.on("reserve", ("ai", 25))

    assert usage_of(two["decisions"][0]) == {"reserved": "100", "remaining": "400"}
    assert one["expiresAt"] == "2026-09-21T14:14:20.000Z"
    actual = [{"featureKey": "ai", "amount": "50"}]
    settled = await call("settle", reservationId=one["reservationId"], actual=actual)
    released = await call("release", reservationId=two["reservationId"])
    assert usage_of(settled["decisions"][0]) == {"used": "50", "reserved": "25", "remaining": "425"}
    assert usage_of(released["decisions"][0]) == {"used": "50", "remaining": "450"}
    assert (await call("release", reservationId=one["reservationId"]))["__typename"] == "ConflictError"
    assert (await call("release", reservationId="rsv_0"))["__typename"] == "NotFoundError"


async def test_a_level_is_set_and_usage_corrected(call: Caller) -> None:
    level = await call("setUsage", workspaceId="acme", featureKey="seats", level="7")
    recorded = await call("recordUsage", workspaceId="acme", featureKey="api_calls", amount="60")
    correction = {"workspaceId": "acme", "eventId": recorded["eventId"], "featureKey": "api_calls", "amount": "6"}
    corrected = await call("correctUsage", **correction, reason="a zero too many")

    assert usage_of(level) == {"used": "7", "overage": "2"}
    assert usage_of(corrected) == {"used": "6", "remaining": "94"}
    assert (await call("correctUsage", **correction, reason=""))["fields"] == [
        {"path": ["input", "reason"], "code": "EMPTY"}
    ]


async def test_an_entry_is_found_by_its_id(call: Caller) -> None:
    used = await call.on("consume", ("api_calls", 1))
    node = "query($i: ID!) { node(id: $i) { id ... on UsageEvent { kind } } }"

    found = await call.api.data(node, {"i": used["eventId"]}, key=call.key)

    assert found["node"] == {"id": used["eventId"], "kind": "CONSUME"}
    assert (await call.api.data(node, {"i": "use_0"}, key=call.key))["node"] is None
    assert (await call.api.data(node, {"i": "use_\x00"}, key=call.key))["node"] is None


async def record_all(call: Caller, *records: dict[str, Any]) -> list[dict[str, Any]]:
    query = f"""mutation($i: RecordUsageBatchInput!) {{ recordUsageBatch(input: $i) {{ results {{
        __typename {RECORDED} ... on UserError {{ code message path }} }} }} }}"""
    base = {"workspaceId": "acme", "featureKey": "api_calls"}
    named = [{"idempotencyKey": f"b{n}", **base, **record} for n, record in enumerate(records)]
    return (await call.api.data(query, {"i": {"records": named}}, key=call.key))["recordUsageBatch"]["results"]


async def test_the_entries_of_a_batch_stand_alone(call: Caller) -> None:
    results = await record_all(
        call,
        {"amount": "1"},
        {"amount": "-1"},
        {"amount": "2", "featureKey": "none"},
        {"amount": "3", "occurredAt": "2026-09-21T12:13:20Z", "properties": {"region": "eu"}},
        {"amount": "4", "occurredAt": "2026-09-01T00:00:00Z"},
        {"amount": "4", "occurredAt": "2026-09-22T00:00:00Z"},
        {"amount": "5", "properties": {"$where": "1"}},
        {"amount": "1", "idempotencyKey": "b0"},
        {"amount": "9", "idempotencyKey": "b0"},
    )

    assert [result["__typename"].removesuffix("Error").removesuffix("Payload") for result in results] == [
        "RecordUsage",
        "Validation",
        "NotFound",
        "RecordUsage",
        "Validation",
        "Validation",
        "Validation",
        "RecordUsage",
        "IdempotencyConflict",
    ]
    assert [result.get("replayed") for result in results if "replayed" in result] == [False, False, True]
    assert NOW == 1_790_000_000_000, "the instants above lie around it"


async def test_a_batch_of_a_thousand_is_recorded_and_of_more_refused(call: Caller) -> None:
    results = await record_all(call, *({"amount": "0.01"} for _ in range(1_000)))

    assert {result["__typename"] for result in results} == {"RecordUsagePayload"}
    done = await call.on("consume", ("api_calls", 1))
    assert usage_of(done["decisions"][0]) == {"used": "11", "remaining": "89"}
    body = {"query": "mutation { recordUsageBatch(input: { records: [] }) { results { __typename } } }"}
    answer = (await call.api.post(body, key=call.key)).json()
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


class Faltering:
    """The road of usage; the database is away for the first that comes, and takes its time for the others."""

    def __init__(self, road: UsageWriter) -> None:
        self._road = road
        self.begun = 0
        self.ended = 0

    async def write(self, request: UsageRequest) -> Accepted | Refused:
        self.begun += 1
        if self.begun == 1:
            raise UnavailableError
        for _ in range(1_000):
            await asyncio.sleep(0)  # many times as long as an answer takes
        written = await self._road.write(request)
        self.ended += 1
        return written


async def test_a_batch_that_fails_is_answered_when_nothing_of_it_goes_on_any_more(call: Caller) -> None:
    road: Any = Faltering(call.api.rt.usage)
    faltering = Caller(Api(replace_in(call.api.rt, usage=road)))
    records = [
        {"idempotencyKey": f"b{n}", "workspaceId": "acme", "featureKey": "api_calls", "amount": "1"} for n in range(3)
    ]
    query = "mutation($i: RecordUsageBatchInput!) { recordUsageBatch(input: $i) { results { __typename } } }"

    answer = await faltering.api.post({"query": query, "variables": {"i": {"records": records}}}, key=faltering.key)

    assert answer.json()["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
    assert (road.begun, road.ended) == (3, 2)


async def asked(call: Caller, query: str, **variables: Any) -> Any:
    return await call.api.data(query, variables, key=call.key)


EVENTS = """query($first: Int, $after: String, $key: String) {
  usageEvents(workspaceId: "acme", featureKey: $key, first: $first, after: $after) {
    totalCount pageInfo { hasNextPage endCursor }
    nodes { id kind occurredAt apiKeyId properties reason correctsId reservationId
      lines { featureKey amount charge draws { amount grantId resetPeriods } } } } }"""
SUMMARY = """query($from: DateTime!, $to: DateTime!, $by: Granularity!, $key: String!) {
  usageSummary(workspaceId: "acme", featureKey: $key, granularity: $by, from: $from, to: $to) {
    amount charge slices { startAt endAt amount charge events } } }"""


async def test_the_ledger_lists_what_happened_page_by_page(call: Caller) -> None:
    used = await call.on("consume", ("images", 4), ("api_calls", 1))
    await record_all(
        call, {"amount": "3", "occurredAt": "2026-09-21T12:13:20Z", "properties": {"region": "eu"}}, {"amount": "2"}
    )
    reserved = await call.on("reserve", ("ai", 5))
    await call("correctUsage", workspaceId="acme", eventId=used["eventId"], featureKey="images", amount=2, reason="oh")

    first = (await asked(call, EVENTS, first=3))["usageEvents"]
    rest = (await asked(call, EVENTS, first=3, after=first["pageInfo"]["endCursor"]))["usageEvents"]
    of_images = (await asked(call, EVENTS, key="images"))["usageEvents"]

    assert (first["totalCount"], first["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasNextPage"]) == (5, True, False)
    listed = [*first["nodes"], *rest["nodes"]]
    assert len({node["id"] for node in listed}) == 5
    assert sorted(node["kind"] for node in listed) == ["CONSUME", "CORRECT", "RECORD", "RECORD", "RESERVE"]
    assert (listed[-1]["occurredAt"], listed[-1]["properties"]) == ("2026-09-21T12:13:20.000Z", {"region": "eu"})
    assert {node["reservationId"] for node in listed} == {None, reserved["reservationId"]}
    consumed = next(node for node in of_images["nodes"] if node["kind"] == "CONSUME")
    assert consumed["lines"][0] == {
        "featureKey": "images",
        "amount": "4",
        "charge": "10",
        "draws": [{"amount": "10", "grantId": "grant_ai", "resetPeriods": []}],
    }
    correction = next(node for node in of_images["nodes"] if node["kind"] == "CORRECT")
    assert (correction["correctsId"], correction["reason"]) == (used["eventId"], "oh")
    assert correction["lines"][0]["draws"] == [{"amount": "-5", "grantId": "grant_ai", "resetPeriods": []}]


async def test_usage_is_summed_up_by_slices_corrections_included(call: Caller) -> None:
    used = await call.on("consume", ("images", 4), ("api_calls", 1))
    hours = ("11:59:59.999", "12:00:00", "13:30:00")
    await record_all(
        call, *({"amount": "0.1", "featureKey": "images", "occurredAt": f"2026-09-21T{hour}Z"} for hour in hours)
    )
    await call.on("reserve", ("images", 100))
    await call("correctUsage", workspaceId="acme", eventId=used["eventId"], featureKey="images", amount=2, reason="oh")

    range_ = {"from": "2026-09-21T12:00:00Z", "to": "2026-09-21T15:00:00Z", "key": "images"}
    found = (await asked(call, SUMMARY, by="HOUR", **range_))["usageSummary"]

    assert (found["amount"], found["charge"]) == ("2.2", "5.5")
    assert [(part["startAt"][11:16], part["amount"], part["events"]) for part in found["slices"]] == [
        ("12:00", "0.1", 1),
        ("13:00", "0.1", 1),
        ("14:00", "2", 2),
    ]
    monthly = (await asked(call, SUMMARY, by="MONTH", **range_))["usageSummary"]
    assert [(part["startAt"], part["endAt"], part["amount"]) for part in monthly["slices"]] == [
        ("2026-09-01T00:00:00.000Z", "2026-10-01T00:00:00.000Z", "2.2")
    ]


async def test_a_credit_type_is_summed_up_with_all_that_drew_on_it(call: Caller) -> None:
    await call.on("consume", ("images", 4), ("ai", 1))
    range_ = {"from": "2026-09-21T12:00:00Z", "to": "2026-09-21T15:00:00Z", "key": "ai"}

    found = (await asked(call, SUMMARY, by="HOUR", **range_))["usageSummary"]

    assert (found["amount"], found["charge"]) == ("11", "11")


@pytest.mark.parametrize(
    "wrong",
    [
        {"from": "2026-09-21T12:00:00Z", "to": "2026-09-21T12:00:00Z"},
        {"from": "2020-09-21T12:00:00Z", "to": "2026-09-21T12:00:00Z"},
        {"from": "9999-12-31T00:00:00Z", "to": "9999-12-31T12:00:00Z"},
        {"key": "none"},
    ],
)
async def test_summaries_of_nothing_are_refused(call: Caller, wrong: dict[str, str]) -> None:
    good = {"from": "2026-09-21T12:00:00Z", "to": "2026-09-21T15:00:00Z", "key": "images", "by": "HOUR"}

    answer = await call.api.ask(SUMMARY, {**good, **wrong}, key=call.key)

    assert answer["errors"][0]["extensions"]["code"] in {"BAD_USER_INPUT", "NOT_FOUND"}
