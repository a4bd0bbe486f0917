"""The records of one kind: the gate that every change passes, tombstones, and indexes that follow."""

from collections.abc import Callable, Iterator
from typing import Final, Generic, TypeVar

import msgspec

from app.domain.change import Kind, Outcome, Record, Source, Tombstone

R = TypeVar("R", bound=Record)

_REMEMBERED_LIVES: Final = 4


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What the gate says of a change, and whether it is to be stored."""

    outcome: Outcome
    stored: bool


_TAKEN = Verdict(Outcome.APPLIED, stored=True)
_SAME = Verdict(Outcome.UNCHANGED, stored=False)
_OLDER = Verdict(Outcome.STALE, stored=False)
_OTHER_LIFE = Verdict(Outcome.SUSPECT, stored=False)
_EDITED = Verdict(Outcome.DIVERGED, stored=True)
_DOUBTFUL = Verdict(Outcome.DIVERGED, stored=False)


def judge(
    held: Record | Tombstone | None,
    incoming: Record | Tombstone,
    source: Source,
    *,
    authoritative: bool = False,
    is_over: bool = False,
) -> Verdict:
    """Decide what becomes of a change. `is_over`: its incarnation was held, and has ended since.

    The stream has the last word, because it alone tells a document's changes in their order:
    whatever else arrives late, the event of the last change ends where the database ends.
    Our own write is no such word: what was read back as the same version is that write, or an edit made after it.
    """
    if held is None:
        return _TAKEN
    if held == incoming:
        return _SAME
    if authoritative:
        return _TAKEN
    if is_over:
        return _TAKEN if source is Source.STREAM else _OLDER
    if held.incarnation != incoming.incarnation:
        return _TAKEN if source in (Source.STREAM, Source.COMMIT) else _OTHER_LIFE
    if incoming.version != held.version:
        return _TAKEN if incoming.version > held.version else _OLDER
    if source is not Source.STREAM:
        return _DOUBTFUL
    return _TAKEN if isinstance(incoming, Tombstone) else _EDITED


def owner_of(item: Record | Tombstone) -> str | None:
    """Return the id of the workspace that the record counts for; None for what all workspaces share."""
    kind = item.kind if isinstance(item, Tombstone) else item.KIND
    if kind in (Kind.WORKSPACE, Kind.BALANCE):
        return item.id
    return getattr(item, "workspace_id", None)


def dead(record: Record) -> Tombstone:
    """Return the tombstone of a soft-deleted record."""
    return Tombstone(record.KIND, record.id, record.version, record.incarnation, owner_of(record))


class Index(Generic[R]):
    """Records by a key of theirs. The value is the record itself, a tuple only where several share the key."""

    __slots__ = ("_by_key", "_key_of")

    def __init__(self, key_of: Callable[[R], str | None]) -> None:
        self._key_of = key_of
        self._by_key: dict[str, R | tuple[R, ...]] = {}

    def find(self, key: str) -> tuple[R, ...]:
        """Return all records with this key, the latest added last."""
        found = self._by_key.get(key, ())
        return found if isinstance(found, tuple) else (found,)

    def move(self, before: R | None, after: R | None) -> None:
        """Take `before` out and put `after` in."""
        if before is not None and (key := self._key_of(before)) is not None:
            self._put(key, tuple(record for record in self.find(key) if record is not before))
        if after is not None and (key := self._key_of(after)) is not None:
            self._put(key, (*self.find(key), after))

    def _put(self, key: str, records: tuple[R, ...]) -> None:
        match records:
            case ():
                del self._by_key[key]
            case (record,):
                self._by_key[key] = record
            case _:
                self._by_key[key] = records


class Table(Generic[R]):
    """One kind's live records and tombstones, by id."""

    __slots__ = ("_ended", "_indexes", "dead", "live")

    def __init__(self, *indexes: Index[R]) -> None:
        self.live: dict[str, R] = {}
        self.dead: dict[str, Tombstone] = {}
        self._indexes = indexes
        self._ended: dict[str, tuple[str | None, ...]] = {}

    def __iter__(self) -> Iterator[R]:
        return iter(self.live.values())

    def held(self, id: str) -> R | Tombstone | None:
        """Return the live record, or its tombstone."""
        return self.live.get(id) or self.dead.get(id)

    def complete(self, incoming: R | Tombstone) -> R | Tombstone:
        """Turn a soft-deleted record into its tombstone, and give a tombstone what only the held record knows.

        A delete event names nothing but the id, so it ends the life that is held.
        """
        if not isinstance(incoming, Tombstone):
            return incoming if incoming.deleted_at is None else dead(incoming)
        held = self.held(incoming.id)
        if held is None:
            return incoming
        owner = incoming.workspace_id or owner_of(held)
        if incoming.incarnation is None:
            return Tombstone(incoming.kind, incoming.id, held.version, held.incarnation, owner)
        return msgspec.structs.replace(incoming, workspace_id=owner)

    def is_over(self, item: R | Tombstone) -> bool:
        """Tell whether the item belongs to a life of this id that has ended: hard-deleted, or followed by another."""
        return bool(self._ended) and item.incarnation in self._ended.get(item.id, ())

    def put(self, item: R | Tombstone, *, ended: bool = False) -> None:
        """Store what the gate let through; `ended`: the life that is held is over for good, as after a hard delete."""
        held = self.held(item.id)
        if held is not None and (ended or held.incarnation != item.incarnation or self.is_over(item)):
            self._end_life(held, None if ended else item)
        before, after = self.live.get(item.id), None if isinstance(item, Tombstone) else item
        if isinstance(item, Tombstone):
            self.live.pop(item.id, None)
            self.dead[item.id] = item
        else:
            self.dead.pop(item.id, None)
            self.live[item.id] = item
        for index in self._indexes:
            index.move(before, after)

    def _end_life(self, ended: R | Tombstone, follower: R | Tombstone | None) -> None:
        living = None if follower is None else follower.incarnation
        lives = [life for life in (*self._ended.get(ended.id, ()), ended.incarnation) if life not in (None, living)]
        self._ended[ended.id] = tuple(dict.fromkeys(lives))[-_REMEMBERED_LIVES:]
