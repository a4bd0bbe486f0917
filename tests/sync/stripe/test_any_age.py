"""Events of any age and version, and broken ones: the webhook never answers 5xx, and no worker trips over them."""

import asyncio
import json
import re
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from support.stripe import SECRET, T0, Json, sign
from support.stripe_ages import AGES, ENVELOPES
from support.stripe_world import Replica, World
from support.sync import at_work
from support.virtual_time import run_virtually

from app.domain.stripe_event import FetchedObject, StripeEventStatus, StripeObjectState
from app.gateways.stripe_signatures import StripeSignatures
from app.http.stripe_webhook import PATH, webhook_route

OUR_OWN_FAULT = re.compile(r"^[A-Z]\w*(Error|Exception|Exit): ")
WORDS = ("created", "updated", "deleted", "paid", "succeeded", "completed", "upcoming", "galactic")


class Echo:
    """Stripe's API, which answers with whatever the event told, in whatever shape."""

    def __init__(self, told: Json) -> None:
        self._told = told

    async def retrieve(self, type: str, id: str) -> FetchedObject:
        is_it = self._told.get("object") == type and self._told.get("id", id) == id
        return FetchedObject(id, type, json.dumps({**self._told, "id": id}) if is_it else "", None, gone=not is_it)


async def receive(replica: Replica, event: Json) -> int:
    clock = replica.rt.clock
    route = webhook_route(
        replica.inbox,
        StripeSignatures((SECRET,), clock),
        clock=clock,
        wake=replica.worker.wake,
        metrics=replica.rt.metrics,
    )
    body = json.dumps(event).encode()
    headers = {"stripe-signature": sign(body, clock.now_at() // 1000)}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(Starlette(routes=[route]))) as client:
        return (await client.post(f"http://test{PATH}", content=body, headers=headers)).status_code


async def reasons(event: Json, processor: Echo | None) -> tuple[int, list[str]]:
    """Let it be received and worked on; return the webhook's answer, and why anything failed."""
    world = World(0, has_key=processor is not None, is_calm=True)
    replica = world.replica(processor=processor)
    async with at_work(replica.worker.run):
        status = await receive(replica, event)
        async with asyncio.timeout(7200):
            while any(dirty.state is StripeObjectState.PENDING for dirty in world.database.dirty.values()):
                await asyncio.sleep(10)
    assert all(stored.status is not StripeEventStatus.RECEIVED for stored in world.database.events.values())
    failed = [stored.reason for stored in world.database.events.values()]
    failed += [dirty.last_error for dirty in world.database.dirty.values()]
    return status, [reason for reason in failed if reason]


def event_of(told: Json, envelope: Json, word: str = "updated") -> Json:
    stem = "customer.subscription" if told.get("object") == "subscription" else told.get("object")
    about = {"id": "evt_1", "object": "event", "type": f"{stem}.{word}", "created": T0, "livemode": False}
    return {**about, **envelope, "data": {"object": told}}


@pytest.mark.parametrize("has_key", [True, False], ids=["fetched", "provisional"])
@pytest.mark.parametrize("envelope", ENVELOPES)
@pytest.mark.parametrize("age", AGES)
def test_an_event_of_any_age_is_taken_and_trips_nobody(age: str, envelope: str, has_key: bool) -> None:  # noqa: FBT001
    status, failed = run_virtually(
        reasons(event_of(AGES[age], ENVELOPES[envelope]), Echo(AGES[age]) if has_key else None)
    )

    assert status == 200
    assert [reason for reason in failed if OUR_OWN_FAULT.match(reason)] == []


class Tripped(Echo):
    """What a fault of ours would be like."""

    async def retrieve(self, type: str, id: str) -> FetchedObject:
        raise KeyError(type, id)


def test_a_fault_of_ours_would_be_noticed() -> None:
    told = AGES["customer 2016, sources"]

    _, failed = run_virtually(reasons(event_of(told, ENVELOPES["now"]), Tripped(told)))

    assert [reason for reason in failed if OUR_OWN_FAULT.match(reason)] != []


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 3),
    st.sampled_from(
        [2**31, 2**53, 2**63, 10**30, -(10**18), 1e308, 0.1, "", "\0", " ", "x" * 400, "\ud83d\ude00", "1e9"]
    ),
    st.text(max_size=5),
)
anything = st.recursive(
    scalars,
    lambda some: st.lists(some, max_size=3) | st.dictionaries(st.text(max_size=8), some, max_size=3),
    max_leaves=5,
)


@st.composite
def mutated(draw: st.DrawFn) -> tuple[Json, Json]:
    """Take an event of some age, and change something in it: replaced, dropped, or added."""
    told = json.loads(json.dumps(AGES[draw(st.sampled_from(sorted(AGES)))]))
    event = event_of(told, ENVELOPES[draw(st.sampled_from(sorted(ENVELOPES)))], draw(st.sampled_from(WORDS)))
    for _ in range(draw(st.integers(1, 4))):
        holder, key = draw(st.sampled_from(list(places(event["data"]))))
        match draw(st.sampled_from(("replace", "replace", "drop", "add"))):
            case "replace":
                holder[key] = draw(anything)
            case "drop":
                del holder[key]
            case _ if isinstance(holder, dict):
                holder[draw(st.text(max_size=8))] = draw(anything)
            case _:
                pass
        if not list(places(event["data"])):
            break
    mutant = event["data"].get("object")
    return mutant if isinstance(mutant, dict) else {}, event


def places(value: Any) -> Any:
    """Yield every place in it, as what holds it and where."""
    found = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(found):
        yield value, key
        yield from places(inner)


@settings(max_examples=300, deadline=None)
@given(mutated(), st.booleans())
def test_a_broken_event_is_taken_or_refused_and_trips_nobody(made: tuple[Json, Json], has_key: bool) -> None:  # noqa: FBT001
    told, event = made

    status, failed = run_virtually(reasons(event, Echo(told) if has_key else None))

    assert status in (200, 400)
    assert [reason for reason in failed if OUR_OWN_FAULT.match(reason)] == []
