"""Whatever the order in which the roads deliver, RAM ends where the database ends."""

from collections.abc import Sequence

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from support.clock import FrozenClock
from support.records import NOW, sub, workspace

from app.cache.cache import BillingCache
from app.cache.feed import Feed
from app.domain.change import Kind, Record, Source, Tombstone
from app.domain.subscription import Subscription, SubscriptionStatus

STATUSES = list(SubscriptionStatus)


class Database:
    """One document through its whole life: every state it had, and the events that the stream will tell."""

    def __init__(self) -> None:
        self.states: list[Subscription | None] = []
        self.now: Subscription | None = None
        self.lives = 0

    def write(self, step: str) -> None:
        match step, self.now:
            case "hard_delete", Subscription():
                self.now = None
            case "hard_delete", None:
                return
            case _, None:
                self.lives += 1
                self.now = sub(version=1, incarnation=f"life{self.lives}")
            case _, Subscription(version=version, deleted_at=deleted_at):
                self.now = msgspec.structs.replace(
                    self.now,
                    version=version + 1,
                    status=STATUSES[version % len(STATUSES)],
                    deleted_at=NOW if step == "soft_delete" and deleted_at is None else None,
                    workspace_id="ws_2" if step == "move" else "ws_1",
                )
        self.states.append(self.now)


def _tombstone() -> Tombstone:
    return Tombstone(Kind.SUBSCRIPTION, "sub_1")


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[Database, list[tuple[Record | Tombstone, Source]]]:
    """Draw arrivals: the stream in its order, where an update may show a later state; the rest at any time."""
    steps = st.sampled_from(["update", "update", "update", "move", "soft_delete", "hard_delete"])
    database = Database()
    for step in draw(st.lists(steps, min_size=1, max_size=8)):
        database.write(step)
    states = database.states
    slots: list[tuple[float, int, Record | Tombstone, Source]] = []
    for n, state in enumerate(states):
        shown = state if state is None else states[draw(st.integers(n, len(states) - 1))]
        if state is not None and state.version == 1:
            shown = state  # an insert carries the document itself
        slots.append((float(len(states) + n), 0, shown or _tombstone(), Source.STREAM))
        if state is not None and draw(st.booleans()):  # our own write, applied at any time
            slots.append((draw(st.floats(0, 3 * len(states))), 1, state, Source.COMMIT))
        if state is not None and draw(st.booleans()):  # a scan or lookup that passed there
            road = draw(st.sampled_from([Source.SCAN, Source.LOOKUP]))
            slots.append((draw(st.floats(0, 3 * len(states))), 2, state, road))
    slots.sort(key=lambda slot: slot[:2])
    return database, [(record, source) for _, _, record, source in slots]


def view(cache: BillingCache) -> tuple[object, ...]:
    states = [cache.state(ref) for ref in ("ws_1", "ws_2")]
    return tuple((state.subscriptions, state.workspace) for state in states if state)


def new_cache() -> BillingCache:
    cache = BillingCache(feed=Feed(), clock=FrozenClock(), default_plan_key=None)
    for ref in ("ws_1", "ws_2"):
        cache.apply(workspace(ref), source=Source.SCAN)
    return cache


@settings(max_examples=400, deadline=None)
@given(deliveries())
def test_every_order_of_arrival_ends_where_the_database_ends(
    scenario: tuple[Database, list[tuple[Record | Tombstone, Source]]],
) -> None:
    database, arrivals = scenario
    cache, expected = new_cache(), new_cache()
    versions: list[int] = []

    for record, source in arrivals:
        cache.apply(record, source=source)
        state = cache.state("ws_1")
        assert state is not None
        versions.append(state.version)
    if database.now:
        expected.apply(database.now, source=Source.STREAM)

    assert view(cache) == view(expected)
    assert versions == sorted(versions)


@given(st.permutations(range(6)))
def test_one_life_is_order_free_for_every_road_and_the_version_is_the_sum(order: Sequence[int]) -> None:
    roads = [Source.COMMIT, Source.STREAM, Source.SCAN, Source.LOOKUP, Source.COMMIT, Source.STREAM]
    cache = new_cache()

    for n in order:
        cache.apply(sub(version=n + 1, status=STATUSES[n]), source=roads[n])

    state = cache.state("ws_1")
    assert state is not None
    assert state.subscriptions == (sub(version=6, status=STATUSES[5]),)
    assert state.version == 1 + 6


def test_a_write_told_late_does_not_revive_what_was_deleted_softly_and_then_for_good() -> None:
    cache = new_cache()
    first = sub(version=1, incarnation="life1")
    soft = msgspec.structs.replace(first, version=2, deleted_at=NOW)
    for record in (first, soft, _tombstone()):
        cache.apply(record, source=Source.STREAM)

    cache.apply(msgspec.structs.replace(first, version=3), source=Source.COMMIT)

    assert cache.subscription("sub_1") is None
