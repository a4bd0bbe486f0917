"""Writes of the catalogue that come at the same moment: each is decided on what the one before it wrote."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any, Literal

import pymongo
import pytest
from support.clock import SequentialIds
from support.records import feature
from support.runtime import ADMIN, put, running

from app.domain.change import Kind
from app.domain.errors import CatalogueFault, CatalogueFaultsError, ConflictError, UnavailableError, ValidationError
from app.domain.plan import FeatureType, Plan, PlanPrice
from app.ports.store import RecordStore
from app.runtime import Runtime
from app.services import plans
from app.services.catalogue.applying import Applied, ApplyCatalogueInput, apply_catalogue

ROUNDS = 8
BURST = 12
Replicas = tuple[Runtime, Runtime]


@pytest.fixture
async def replicas(mongodb_uri: str, database: str) -> AsyncIterator[Replicas]:
    """Two processes on one database, neither of which hears of what the other one writes."""
    ids = SequentialIds()
    async with running(mongodb_uri, database, ids=ids) as here, running(mongodb_uri, database, ids=ids) as there:
        yield here, there


@pytest.fixture
def rt(replicas: Replicas) -> Runtime:
    return replicas[0]


class Meeting:
    """A store whose first write waits until as many writers have come: all of them have decided by then."""

    def __init__(self, store: RecordStore, barrier: asyncio.Barrier) -> None:
        self._store = store
        self._barrier: asyncio.Barrier | None = barrier

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def write(self, *arguments: Any, **named: Any) -> None:
        barrier, self._barrier = self._barrier, None
        if barrier is not None:
            async with asyncio.timeout(10):
                await barrier.wait()
        await self._store.write(*arguments, **named)


def meeting(replicas: Replicas) -> Replicas:
    """Give the replicas anew, so that both have decided before either writes."""
    barrier = asyncio.Barrier(2)
    here, there = (replace(rt, store=Meeting(rt.store, barrier)) for rt in replicas)
    return here, there


async def apply(rt: Runtime, source: str, key: str, *, dry_run: bool = False) -> Applied:
    return await apply_catalogue(rt, ADMIN, ApplyCatalogueInput(idempotency_key=key, source=source, dry_run=dry_run))


async def refusal(applying: Awaitable[Applied]) -> tuple[CatalogueFault, ...]:
    """Return the faults for which the file was refused, none where it was applied."""
    try:
        await applying
    except CatalogueFaultsError as error:
        return error.faults
    return ()


async def create_plan(rt: Runtime, idempotency_key: str, key: str, **fields: Any) -> Plan:
    request = plans.CreatePlanInput(idempotency_key=idempotency_key, key=key, name="P", **fields)
    return (await plans.create_plan(rt, ADMIN, request)).record


async def create_feature(rt: Runtime, key: str, **fields: Any) -> None:
    request = {"idempotency_key": f"feature {key}", "key": key, "name": "F", "type": FeatureType.BOOLEAN, **fields}
    await plans.create_feature(rt, ADMIN, plans.CreateFeatureInput(**request))


async def edition(rt: Runtime) -> int:
    """Return the number of the stored edition, 0 before the first."""
    stored = await rt.store.read(Kind.EDITION, ("catalogue",))
    return stored["catalogue"].version if stored else 0


# A digit stands for %, so that each round has a catalogue of its own.
A_PRICE = "name = 'P'\nprices = [{ lookup_key = 'price_%' }]"
FEATURE = "[features.f%]\nname = 'F'\ntype = 'BOOLEAN'"
CREDITS = "[credits.c%]\nname = 'C'"

rivals = pytest.mark.parametrize(
    ("before", "one", "other", "codes"),
    [
        pytest.param("", f"[plans.a%]\n{A_PRICE}", f"[plans.b%]\n{A_PRICE}", {"TAKEN"}, id="a price for two plans"),
        pytest.param("", f"[plans.a%]\n{A_PRICE}", f"[add_ons.b%]\n{A_PRICE}", {"TAKEN"}, id="a plan and an add-on"),
        pytest.param("", "[plans.a%]\nname = 'P'", "[add_ons.a%]\nname = 'P'", {"TAKEN"}, id="a key of two kinds"),
        pytest.param(
            FEATURE,
            "features.f%.archived = true",
            "[plans.a%]\nname = 'P'\nfeatures = { f% = true }",
            {"IN_USE", "ARCHIVED"},
            id="a plan names what is archived",
        ),
        pytest.param(
            CREDITS,
            "credits.c%.archived = true",
            "[features.f%]\nname = 'F'\ntype = 'CREDIT'\ncredit = 'c%'\ncost = 1",
            {"IN_USE", "NOT_ALLOWED"},
            id="a feature draws on what is archived",
        ),
        pytest.param(
            "[plans.a%]\nname = 'P'",
            "plans.a%.archived = true",
            "default_plan = 'a%'",
            {"IN_USE", "ARCHIVED"},
            id="the default is archived",
        ),
    ],
)


async def race(here: Runtime, there: Runtime, one: str, other: str, codes: set[str]) -> None:
    """Apply both files at once: one is applied, and the other refused with what it is told when it comes second."""
    refused = await asyncio.gather(refusal(apply(here, one, one)), refusal(apply(there, other, other)))

    assert [bool(faults) for faults in refused] in ([True, False], [False, True])
    loser, faults = (one, refused[0]) if refused[0] else (other, refused[1])
    assert {fault.code for fault in faults} <= codes
    assert faults == await refusal(apply(here, loser, loser))


@rivals
async def test_of_two_files_that_pass_alone_and_not_together_one_is_applied(
    replicas: Replicas, before: str, one: str, other: str, codes: set[str]
) -> None:
    for number in map(str, range(ROUNDS)):
        await apply(replicas[0], before.replace("%", number), f"before {number}")
        here, there = replicas if number < "4" else replicas[::-1]

        await race(here, there, one.replace("%", number), other.replace("%", number), codes)


@rivals
async def test_one_is_applied_where_both_had_decided_before_either_wrote(
    replicas: Replicas, before: str, one: str, other: str, codes: set[str]
) -> None:
    await apply(replicas[0], before.replace("%", "0"), "before")

    await race(*meeting(replicas), one.replace("%", "0"), other.replace("%", "0"), codes)


async def test_the_first_edition_is_made_once(replicas: Replicas) -> None:
    here, there = meeting(replicas)

    await asyncio.gather(*(apply(rt, FEATURE.replace("%", key), key) for rt, key in ((here, "a"), (there, "b"))))

    assert await edition(replicas[0]) == 2


async def test_two_files_that_name_a_default_leave_one(replicas: Replicas) -> None:
    for number in range(ROUNDS):
        files = [f"default_plan = '{key}{number}'\n[plans.{key}{number}]\nname = 'P'" for key in "ab"]

        await asyncio.gather(*(apply(rt, file, file) for rt, file in zip(replicas, files, strict=True)))

        await apply(replicas[0], "", f"look {number}")
        assert len(replicas[0].cache.catalogue().declared_defaults) == 1


@pytest.mark.parametrize(
    "fields", [{"is_default": True}, {"prices": (PlanPrice(lookup_key="monthly"),)}], ids=["default", "price"]
)
async def test_of_two_plans_published_at_once_one_is_refused(replicas: Replicas, fields: dict[str, Any]) -> None:
    here, there = meeting(replicas)

    done = await asyncio.gather(
        create_plan(here, "1", "a", **fields), create_plan(there, "2", "b", **fields), return_exceptions=True
    )

    assert sorted(type(answer).__name__ for answer in done) == ["Plan", "ValidationError"]
    with pytest.raises(ValidationError):
        await create_plan(*(there, "3", "b") if isinstance(done[0], Plan) else (here, "3", "a"), **fields)


async def test_a_burst_on_two_replicas_is_written_one_after_the_other(replicas: Replicas) -> None:
    made = await asyncio.gather(*(create_plan(replicas[n % 2], str(n), "pro") for n in range(BURST)))

    assert sorted(plan.plan_version for plan in made) == list(range(1, BURST + 1))
    assert await edition(replicas[0]) == BURST


async def test_a_feature_is_created_once_however_many_ask(replicas: Replicas) -> None:
    asked = (create_feature(replicas[n % 2], "api", idempotency_key=str(n)) for n in range(BURST))

    done = await asyncio.gather(*asked, return_exceptions=True)

    refused = [str(answer) for answer in done if isinstance(answer, ConflictError)]
    assert refused == ["feature 'api' exists already"] * (BURST - 1)


def archiving(key: str) -> plans.ArchivePlanInput:
    return plans.ArchivePlanInput(idempotency_key="archive", key=key)


WRITES: dict[str, Callable[[Runtime], Awaitable[Any]]] = {
    "applyCatalog": lambda rt: apply(rt, FEATURE.replace("%", "9"), "new"),
    "createFeature": lambda rt: create_feature(rt, "new"),
    "createPlan": lambda rt: create_plan(rt, "new", "new"),
    "createAddOn": lambda rt: plans.create_add_on(
        rt, ADMIN, plans.CreateAddOnInput(idempotency_key="new", key="new", name="N")
    ),
    "archiveFeature": lambda rt: plans.archive_feature(
        rt, ADMIN, plans.ArchiveFeatureInput(idempotency_key="archive", feature_key="f0")
    ),
    "archivePlan": lambda rt: plans.archive_plan(rt, ADMIN, archiving("a0")),
    "archiveAddOn": lambda rt: plans.archive_add_on(rt, ADMIN, archiving("b0")),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
async def test_every_write_raises_the_edition_once(rt: Runtime, write: Callable[[Runtime], Awaitable[Any]]) -> None:
    await apply(rt, f"{FEATURE}\n[plans.a%]\nname = 'P'\n[add_ons.b%]\nname = 'P'".replace("%", "0"), "before")

    await write(rt)
    await write(rt)

    assert await edition(rt) == 2


async def test_what_writes_nothing_leaves_the_edition_alone(rt: Runtime) -> None:
    file = FEATURE.replace("%", "0")
    await apply(rt, file, "a", dry_run=True)
    assert await edition(rt) == 0

    await apply(rt, file, "a")
    await apply(rt, file, "b")
    with pytest.raises(CatalogueFaultsError):
        await apply(rt, "[plans.a]", "c")

    assert await edition(rt) == 1


async def test_what_another_client_writes_is_seen_and_raises_no_edition(rt: Runtime) -> None:
    await put(rt, feature("api_calls"))

    with pytest.raises(ConflictError, match="'api_calls' exists already"):
        await create_feature(rt, "api_calls")

    assert await edition(rt) == 0


async def test_an_edition_that_another_client_deleted_begins_anew(
    mongodb_uri: str, database: str, replicas: Replicas
) -> None:
    await create_feature(replicas[0], "one")
    with pymongo.MongoClient[dict[str, Any]](mongodb_uri) as client:
        client[database]["editions"].delete_many({})

    await asyncio.gather(create_feature(replicas[0], "two"), create_feature(replicas[1], "three"))

    assert await edition(replicas[0]) == 2


class NeverFree(asyncio.Lock):
    """A lock for which everybody waits too long."""

    async def acquire(self) -> Literal[True]:
        raise TimeoutError


async def test_who_waits_too_long_for_others_is_told_to_retry(rt: Runtime) -> None:
    with pytest.raises(UnavailableError, match="retry"):
        await create_feature(replace(rt, catalogue_turn=NeverFree()), "one")


async def test_who_gives_up_waiting_leaves_the_turn_to_others(rt: Runtime) -> None:
    async with rt.catalogue_turn:
        waiting = asyncio.create_task(create_feature(rt, "one"))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])

    await create_feature(rt, "two")

    assert await edition(rt) == 1
