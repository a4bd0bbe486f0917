"""Rate limits that all processes share: a place in a line of slots, by the server's clock."""

import asyncio
from collections import deque
from typing import Any, Final

import msgspec
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from app.store.mongo import Mongo

_BURST_MS: Final = 1000  # what was not used for so long may be used at once
_AHEAD_S: Final = 0.05  # so much is taken at a time: a fast limit must not cost a write for each request
_KEPT_S: Final = 1.0  # slots that were taken and not used since are given up
_LONGEST_LINE_MS: Final = 60_000  # a line that is longer was noted by a clock that has since been set back


class _Line(msgspec.Struct):
    """This process's slots of one limit, by its own steady clock."""

    turn: asyncio.Lock = msgspec.field(default_factory=asyncio.Lock)
    slots: deque[float] = msgspec.field(default_factory=deque[float])


class MongoRates:
    """Limits in the collection `counters`: `at` is when the next slot begins, in the server's milliseconds."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._counters = mongo.db["counters"]
        self._lines: dict[str, _Line] = {}

    async def acquire(self, name: str, *, per_s: float) -> None:
        """Return once one more request is allowed: within a process, first come, first served.

        Raises `UnavailableError`.
        """
        clock = asyncio.get_running_loop().time
        line = self._lines.setdefault(name, _Line())
        async with line.turn:
            while line.slots and line.slots[0] < clock() - _KEPT_S:
                line.slots.popleft()
            if not line.slots:
                line.slots.extend(await self._take(name, per_s))
            slot = line.slots.popleft()
        await asyncio.sleep(slot - clock())

    async def _take(self, name: str, per_s: float) -> list[float]:
        """Take the next slots of the line; return when they begin."""
        count = max(1, int(per_s * _AHEAD_S))
        try:
            first_in_ms = await self._move(name, count, 1000 / per_s)
        except DuplicateKeyError:  # another process made the line: now it is there
            first_in_ms = await self._move(name, count, 1000 / per_s)
        first_s = asyncio.get_running_loop().time() + first_in_ms / 1000
        return [first_s + number / per_s for number in range(count)]

    async def _move(self, name: str, count: int, slot_ms: float) -> float:
        now: dict[str, Any] = {"$toLong": "$$NOW"}
        is_right = {"$lte": ["$at", {"$add": [now, _LONGEST_LINE_MS]}]}
        first = {"$max": [{"$cond": [is_right, "$at", 0]}, {"$subtract": [now, max(_BURST_MS - slot_ms, 0)]}]}
        with self._mongo.deadline():
            moved = await self._counters.find_one_and_update(
                {"_id": f"rate:{name}"},
                [{"$set": {"at": {"$add": [first, count * slot_ms]}, "wait": {"$subtract": [first, now]}}}],
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
        return float((moved or {})["wait"])
