"""Limits hold under contention, over HTTP, from one process and from three; a revocation gets through a flood."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any

import pymongo
import pytest
from support.metering import (
    PLAN,
    added_up,
    clients_of,
    insist,
    is_accepted,
    ledger,
    lines,
    make_funded_workspace,
    make_metered_catalogue,
    reason,
    replicas,
    standing,
)
from support.service import Api, Service, eventually_equal

CREDITS = 500
RESERVATIONS = 20
BASKETS = 200
CALLS = 200
FLOOD = 20


@pytest.fixture(scope="module")
def services(
    mongodb_uri: str, shared_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Service]]:
    with replicas(mongodb_uri, shared_database, tmp_path_factory.mktemp("replicas"), 3) as started:

        async def make() -> None:
            async with clients_of(started[:1]) as (client,):
                await make_metered_catalogue(client)

        asyncio.run(make())
        yield started


@pytest.fixture
async def clients(services: list[Service]) -> AsyncIterator[list[Api]]:
    async with clients_of(services) as opened:
        yield opened


async def followed(clients: list[Api], workspace_id: str, key: str, **expected: Any) -> None:
    """Wait until every replica tells the same."""
    for client in clients:

        async def told(client: Api = client) -> dict[str, Any]:
            found = await standing(client, workspace_id, key)
            return {name: found.get(name) for name in expected}

        await eventually_equal(told, expected)


@pytest.mark.parametrize("count", [1, 3])
async def test_twenty_reservations_of_75_on_500_grant_six(clients: list[Api], name: str, count: int) -> None:
    workspace_id = await make_funded_workspace(clients[0], name, CREDITS)
    await followed(clients, workspace_id, "ai", remaining=CREDITS)

    answers = await asyncio.gather(
        *(
            insist(clients[n % count], "reserve", idempotencyKey=f"r{n}", workspaceId=name, lines=lines(ai=75))
            for n in range(RESERVATIONS)
        )
    )

    assert sum(map(is_accepted, answers)) == 6
    assert {reason(answer) for answer in answers} == {None, "INSUFFICIENT_CREDITS"}
    entries = await ledger(clients[0], workspace_id)
    used, held = added_up(entries, "ai")
    assert (len(entries), used, list(held.values())) == (6, {}, [450])
    await followed(clients, workspace_id, "ai", remaining=50, reserved=450, used=0)


async def test_two_hundred_baskets_overspend_nothing_and_are_never_taken_by_half(clients: list[Api], name: str) -> None:
    workspace_id = await make_funded_workspace(clients[0], name, 350, 150)
    await followed(clients, workspace_id, "ai", remaining=CREDITS)
    await followed(clients, workspace_id, "api_calls", remaining=CALLS)

    async def basket(n: int, client: Api) -> dict[str, Any]:
        wanted = lines(api_calls=1 + n % 3, images=2)
        return await insist(client, "consume", idempotencyKey=f"b{n}", workspaceId=name, lines=wanted)

    async def twins(n: int) -> list[dict[str, Any]]:
        return await asyncio.gather(basket(n, clients[n % 3]), basket(n, clients[(n + 1) % 3]))

    answers = await asyncio.gather(*(twins(n) if n % 4 == 0 else basket(n, clients[n % 3]) for n in range(BASKETS)))
    again = await asyncio.gather(*(basket(n, clients[(n + 2) % 3]) for n in range(BASKETS)))

    accepted: dict[str, int] = {}
    for n, first in enumerate(answers):
        said = [*(first if isinstance(first, list) else [first]), again[n]]
        assert len({reason(answer) for answer in said}) == 1, said
        if is_accepted(again[n]):
            assert len({answer["eventId"] for answer in said}) == 1, said
            assert [answer["replayed"] for answer in said].count(False) <= 1, said
            assert again[n]["replayed"]
            accepted[again[n]["eventId"]] = n
    entries = await ledger(clients[0], workspace_id)
    assert {entry["id"] for entry in entries} == accepted.keys()
    for entry in entries:
        wanted = lines(api_calls=1 + accepted[entry["id"]] % 3, images=2)
        assert [{name: line[name] for name in ("featureKey", "amount")} for line in entry["lines"]] == wanted
    await assert_conserved(clients, workspace_id, entries)


async def assert_conserved(clients: list[Api], workspace_id: str, entries: list[dict[str, Any]]) -> None:
    """Compare, grant by grant and on every replica, what was given with what is left and used; one limit is reached."""
    burnt, calls = added_up(entries, "ai", "images")[0], added_up(entries, "api_calls")[0][PLAN]
    spent = sum(burnt.values())
    assert spent == 5 * len(entries) <= CREDITS
    assert calls <= CALLS
    assert spent == CREDITS or calls > CALLS - 3
    await followed(clients, workspace_id, "ai", used=spent, reserved=0, remaining=CREDITS - spent)
    await followed(clients, workspace_id, "api_calls", used=calls, reserved=0, remaining=CALLS - calls)
    for client in clients:
        left: dict[str, Decimal] = (await standing(client, workspace_id, "ai"))["left"]
        assert sorted(left[grant] + burnt.get(grant, 0) for grant in left) == [150, 350]


async def test_a_revocation_gets_through_a_flood(
    clients: list[Api], name: str, mongodb_uri: str, shared_database: str
) -> None:
    workspace_id = await make_funded_workspace(clients[0], name, 1_000_000)
    await followed(clients, workspace_id, "ai", remaining=1_000_000)
    reasons: list[list[str | None]] = [[] for _ in range(FLOOD)]
    over = asyncio.Event()

    async def caller(number: int) -> None:
        while not over.is_set():
            key = f"f{number}-{len(reasons[number])}"
            wanted = {"idempotencyKey": key, "workspaceId": name, "lines": lines(ai=1)}
            reasons[number].append(reason(await insist(clients[number % 3], "consume", **wanted)))

    async def latest() -> set[str | None]:
        return {said[-1] if said else "nothing yet" for said in reasons}

    async with asyncio.TaskGroup() as flood:
        for number in range(FLOOD):
            flood.create_task(caller(number))
        try:
            await eventually_equal(latest, {None})
            with pymongo.MongoClient[dict[str, Any]](mongodb_uri) as foreign:
                override = {"_id": f"ovr_{name}", "workspaceId": workspace_id, "featureKey": "ai", "revoked": True}
                foreign[shared_database].overrides.insert_one(override)
            await eventually_equal(latest, {"REVOKED"})
        finally:
            over.set()

    for said in reasons:
        granted = said.index("REVOKED")
        assert said == [None] * granted + ["REVOKED"] * (len(said) - granted)
    entries = await ledger(clients[0], workspace_id)
    granted = sum(said.count(None) for said in reasons)
    assert added_up(entries, "ai")[0] == {line["draws"][0]["grantId"]: granted for line in entries[0]["lines"]}
    assert len(entries) == granted
