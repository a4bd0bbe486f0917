"""The only place that makes MongoDB clients: deadlines, transactions, collections and their indexes."""

from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final, TypeVar

import msgspec
import pymongo
from beanie import init_beanie  # pyright: ignore[reportUnknownVariableType] - its database has no type argument
from pymongo import AsyncMongoClient, IndexModel, ReadPreference, WriteConcern
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import BulkWriteError, CollectionInvalid, ConnectionFailure, OperationFailure, PyMongoError
from pymongo.read_concern import ReadConcern

from app.domain.errors import ConflictError, UnavailableError
from app.store.documents import RECORD_DOCUMENTS, StoredDocument
from app.store.journals import JOURNAL_DOCUMENTS, RETENTION_INDEX
from app.store.writes import word
from app.telemetry import redact

T = TypeVar("T")
Raw = dict[str, Any]

DOCUMENTS: Final[tuple[type[StoredDocument], ...]] = (*RECORD_DOCUMENTS.values(), *JOURNAL_DOCUMENTS)
_OLDEST_SERVER: Final = 6
_INDEX_BUILD_S: Final = 600  # the first start on a large database builds its indexes
_CLOSE_S: Final = 1
_LONGEST_TTL_S: Final = 2**31 - 1  # the server takes no more; 68 years
DUPLICATE_KEY: Final = 11000
"""The server's error code where a unique key is taken."""
_OPTIONS_CONFLICT: Final = 85
_NAMESPACE_EXISTS: Final = 48
_DECODING: Final[Mapping[str, Any]] = {
    "tz_aware": False,  # aware dates cost 1.8x in decoding
    # One document that another client filled with nonsense must not make a batch undecodable:
    "datetime_conversion": "DATETIME_AUTO",
    "unicode_decode_error_handler": "replace",
}


class SetupError(Exception):
    """This MongoDB cannot serve us until somebody changes it; the message says what and how."""


class StandaloneError(SetupError):
    """The server is no member of a replica set."""


class VersionError(SetupError):
    """The server is too old."""


class RefusedError(SetupError):
    """The server refused the credentials, or to make an index."""


class TakenError(ConflictError):
    """A unique key is taken. Attributes: `collection`, `key` (field and value)."""

    def __init__(self, collection: str, key: Mapping[str, Any]) -> None:
        fields = ", ".join(f"{'id' if name == '_id' else name} {value!r}" for name, value in key.items())
        super().__init__(f"{fields} is taken by another {word(collection)}")
        self.collection = collection
        self.key = key


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """How long documents that expire are kept, in seconds."""

    audit_s: int = 365 * 86_400
    idempotency_s: int = 86_400
    stripe_events_s: int = 30 * 86_400
    billing_events_s: int = 90 * 86_400

    def of(self, collection: str) -> int:
        """Return the seconds for a collection that has an index named `retention`."""
        return min(int(getattr(self, f"{collection}_s")), _LONGEST_TTL_S)


class Mongo:
    """The clients of one process and its database. Reads see what a majority has, writes wait for a majority."""

    client: AsyncMongoClient[Raw]
    db: AsyncDatabase[Raw]

    def __init__(self, uri: str, database: str, *, timeout_s: float = 5.0) -> None:
        self._uri = uri
        self._timeout_s = timeout_s
        self._stream_clients: list[AsyncMongoClient[Raw]] = []
        limit_ms = int(timeout_s * 1000)
        self.client = AsyncMongoClient(
            uri,
            appname="entitled",
            serverSelectionTimeoutMS=limit_ms,
            connectTimeoutMS=min(2000, limit_ms),
            heartbeatFrequencyMS=2000,
            **_DECODING,
        )
        self.db = self.client.get_database(
            database,
            read_preference=ReadPreference.PRIMARY,
            read_concern=ReadConcern("majority"),
            write_concern=WriteConcern("majority"),
        )

    async def open(self, *, retention: Retention | None = None, with_indexes: bool = True) -> None:
        """Check that the server can serve us, bind the document classes and make the indexes.

        Raises `UnavailableError`, or a `SetupError`: `StandaloneError`, `VersionError`, `RefusedError`.
        """
        try:
            with self.deadline(f"no MongoDB answered at {redact(self._uri)} in {self._timeout_s:g} s"):
                await self._check_server()
                await init_beanie(database=self.db, document_models=[*DOCUMENTS], skip_indexes=True)
            if with_indexes:
                with self.deadline(timeout_s=_INDEX_BUILD_S):
                    await self._make_indexes(retention or Retention())
        except OperationFailure as error:
            raise RefusedError(f"MongoDB at {redact(self._uri)} refused: {error.details or error}") from error

    async def close(self) -> None:
        """Close every client. A server that does not answer is left without a goodbye."""
        for client in (self.client, *self._stream_clients):
            with suppress(PyMongoError), pymongo.timeout(_CLOSE_S):
                await client.close()

    def stream_client(self) -> AsyncMongoClient[Raw]:
        """Return a new client for change streams: it notices a frozen server within seconds; `close` closes it."""
        client: AsyncMongoClient[Raw] = AsyncMongoClient(
            self._uri,
            appname="entitled-stream",
            heartbeatFrequencyMS=1000,
            connectTimeoutMS=2000,
            socketTimeoutMS=5000,  # more than the stream's max_await_time_ms
            serverSelectionTimeoutMS=5000,
            **_DECODING,
        )
        self._stream_clients.append(client)
        return client

    @contextmanager
    def deadline(self, message: str | None = None, *, timeout_s: float | None = None) -> Generator[None]:
        """Give what stands inside at most the set time, and raise `UnavailableError` where the database did not answer.

        Never yield to a caller from within: the deadline belongs to the task that runs it.
        """
        try:
            with pymongo.timeout(timeout_s or self._timeout_s):
                yield
        except PyMongoError as error:
            if not _is_unanswered(error):
                raise
            raise (UnavailableError(f"{message}: {error}") if message else UnavailableError()) from error

    async def transaction(self, body: Callable[[AsyncClientSession], Awaitable[T]]) -> T:
        """Run `body` in one transaction within the deadline, again where it collided with another one.

        Raises `UnavailableError` (whether it was written is unknown) or `TakenError`; whatever `body` raises aborts it.
        """
        try:
            with self.deadline():
                async with self.client.start_session() as session:
                    return await session.with_transaction(
                        body,
                        read_concern=ReadConcern("snapshot"),
                        write_concern=WriteConcern("majority"),
                        read_preference=ReadPreference.PRIMARY,
                    )
        except OperationFailure as error:
            if taken := _taken(error):
                raise taken from error
            raise

    async def _check_server(self) -> None:
        hello = await self.client.admin.command("hello")
        version: str = (await self.client.server_info())["version"]
        if fault := unfit(hello, version, redact(self._uri)):
            raise fault

    async def _make_indexes(self, retention: Retention) -> None:
        existing = await self.db.list_collection_names()
        for document in DOCUMENTS:
            settings = document.get_settings()
            name = settings.name or ""
            indexes = [_with_retention(field.index, name, retention) for field in settings.indexes]
            if indexes:
                await _make_collection_indexes(self.db[name], indexes)
            elif name not in existing:
                await _make_collection(self.db, name)


def taken_places(error: BulkWriteError) -> set[int]:
    """Return the places of those writes whose key was taken; raise `error` where anything else is the matter.

    That is also where what was written is not with a majority.
    """
    faults: Sequence[Mapping[str, Any]] = error.details["writeErrors"]
    if error.details["writeConcernErrors"] or any(fault["code"] != DUPLICATE_KEY for fault in faults):
        raise error
    return {fault["index"] for fault in faults}


def unfit(hello: Mapping[str, Any], version: str, address: str) -> SetupError | None:
    """Return why a server that answered `hello` so cannot serve us; None where it can."""
    if "setName" not in hello and hello.get("msg") != "isdbgrid":
        return StandaloneError(
            f"MongoDB at {address} is a standalone server; change streams and transactions need a "
            "replica set, of one member at least: start it with `mongod --replSet rs0`, "
            "and run `rs.initiate()` once in mongosh"
        )
    if int(version.split(".", maxsplit=1)[0]) < _OLDEST_SERVER:
        return VersionError(f"MongoDB {version} at {address} is too old; {_OLDEST_SERVER}.0 or newer is needed")
    return None


def _with_retention(index: IndexModel, collection: str, retention: Retention) -> IndexModel:
    options = dict(index.document)
    if options["name"] != RETENTION_INDEX:
        return index
    keys = options.pop("key")
    return IndexModel(list(keys.items()), **options | {"expireAfterSeconds": retention.of(collection)})


async def _make_collection(db: AsyncDatabase[Raw], name: str) -> None:
    """Make it, or find that another replica was quicker: seen before the server is asked, or by the server."""
    try:
        await db.create_collection(name)
    except CollectionInvalid:
        pass
    except OperationFailure as error:
        if error.code != _NAMESPACE_EXISTS:
            raise


async def _make_collection_indexes(collection: AsyncCollection[Raw], indexes: list[IndexModel]) -> None:
    try:
        await collection.create_indexes(indexes)
    except OperationFailure as error:
        changed = [index.document for index in indexes if index.document["name"] == RETENTION_INDEX]
        if error.code != _OPTIONS_CONFLICT or not changed:
            raise
        keep = {"name": RETENTION_INDEX, "expireAfterSeconds": changed[0]["expireAfterSeconds"]}
        await collection.database.command("collMod", collection.name, index=keep)
        await collection.create_indexes(indexes)


def _is_unanswered(error: PyMongoError) -> bool:
    return (
        error.timeout
        or isinstance(error, ConnectionFailure)
        or error.has_error_label("TransientTransactionError")
        or error.has_error_label("RetryableWriteError")
        or error.has_error_label("UnknownTransactionCommitResult")
    )


def _taken(error: OperationFailure) -> TakenError | None:
    details: Mapping[str, Any] = error.details or {}
    if isinstance(error, BulkWriteError):
        faults: Sequence[Mapping[str, Any]] = details.get("writeErrors") or [{}]
        details = faults[0]
    if details.get("code") != DUPLICATE_KEY:
        return None
    text = str(details.get("errmsg", ""))
    collection = text.partition("collection: ")[2].partition(" ")[0].partition(".")[2]
    return TakenError(collection, details.get("keyValue") or {})
