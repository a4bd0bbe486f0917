"""kill -9 in the middle of consume, reserve, settle and release: every idempotency key counts exactly once."""

import asyncio
import itertools
import signal
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pymongo
import pytest
from support.metering import (
    UnansweredError,
    added_up,
    clients_of,
    insist,
    is_accepted,
    ledger,
    lines,
    make_funded_workspace,
    make_metered_catalogue,
    replicas,
    send,
    standing,
)
from support.service import Api, Service, eventually_equal

GIVEN = 100_000
WORKSPACES = 3
JOBS = 240
AT_A_TIME = 24
KILLS = 3
SOON_S = 1

Entry = tuple[str, str]
"""A mutation's name, and its idempotency key."""


@pytest.fixture
def impatient_mongodb(mongodb_uri: str) -> Iterator[str]:
    """Let the server end within seconds what a killed process has left open."""
    name = "transactionLifetimeLimitSeconds"
    with pymongo.MongoClient[dict[str, Any]](mongodb_uri) as client:
        before = client.admin.command("setParameter", 1, **{name: 1})["was"]
        yield mongodb_uri
        client.admin.command("setParameter", 1, **{name: before})


class Flood:
    """Jobs that run side by side, each of which sends every request until it is answered."""

    def __init__(self, clients: list[Api], workspaces: list[str]) -> None:
        self.clients = clients
        self.workspaces = workspaces
        self.requests: dict[Entry, dict[str, Any]] = {}
        self.answers: dict[Entry, dict[str, Any]] = {}
        self.lost: set[Entry] = set()
        self.open = asyncio.Event()
        """New jobs begin; those that have begun go on in any case."""
        self.used: Counter[str] = Counter()
        """By workspace, reckoned from what was asked."""
        self.held: Counter[str] = Counter()
        """What is reserved for long."""

    async def run(self) -> None:
        numbers = iter(range(JOBS))

        async def caller() -> None:
            for number in numbers:
                await self.open.wait()
                await self.job(number)

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_A_TIME):
                group.create_task(caller())

    async def job(self, number: int) -> None:
        """Consume; or reserve, and then settle, release, keep it or let it expire."""
        workspace, amount = self.workspaces[number % WORKSPACES], 2 + number % 7
        wanted = {"workspaceId": workspace, "lines": lines(ai=amount)}
        end = ("consume", "settle", "release", "keep", "expire")[number % 5]
        if end == "consume":
            await self.insist("consume", f"c{number}", **wanted)
            self.used[workspace] += amount
            return
        ttl_s = SOON_S if end == "expire" else 3600
        reserved = await self.insist("reserve", f"r{number}", **wanted, ttlSeconds=ttl_s)
        reservation_id = reserved["reservationId"]
        match end:
            case "settle":
                await self.insist("settle", f"s{number}", reservationId=reservation_id, actual=lines(ai=amount - 1))
                self.used[workspace] += amount - 1
            case "release":
                await self.insist("release", f"l{number}", reservationId=reservation_id)
            case "keep":
                self.held[workspace] += amount

    async def insist(self, name: str, key: str, **fields: Any) -> dict[str, Any]:
        """Send a request to one process after the other until one answers it."""
        entry, request = (name, key), {"idempotencyKey": key, **fields}
        self.requests[entry] = request
        for client in itertools.cycle(self.clients):
            try:
                answer = self.answers[entry] = await send(client, name, **request)
            except UnansweredError:
                self.lost.add(entry)
                await asyncio.sleep(0.05)
                continue
            assert is_accepted(answer), answer
            return answer
        raise AssertionError

    async def assert_replayed(self, client: Api, entries: Iterable[Entry]) -> None:
        """Send requests once more: each is answered by what was written then."""

        async def check(name: str, key: str) -> None:
            answer = await insist(client, name, **self.requests[name, key])
            assert answer == self.answers[name, key] | {"replayed": True}, (name, key)

        await asyncio.gather(*(check(*entry) for entry in entries))


async def kill_again_and_again(victim: Service, flood: Flood) -> None:
    """Kill the process in the middle of the flood, each time after it has answered for a while, and start it again."""
    for kill in range(1, KILLS + 1):
        flood.open.set()

        async def is_due(answers: int = kill * (JOBS // (KILLS + 1))) -> bool:
            return len(flood.answers) >= answers

        await eventually_equal(is_due, expected=True)
        assert await asyncio.to_thread(victim.stop, signal.SIGKILL) == -signal.SIGKILL
        flood.open.clear()
        await asyncio.to_thread(victim.start().wait_until_ready)
    flood.open.set()


@pytest.mark.timeout(300)
async def test_every_key_counts_once_whenever_a_process_is_killed(
    impatient_mongodb: str, database: str, tmp_path: Path
) -> None:
    with replicas(impatient_mongodb, database, tmp_path, 2) as (victim, steady):
        async with clients_of((victim, steady)) as clients:
            await make_metered_catalogue(clients[1])
            workspaces = [await make_funded_workspace(clients[1], f"w{n}", GIVEN) for n in range(WORKSPACES)]
            flood = Flood(clients, workspaces)

            async with asyncio.TaskGroup() as group:
                group.create_task(kill_again_and_again(victim, flood))
                await flood.run()

            assert len(flood.lost) >= KILLS
            for client in clients:
                await flood.assert_replayed(client, flood.lost)
            await flood.assert_replayed(clients[1], flood.answers.keys() - flood.lost)
            entries = [entry for workspace in workspaces for entry in await ledger(clients[0], workspace)]
            assert Counter(entry["kind"].lower() for entry in entries) == Counter(name for name, _ in flood.requests)
            assert {entry["id"] for entry in entries} == {answer["eventId"] for answer in flood.answers.values()}
            for workspace in workspaces:
                for client in clients:
                    await assert_adds_up(client, workspace, flood)


async def assert_adds_up(client: Api, workspace: str, flood: Flood) -> None:
    """Compare what was reckoned, the ledger replayed, and what this process answers once reservations have expired."""
    used, held = flood.used[workspace], flood.held[workspace]
    now = datetime.now(UTC)  # noqa: TID251 - the service's clock is the machine's
    in_a_minute = (now + timedelta(minutes=1)).isoformat()
    replayed = added_up(await ledger(client, workspace), "ai", at=in_a_minute)
    assert [sum(amounts.values()) for amounts in replayed] == [used, held]

    async def told() -> list[Decimal]:
        found = await standing(client, workspace, "ai")
        return [found["used"], found["reserved"], found["remaining"], *found["left"].values()]

    left = GIVEN - used - held
    await eventually_equal(told, [used, held, left, left])
