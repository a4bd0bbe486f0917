"""The sandbox's time, which a caller may advance, and the agenda of what becomes due in it."""

import heapq
from collections.abc import Callable, Generator
from contextlib import contextmanager
from itertools import count
from typing import NamedTuple


class Due(NamedTuple):
    """What is to happen to an object at an instant (epoch seconds); at the same instant the lower rank goes first."""

    at: int
    rank: int
    what: str


class Entry(NamedTuple):
    """A due time in the agenda, with the id of its object."""

    due: Due
    order: int
    id: str


class Clock:
    """System time plus an offset, in epoch seconds; it stands still while it is held.

    What lives by a test clock happens at that clock's instants, apart from the sandbox's `own` time.
    """

    def __init__(self, system: Callable[[], int]) -> None:
        self.offset = 0
        self._system = system
        self._held: int | None = None
        self._own: int | None = None

    def now(self) -> int:
        return self.own() if self._held is None else self._held

    def own(self) -> int:
        """Return the sandbox's own time, also while what lives by a test clock happens."""
        return self._system() + self.offset if self._own is None else self._own

    @contextmanager
    def held(self, at: int | None = None) -> Generator[int]:
        """Stand still at `at`, by default now, so that all that is done within happens at one instant."""
        before, instant = self._own, self.now() if at is None else at
        self._own = instant
        try:
            with self.apart(instant):
                yield instant
        finally:
            self._own = before

    @contextmanager
    def apart(self, at: int) -> Generator[int]:
        """Let what is done within happen at a test clock's instant."""
        before, self._held = self._held, at
        try:
            yield at
        finally:
            self._held = before


class Agenda:
    """Due times in their order, each noted once."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._noted: set[tuple[Due, str]] = set()
        self._order = count()

    def note(self, due: Due, id: str) -> None:
        if (due, id) not in self._noted:
            self._noted.add((due, id))
            heapq.heappush(self._entries, Entry(due, next(self._order), id))

    def entries(self) -> list[Entry]:
        """Return all entries, the first due first."""
        return sorted(self._entries)

    def take(self, until: int) -> Entry | None:
        """Remove and return the first entry that is due by `until`."""
        if not self._entries or self._entries[0].due.at > until:
            return None
        entry = heapq.heappop(self._entries)
        self._noted.discard((entry.due, entry.id))
        return entry
