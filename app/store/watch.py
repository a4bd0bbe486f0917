"""MongoDB's change streams as plain changes: opening, polling, positions, and what it means when they end."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final, Self

import msgspec
import pymongo
from bson.errors import BSONError
from bson.timestamp import Timestamp
from pymongo import AsyncMongoClient
from pymongo.asynchronous.change_stream import AsyncChangeStream
from pymongo.errors import OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern

from app.domain.change import Kind
from app.telemetry import redact

Raw = dict[str, Any]
Position = tuple[int, int]
"""A place in the history of the database: seconds, and a count within the second."""

_MAX_AWAIT_MS: Final = 500
_CLOSE_S: Final = 1
_NEEDED: Final = dict.fromkeys(
    ("operationType", "ns", "documentKey", "fullDocument", "lsid", "txnNumber", "clusterTime", "wallTime"), 1
)
"""Beside these the server sends `_id`, the resume token, without which a stream cannot go on."""

_WRITES: Final = ("insert", "update", "replace")
_LOSSES: Final = ("drop", "rename", "dropDatabase", "invalidate")
_HISTORY_LOST: Final = frozenset({136, 260, 280, 286})
"""CappedPositionLost, InvalidResumeToken, ChangeStreamFatalError, ChangeStreamHistoryLost."""

_STARTS_WITH_TIME: Final = "82"  # a token is a KeyString that begins with its cluster time


class StreamLostError(Exception):
    """The stream cannot tell what happened next: open a new one, and reconcile."""


class StreamPausedError(Exception):
    """The server did not answer; the same stream goes on where it was, once it does."""


class Change(msgspec.Struct, frozen=True, gc=False):
    """What became of one document. `document` is as it is now, which may be later than this change; None is deleted.

    Changes of one transaction follow one another and carry the same `transaction`.
    """

    kind: Kind
    id: str
    document: Mapping[str, Any] | None
    transaction: tuple[bytes, int] | None
    occurred_at: int


class Watch:
    """One change stream over the collections of some kinds."""

    def __init__(self, client: AsyncMongoClient[Raw], stream: AsyncChangeStream[Raw], opened: Position) -> None:
        self._client = client
        self._stream = stream
        self._opened = opened

    @classmethod
    async def open(cls, client: AsyncMongoClient[Raw], database: str, kinds: Collection[Kind]) -> Self:
        """Open a stream that tells every change from now on. `client` is one made for streams.

        Raises `StreamPausedError` where the server does not let us.
        """
        names = [kind.value for kind in kinds]
        ours = [{"ns.coll": {"$in": names}}, {"to.coll": {"$in": names}}]
        whole = [{"operationType": {"$in": ["dropDatabase", "invalidate"]}}]
        try:
            opened = await _now(client)
            stream = await client.get_database(database, read_concern=ReadConcern("majority")).watch(
                [{"$match": {"$or": [*ours, *whole]}}, {"$project": _NEEDED}],
                full_document="updateLookup",
                max_await_time_ms=_MAX_AWAIT_MS,
            )
        except PyMongoError as error:
            raise StreamPausedError(_reason(error)) from error
        return cls(client, stream, opened)

    async def poll(self) -> Change | None:
        """Return the next change, or None where there was none for half a second. To cancel it ends the stream.

        It does not give up the loop while the driver holds changes of the batch that it has fetched.
        Raises `StreamLostError` or `StreamPausedError`.
        """
        try:
            event = await self._stream.try_next()
        except (PyMongoError, BSONError) as error:
            lost = _is_lost(error) or not self._stream.alive
            raise (StreamLostError if lost else StreamPausedError)(_reason(error)) from error
        if event is not None:
            return _to_change(event)
        # Having lost its place, the driver says None for ever; only `alive` tells.
        if not self._stream.alive:
            raise StreamLostError("the server closed the stream")
        return None

    @property
    def position(self) -> Position:
        """Where the stream is: of what happened since it was opened, it has told every change up to here."""
        return position_of(self._stream.resume_token) or self._opened

    async def now(self) -> Position:
        """Return a position that the stream will pass once it has told every change made before this call.

        Raises `StreamPausedError`.
        """
        try:
            return await _now(self._client)
        except PyMongoError as error:
            raise StreamPausedError(_reason(error)) from error

    async def close(self) -> None:
        """End the stream; a server that does not answer is left without a goodbye."""
        with suppress(PyMongoError), pymongo.timeout(_CLOSE_S):
            await self._stream.close()


def position_of(token: Mapping[str, Any] | None) -> Position | None:
    """Return the cluster time at which a resume token stands; an idle stream's token follows the server's history.

    Raises `StreamLostError` for a token that is none of MongoDB's.
    """
    if token is None:
        return None
    text = str(token.get("_data"))
    try:
        if not text.startswith(_STARTS_WITH_TIME):
            raise ValueError(text)  # noqa: TRY301 - one place says what is wrong
        return int(text[2:10], 16), int(text[10:18], 16)
    except ValueError as error:
        raise StreamLostError(f"the server's resume token {text[:40]!r} is of a form that is not known here") from error


async def _now(client: AsyncMongoClient[Raw]) -> Position:
    time: Timestamp = (await client.admin.command("ping"))["operationTime"]
    return time.time, time.inc


def _reason(error: Exception) -> str:
    return redact(f"{type(error).__name__}: {error}"[:300])


def _is_lost(error: Exception) -> bool:
    if isinstance(error, OperationFailure):
        return error.code in _HISTORY_LOST or error.has_error_label("NonResumableChangeStreamError")
    return isinstance(error, BSONError)


def _to_change(event: Raw) -> Change:
    operation, kind = event["operationType"], event.get("ns", {}).get("coll")
    if operation in _LOSSES:
        raise StreamLostError(f"{operation} of {kind or 'the database'}")
    document: Raw | None = None
    if operation in _WRITES:
        document = event.get("fullDocument")  # of an update it is looked up, and null where it is deleted since
    elif operation != "delete":
        raise StreamLostError(f"an event of the unknown type {operation!r}")
    transaction = (bytes(event["lsid"]["id"]), event["txnNumber"]) if "txnNumber" in event else None
    return Change(Kind(kind), str(event["documentKey"]["_id"]), document, transaction, _occurred_at(event))


def _occurred_at(event: Raw) -> int:
    wall = event.get("wallTime")
    if isinstance(wall, datetime):
        return int(wall.replace(tzinfo=UTC).timestamp() * 1000)
    time: Timestamp = event["clusterTime"]
    return time.time * 1000
