"""A backfill as callers see it."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from support.api import Api, greet, read, served, socket, subscribe, until
from support.records import NOW
from support.runtime import FakeJobs, FakeStripe, running
from websockets.asyncio.client import ClientConnection

from app.domain.api_key import Scope
from app.domain.errors import UnavailableError
from app.domain.stripe_backfill import Backfill, TypeCount, failed, finished
from app.domain.stripe_event import ObjectName
from app.ports.jobs import S
from app.services.stripe_backfill import JOB

FIELDS = """id status dryRun counts { type listed changed parked failed } listed objectsPerSecond secondsLeft
    changed { type id } trouble failure startedAt finishedAt"""
SHOW = f"{{ stripeBackfill {{ {FIELDS} }} }}"
START = f"""mutation($key: String!, $dry: Boolean!) {{
    backfillStripe(input: {{ idempotencyKey: $key, dryRun: $dry }}) {{ __typename
    ... on BackfillStripePayload {{ replayed backfill {{ {FIELDS} }} }}
    ... on UserError {{ code message path }} }} }}"""
CHANGED = "subscription { stripeBackfillChanged { id status listed secondsLeft } }"
RUN = Backfill(
    id="backfill_1",
    request="key_1:k",
    dry_run=False,
    started_at=NOW,
    counts=(TypeCount(type="customer", listed=120, changed=7, parked=2, failed=1),),
    changed=(ObjectName("customer", "cus_1"),),
    worked_ms=60_000,
    list_worked_ms=60_000,
    newest_at=NOW - 1000,
    oldest_at=NOW - 2000,
    account_since_at=NOW - 4000,
    trouble="Stripe did not answer within 15 s",
)


@pytest.fixture
def api() -> Api:
    return Api()


async def shown(api: Api) -> Any:
    return (await api.data(SHOW))["stripeBackfill"]


async def test_there_may_have_been_none(api: Api) -> None:
    assert await shown(api) is None


async def test_one_that_runs_tells_how_far_it_is(api: Api) -> None:
    await api.jobs.write(JOB, RUN, revision=0)

    assert await shown(api) == {
        "id": "backfill_1",
        "status": "RUNNING",
        "dryRun": False,
        "counts": [{"type": "customer", "listed": 120, "changed": 7, "parked": 2, "failed": 1}],
        "listed": 120,
        "objectsPerSecond": "2",
        "secondsLeft": 120,
        "changed": [{"type": "customer", "id": "cus_1"}],
        "trouble": "Stripe did not answer within 15 s",
        "failure": None,
        "startedAt": "2026-09-21T14:13:20.000Z",
        "finishedAt": None,
    }


async def test_one_that_has_ended_tells_how(api: Api) -> None:
    await api.jobs.write(JOB, finished(RUN, NOW), revision=0)
    well = await shown(api)
    await api.jobs.write(JOB, failed(RUN, "Stripe refuses: no", NOW), revision=1)
    badly = await shown(api)

    assert (well["status"], well["secondsLeft"], well["trouble"]) == ("FINISHED", None, None)
    assert (badly["status"], badly["failure"]) == ("FAILED", "Stripe refuses: no")
    assert badly["finishedAt"] == "2026-09-21T14:13:20.000Z"


async def test_it_is_started_once_and_a_second_one_is_a_conflict(mongodb_uri: str, database: str) -> None:
    async with running(mongodb_uri, database) as rt:
        api = Api(replace(rt, stripe=FakeStripe()))
        first = (await api.data(START, {"key": "k1", "dry": True}))["backfillStripe"]
        again = (await api.data(START, {"key": "k1", "dry": True}))["backfillStripe"]
        other = (await api.data(START, {"key": "k2", "dry": True}))["backfillStripe"]

        assert (first["__typename"], first["replayed"]) == ("BackfillStripePayload", False)
        assert again == {**first, "replayed": True}
        assert await shown(api) == first["backfill"]
        assert other["code"] == "CONFLICT"
        assert f"{first['backfill']['id']} runs already" in other["message"]


async def test_without_a_key_to_ask_stripe_with_it_is_refused(mongodb_uri: str, database: str) -> None:
    async with running(mongodb_uri, database) as rt:
        assert await Api(rt).code(START, {"key": "k1", "dry": True}) == "STRIPE_REFUSED"


async def pushed(ws: ClientConnection) -> Any:
    message = await read(ws)
    assert message["type"] == "next", message
    return message["payload"]["data"]["stripeBackfillChanged"]


async def test_its_progress_is_pushed_whichever_process_makes_it(api: Api) -> None:
    more = msgspec.structs.replace(RUN, counts=(TypeCount(type="customer", listed=220),))
    async with served(api.app) as host, socket(host) as ws:
        await greet(ws, api.key())
        await subscribe(ws, CHANGED)
        none = await pushed(ws)
        await api.jobs.write(JOB, RUN, revision=0)
        begun = await pushed(ws)
        await api.jobs.write(JOB, more, revision=1)
        on = await pushed(ws)
        await api.jobs.write(JOB, finished(more, NOW), revision=2)
        done = await pushed(ws)

    assert none is None
    assert begun == {"id": "backfill_1", "status": "RUNNING", "listed": 120, "secondsLeft": 120}
    assert (on["status"], on["listed"], done["status"]) == ("RUNNING", 220, "FINISHED")


async def test_while_the_database_is_away_the_progress_waits(api: Api) -> None:
    class Away(FakeJobs):
        is_away = True
        asked = 0

        async def read(self, name: str, type: type[S]) -> tuple[S | None, int]:
            self.asked += 1
            if self.is_away:
                raise UnavailableError
            return await super().read(name, type)

    jobs = Away()
    await jobs.write(JOB, RUN, revision=0)
    away = Api(replace(api.rt, jobs=jobs))
    async with served(away.app) as host, socket(host) as ws:
        await greet(ws, away.key())
        await subscribe(ws, CHANGED)
        await until(lambda: jobs.asked > 1)
        jobs.is_away = False

        assert (await pushed(ws))["listed"] == 120


async def test_its_progress_needs_a_scope(api: Api) -> None:
    async with served(api.app) as host, socket(host) as ws:
        await greet(ws, api.key(Scope.BILLING_READ))
        await subscribe(ws, CHANGED)
        message = await read(ws)

    assert message["payload"][0]["extensions"]["code"] == "FORBIDDEN"
