"""What `entitled doctor` asks of MongoDB: version, clock, and a write that a majority confirms."""

from datetime import UTC
from typing import Final

import msgspec
from pymongo.errors import OperationFailure

from app.store.mongo import Mongo, RefusedError

_COLLECTION: Final = "doctor"


class Probe(msgspec.Struct, frozen=True):
    """What the server said of itself; `clock_at` in epoch milliseconds."""

    version: str
    replica_set: str
    clock_at: int


async def look(mongo: Mongo) -> Probe:
    """Return what the server says of itself. The clock is read last, so that it is fresh on return."""
    with mongo.deadline():
        version: str = (await mongo.client.server_info())["version"]
        hello = await mongo.client.admin.command("hello")
    clock_at = round(hello["localTime"].replace(tzinfo=UTC).timestamp() * 1000)
    return Probe(version, hello.get("setName", "a sharded cluster"), clock_at)


async def write(mongo: Mongo) -> None:
    """Write one document to the configured database, wait for a majority, and take it away again.

    Raises `UnavailableError` or `RefusedError`.
    """
    collection = mongo.db[_COLLECTION]
    try:
        with mongo.deadline():
            written = await collection.insert_one({})
            await collection.delete_one({"_id": written.inserted_id})
    except OperationFailure as error:
        raise RefusedError(f"MongoDB refused a write: {error.details or error}") from error


async def offers(mongo: Mongo, plan_key: str) -> bool:
    """Tell whether a plan of this key is stored."""
    with mongo.deadline():
        return await mongo.db["plans"].find_one({"key": plan_key, "deletedAt": None}) is not None
