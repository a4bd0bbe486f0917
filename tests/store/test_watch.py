from typing import Any

import pytest
from bson.errors import InvalidBSON
from pymongo.errors import AutoReconnect, NetworkTimeout, OperationFailure

from app.domain.change import Kind
from app.store.watch import Change, StreamLostError, StreamPausedError, Watch, position_of

Raw = dict[str, Any]
LABELLED = {"errorLabels": ["NonResumableChangeStreamError"]}


class DriverStream:
    """What the driver's stream does next."""

    def __init__(self, then: Raw | Exception | None, *, alive: bool = True, token: Raw | None = None) -> None:
        self.then = then
        self.alive = alive
        self.resume_token = token

    async def try_next(self) -> Raw | None:
        if isinstance(self.then, Exception):
            raise self.then
        return self.then


def watch(then: Raw | Exception | None, **fields: Any) -> Watch:
    stream: Any = DriverStream(then, **fields)
    client: Any = None
    return Watch(client, stream, (7, 7))


def event(operation: str, **fields: object) -> Raw:
    head = {"operationType": operation, "ns": {"db": "d", "coll": "grants"}, "documentKey": {"_id": "g1"}}
    return {**head, "clusterTime": _Time(3), **fields}


class _Time:
    def __init__(self, time: int) -> None:
        self.time = time


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        pytest.param(
            event("insert", fullDocument={"_id": "g1"}),
            Change(Kind.GRANT, "g1", {"_id": "g1"}, None, 3000),
            id="insert",
        ),
        pytest.param(
            event("update", fullDocument=None), Change(Kind.GRANT, "g1", None, None, 3000), id="updated, deleted since"
        ),
        pytest.param(event("delete"), Change(Kind.GRANT, "g1", None, None, 3000), id="delete"),
        pytest.param(
            event("replace", fullDocument={"_id": "g1"}, lsid={"id": b"s"}, txnNumber=4),
            Change(Kind.GRANT, "g1", {"_id": "g1"}, (b"s", 4), 3000),
            id="in a transaction",
        ),
        pytest.param(None, None, id="nothing"),
    ],
)
async def test_events_become_plain_changes(told: Raw | None, expected: Change | None) -> None:
    assert await watch(told).poll() == expected


@pytest.mark.parametrize("operation", ["drop", "rename", "dropDatabase", "invalidate", "somethingNew"])
async def test_event_that_says_nothing_of_single_documents_loses_the_stream(operation: str) -> None:
    with pytest.raises(StreamLostError, match=operation):
        await watch(event(operation)).poll()


async def test_driver_that_says_none_for_ever_is_seen_through() -> None:
    with pytest.raises(StreamLostError, match="closed"):
        await watch(None, alive=False).poll()


@pytest.mark.parametrize(
    ("error", "alive"),
    [
        pytest.param(OperationFailure("history lost", 286), True, id="286 while resuming"),
        pytest.param(OperationFailure("position lost", 136), True, id="136"),
        pytest.param(OperationFailure("bad token", 260), True, id="260"),
        pytest.param(OperationFailure("never", 1, LABELLED), True, id="labelled"),
        pytest.param(OperationFailure("other", 1), False, id="closed by the driver"),
        pytest.param(InvalidBSON("nonsense"), True, id="undecodable"),
    ],
)
async def test_lost_place_is_told_from_a_pause(error: Exception, *, alive: bool) -> None:
    with pytest.raises(StreamLostError):
        await watch(error, alive=alive).poll()


@pytest.mark.parametrize("error", [AutoReconnect("mongodb://u:secret@h gone"), NetworkTimeout("slow")])
async def test_server_that_does_not_answer_is_a_pause(error: Exception) -> None:
    with pytest.raises(StreamPausedError) as paused:
        await watch(error).poll()

    assert "secret" not in str(paused.value)


def test_position_is_the_cluster_time_at_the_head_of_the_token() -> None:
    token = {"_data": "826B010F22000000142B0429296E1404"}

    assert position_of(token) == (0x6B010F22, 0x14)
    assert watch(None, token=token).position == (0x6B010F22, 0x14)
    assert watch(None).position == (7, 7)


@pytest.mark.parametrize("data", ["", "82", "8X", "00112233445566778899", None, 7])
def test_token_of_another_kind_of_server_is_refused_by_name(data: object) -> None:
    with pytest.raises(StreamLostError, match="resume token"):
        position_of({"_data": data})
