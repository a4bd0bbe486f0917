import pytest
from support.records import NOW, grant, workspace

from app.cache.table import Index, Table, dead, judge
from app.domain.change import Kind, Outcome, Record, Source, Tombstone
from app.domain.workspace import Workspace

A1 = workspace("ws_1", version=1, incarnation="a")
A2 = workspace("ws_1", version=2, incarnation="a")
A2_EDITED = workspace("ws_1", version=2, incarnation="a", name="edited by hand")
A3_DELETED = Tombstone(Kind.WORKSPACE, "ws_1", 3, "a", "ws_1")
A2_GONE = Tombstone(Kind.WORKSPACE, "ws_1", 2, "a", "ws_1")
B1 = workspace("ws_1", version=1, incarnation="b")
UNKNOWN_GONE = Tombstone(Kind.WORKSPACE, "ws_1")
ROADS = tuple(Source)


@pytest.mark.parametrize(
    ("held", "incoming", "expected"),
    [
        pytest.param(None, A1, dict.fromkeys(ROADS, (Outcome.APPLIED, True)), id="first"),
        pytest.param(A1, A2, dict.fromkeys(ROADS, (Outcome.APPLIED, True)), id="newer"),
        pytest.param(A2, A1, dict.fromkeys(ROADS, (Outcome.STALE, False)), id="older"),
        pytest.param(
            A2,
            workspace("ws_1", version=2, incarnation="a"),
            dict.fromkeys(ROADS, (Outcome.UNCHANGED, False)),
            id="same",
        ),
        pytest.param(
            A2,
            A2_EDITED,
            {
                Source.STREAM: (Outcome.DIVERGED, True),
                Source.COMMIT: (Outcome.DIVERGED, False),
                Source.SCAN: (Outcome.DIVERGED, False),
                Source.LOOKUP: (Outcome.DIVERGED, False),
            },
            id="same version, other content",
        ),
        pytest.param(
            A2,
            B1,
            {
                Source.STREAM: (Outcome.APPLIED, True),
                Source.COMMIT: (Outcome.APPLIED, True),
                Source.SCAN: (Outcome.SUSPECT, False),
                Source.LOOKUP: (Outcome.SUSPECT, False),
            },
            id="another life",
        ),
        pytest.param(A2, A3_DELETED, dict.fromkeys(ROADS, (Outcome.APPLIED, True)), id="soft delete"),
        pytest.param(
            A2,
            A2_GONE,
            {
                Source.STREAM: (Outcome.APPLIED, True),
                Source.COMMIT: (Outcome.DIVERGED, False),
                Source.SCAN: (Outcome.DIVERGED, False),
                Source.LOOKUP: (Outcome.DIVERGED, False),
            },
            id="hard delete",
        ),
        pytest.param(A3_DELETED, A2, dict.fromkeys(ROADS, (Outcome.STALE, False)), id="resurrection"),
        pytest.param(
            UNKNOWN_GONE,
            A2,
            {
                Source.STREAM: (Outcome.APPLIED, True),
                Source.COMMIT: (Outcome.APPLIED, True),
                Source.SCAN: (Outcome.SUSPECT, False),
                Source.LOOKUP: (Outcome.SUSPECT, False),
            },
            id="deleted before it was known",
        ),
    ],
)
def test_gate(
    held: Record | Tombstone | None, incoming: Record | Tombstone, expected: dict[Source, tuple[Outcome, bool]]
) -> None:
    found = {road: judge(held, incoming, road) for road in ROADS}

    assert {road: (verdict.outcome, verdict.stored) for road, verdict in found.items()} == expected


@pytest.mark.parametrize("held", [A2, A3_DELETED, B1, UNKNOWN_GONE])
@pytest.mark.parametrize("road", ROADS)
def test_authority_replaces_whatever_is_held(held: Record | Tombstone, road: Source) -> None:
    verdict = judge(held, A1, road, authoritative=True)

    assert (verdict.outcome, verdict.stored) == (Outcome.APPLIED, True)


@pytest.mark.parametrize("road", [Source.COMMIT, Source.SCAN, Source.LOOKUP])
@pytest.mark.parametrize("echo", [A2, workspace("ws_1", version=9, incarnation="a")])
@pytest.mark.parametrize(("follower", "ended"), [(B1, False), (A2_GONE, True)])
def test_ended_life_does_not_come_back_late(
    road: Source, echo: Workspace, follower: Workspace | Tombstone, *, ended: bool
) -> None:
    table = Table[Workspace]()
    table.put(A2)
    table.put(follower, ended=ended)

    verdict = judge(table.held("ws_1"), echo, road, is_over=table.is_over(echo))

    assert (verdict.outcome, verdict.stored) == (Outcome.STALE, False)


@pytest.mark.parametrize(("follower", "ended"), [(B1, False), (A2_GONE, True)])
def test_ended_life_that_the_stream_brings_back_is_a_life_again(
    follower: Workspace | Tombstone, *, ended: bool
) -> None:
    table = Table[Workspace]()
    table.put(A2)
    table.put(follower, ended=ended)
    assert judge(table.held("ws_1"), A1, Source.STREAM, is_over=table.is_over(A1)).stored

    table.put(A1)

    assert not table.is_over(A2)
    assert table.is_over(B1) == (follower is B1)


def test_delete_event_ends_the_life_that_is_held() -> None:
    table = Table[Workspace]()
    table.put(A2)

    assert table.complete(UNKNOWN_GONE) == A2_GONE


def test_delete_event_after_a_soft_delete_changes_nothing() -> None:
    table = Table[Workspace]()
    table.put(A3_DELETED)

    assert table.complete(UNKNOWN_GONE) == A3_DELETED


def test_soft_deleted_record_is_its_tombstone() -> None:
    record = grant("grant_1", version=4, deleted_at=NOW)

    assert Table().complete(record) == dead(record) == Tombstone(Kind.GRANT, "grant_1", 4, "i", "ws_1")


def test_index_follows_a_key_that_moves_in_either_order() -> None:
    index = Index[Workspace](lambda record: record.external_id)
    first, second = workspace("ws_1", external_id="acme"), workspace("ws_2", external_id="acme")

    index.move(None, first)
    index.move(None, second)
    assert index.find("acme") == (first, second)
    index.move(first, workspace("ws_1", external_id=None))
    assert index.find("acme") == (second,)
    index.move(second, None)

    assert index.find("acme") == ()
    assert index._by_key == {}
