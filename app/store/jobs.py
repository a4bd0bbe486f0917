"""The states of long jobs: one document each, replaced by revision, with a lease that ends by itself."""

from typing import Any, Final, TypeVar

import msgspec
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from app.ports.system import Clock
from app.store.mapping import SCHEMA_VERSION, MappingError
from app.store.mongo import Mongo
from app.store.translation import to_date

S = TypeVar("S", bound=msgspec.Struct)

_Document = dict[str, Any]
_FREE: Final = to_date(0)


class MongoJobStates:
    """The states in the collection `jobs`. Within `state` instants are epoch milliseconds."""

    def __init__(self, mongo: Mongo, clock: Clock) -> None:
        self._mongo = mongo
        self._jobs = mongo.db["jobs"]
        self._clock = clock

    async def read(self, name: str, type: type[S]) -> tuple[S | None, int]:
        """Return the state and its revision; None and 0 where nothing was ever written. Raises `MappingError`."""
        with self._mongo.deadline():
            document = await self._jobs.find_one({"_id": name, "state": {"$ne": None}})
        if document is None:
            return None, 0
        try:
            return msgspec.convert(document["state"], type), int(document["revision"])
        except (msgspec.ValidationError, KeyError, TypeError, ValueError) as error:
            raise MappingError("jobs", name, str(error)) from error

    async def write(self, name: str, state: msgspec.Struct, *, revision: int) -> bool:
        """Replace the state that had this revision; False where another one is stored, and nothing was written."""
        put: _Document = {"$set": {"state": msgspec.to_builtins(state), "revision": revision + 1}}
        with self._mongo.deadline():
            await self._make(name)
            result = await self._jobs.update_one({"_id": name, "revision": revision}, put)
        return bool(result.matched_count)

    async def lease(self, name: str, token: str, *, until_at: int) -> bool:
        """Take the job, or hold on to it, until then; False while another token holds it."""
        free: _Document = {"$or": [{"leaseToken": token}, {"leaseUntil": {"$lte": to_date(self._clock.now_at())}}]}
        held: _Document = {"$set": {"leaseToken": token, "leaseUntil": to_date(until_at)}}
        with self._mongo.deadline():
            await self._make(name)
            found = await self._jobs.find_one_and_update(
                {"_id": name, **free}, held, projection={"_id": 1}, return_document=ReturnDocument.AFTER
            )
        return found is not None

    async def give_up(self, name: str, token: str) -> None:
        """End the lease, where it is ours."""
        with self._mongo.deadline():
            await self._jobs.update_one(
                {"_id": name, "leaseToken": token}, {"$set": {"leaseToken": None, "leaseUntil": _FREE}}
            )

    async def _make(self, name: str) -> None:
        blank: _Document = {
            "schemaVersion": SCHEMA_VERSION,
            "state": None,
            "revision": 0,
            "leaseToken": None,
            "leaseUntil": _FREE,
        }
        try:
            await self._jobs.update_one({"_id": name}, {"$setOnInsert": blank}, upsert=True)
        except DuplicateKeyError:  # another replica was quicker
            return
