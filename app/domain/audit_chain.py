"""The chain of seals over the audit: how a seal is made, and what a verification of the chain finds."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from app.domain.change import Instant

LAST_NUMBER: Final = 2**31 - 1
"""No seal has a greater number: one that has was made by somebody else, and would not fit the API's integers."""
MOST_FAULTS: Final = 100
"""How many faults a report names; it counts them all."""


class SealedEntry(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """What a seal says of one entry. `digest` is the SHA-256 of its content, in hexadecimal."""

    id: str
    recorded_at: Instant
    digest: str


class Head(msgspec.Struct, frozen=True, gc=False):
    """A link of the chain as the next one holds on to it."""

    number: int
    hash: str
    sealed_at: Instant


class Seal(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """A link of the chain: the digests of some entries, and the hash of the seal before.

    Numbers start at 1. `previous` is empty and `previous_at` None in seal 1. `sealed_at` never falls along the chain:
    once it is past retention, so is, but for the difference of two clocks, all that was sealed up to it.
    """

    number: int
    previous: str
    previous_at: Instant | None
    sealed_at: Instant
    entries: tuple[SealedEntry, ...]
    hash: str


class BrokenSeal(msgspec.Struct, frozen=True, gc=False):
    """A stored seal that cannot be read."""

    number: int
    hash: str
    problem: str


class Claim(msgspec.Struct, frozen=True, gc=False):
    """A stored entry, as far as the chain is concerned.

    `recorded_at` is None where it is no date, `seal` where it is no number that a seal may have.
    """

    id: str
    recorded_at: Instant | None
    digest: str
    seal: int | None


class FaultCode(StrEnum):
    """What is wrong."""

    ENTRY_EDITED = "ENTRY_EDITED"
    ENTRY_REMOVED = "ENTRY_REMOVED"
    ENTRY_MOVED = "ENTRY_MOVED"
    """It is there and names another seal than the one that lists it."""
    ENTRY_UNLISTED = "ENTRY_UNLISTED"
    """It names a seal that does not list it, or that does not exist."""
    SEAL_EDITED = "SEAL_EDITED"
    SEAL_REMOVED = "SEAL_REMOVED"
    SEAL_UNLINKED = "SEAL_UNLINKED"
    """It does not follow from the seal before."""
    SEAL_UNREADABLE = "SEAL_UNREADABLE"
    HEAD_DIFFERS = "HEAD_DIFFERS"
    """The chain has another hash, or nothing, where a noted head says what should be there."""


class Fault(msgspec.Struct, frozen=True, gc=False):
    """Something that does not hold. `seal` and `entry_id` are None where it is about none."""

    code: FaultCode
    message: str
    seal: int | None = None
    entry_id: str | None = None


class ChainReport(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a verification found. `faults` holds the first hundred of `fault_count`."""

    seals: int
    entries: int
    """Found as they were sealed."""
    expired: int
    """Listed by a seal that is there, gone, and older than `expired_before_at`."""
    unsealed: int
    head: Head | None
    expired_before_at: Instant
    fault_count: int
    faults: tuple[Fault, ...]


def make_seal(head: Head | None, entries: Iterable[SealedEntry], *, at: int) -> Seal:
    """Return the seal that follows `head` and lists the entries, in the order of their ids."""
    listed = tuple(sorted(entries, key=lambda entry: entry.id))
    seal = Seal(
        number=head.number + 1 if head else 1,
        previous=head.hash if head else "",
        previous_at=head.sealed_at if head else None,
        sealed_at=max(at, head.sealed_at) if head else at,
        entries=listed,
        hash="",
    )
    return msgspec.structs.replace(seal, hash=hash_of(seal))


def hash_of(seal: Seal) -> str:
    """Return the hash that the seal must have: SHA-256 of all else in it as compact JSON, instants in milliseconds."""
    listed = [(entry.id, entry.recorded_at, entry.digest) for entry in seal.entries]
    content = (seal.number, seal.previous, seal.previous_at, seal.sealed_at, listed)
    return hashlib.sha256(msgspec.json.encode(content)).hexdigest()


class Verification:
    """One pass along the chain, which is brought by somebody else: seals in ascending order, some at a time.

    After `open` comes every entry that names one of these seals, or a number below them that was not opened (`see`);
    then `close`, with those of the `unseen` that are stored all the same. What was recorded before
    `expired_before_at` may be gone, and so may seals that list nothing else.
    """

    def __init__(self, *, expected: tuple[int, str] | None, expired_before_at: int) -> None:
        self._expected = expected
        self._horizon = expired_before_at
        self._last: Seal | BrokenSeal | None = None
        self._open: dict[int, dict[str, SealedEntry]] = {}
        self._broken: set[int] = set()
        self._met_expected = False
        self._seals = self._entries = self._expired = self._fault_count = 0
        self._faults: list[Fault] = []

    def open(self, seals: Sequence[Seal | BrokenSeal]) -> None:
        """Check the seals themselves, and expect what they list."""
        for seal in seals:
            self._seals += 1
            self._check_place(seal)
            self._check_expected(seal)
            if isinstance(seal, BrokenSeal):
                self._broken.add(seal.number)
                self._note(FaultCode.SEAL_UNREADABLE, f"seal {seal.number} cannot be read: {seal.problem}", seal.number)
            else:
                self._open[seal.number] = {entry.id: entry for entry in seal.entries}
                if hash_of(seal) != seal.hash:
                    self._note(FaultCode.SEAL_EDITED, f"seal {seal.number} was edited", seal.number)
            self._last = seal

    def see(self, claims: Iterable[Claim]) -> None:
        """Compare stored entries with what the seals they name say of them."""
        for claim in claims:
            number = claim.seal or 0
            listed = self._open.get(number, {}).pop(claim.id, None)
            if listed is None:
                self._check_unlisted(claim)
            elif listed.digest != claim.digest:
                problem = f"entry {claim.id} is not as seal {number} has it: it was edited"
                self._note(FaultCode.ENTRY_EDITED, problem, number, claim.id)
            else:
                self._entries += 1

    def unseen(self) -> list[str]:
        """Return the ids of the entries that the open seals list, that did not come and should be there still."""
        return [entry.id for _, entry in self._absent() if entry.recorded_at >= self._horizon]

    def close(self, elsewhere: Iterable[Claim]) -> None:
        """Note what is gone. `elsewhere` are those of the unseen that are stored."""
        named_by = {claim.id: claim.seal for claim in elsewhere}
        for number, entry in self._absent():
            if entry.id in named_by:
                claimed = named_by[entry.id]
                named = "no seal" if claimed is None else f"seal {claimed}"
                problem = f"entry {entry.id} is listed by seal {number}, and names {named}"
                self._note(FaultCode.ENTRY_MOVED, problem, number, entry.id)
            elif entry.recorded_at < self._horizon:
                self._expired += 1
            else:
                problem = f"entry {entry.id} is listed by seal {number}, and was removed"
                self._note(FaultCode.ENTRY_REMOVED, problem, number, entry.id)
        self._open.clear()
        self._broken.clear()

    def report(self, *, unsealed: int) -> ChainReport:
        """Return what was found, once every seal was closed."""
        last = self._last
        if self._expected and not self._met_expected:
            number = self._expected[0]
            ends = f"the chain ends with seal {last.number}" if last else "there is no chain"
            hint = "if its retention was over, note a newer head" if last and last.number > number else ends
            self._note(FaultCode.HEAD_DIFFERS, f"seal {number}, which was expected, is gone; {hint}", number)
        return ChainReport(
            seals=self._seals,
            entries=self._entries,
            expired=self._expired,
            unsealed=unsealed,
            head=Head(last.number, last.hash, last.sealed_at) if isinstance(last, Seal) else None,
            expired_before_at=self._horizon,
            fault_count=self._fault_count,
            faults=tuple(self._faults),
        )

    def _check_place(self, seal: Seal | BrokenSeal) -> None:
        """Check that the seal follows from the one before, or that what stood between is past retention."""
        following = self._last.number + 1 if self._last else 1
        if seal.number == following:
            if isinstance(seal, Seal) and seal.previous != (self._last.hash if self._last else ""):
                problem = f"seal {seal.number} does not hold the hash of the seal before it"
                self._note(FaultCode.SEAL_UNLINKED, problem, seal.number)
        elif isinstance(seal, BrokenSeal) or seal.previous_at is None or seal.previous_at >= self._horizon:
            last = seal.number - 1
            gone = f"seal {last} was" if last == following else f"seals {following} to {last} were"
            self._note(FaultCode.SEAL_REMOVED, f"{gone} removed", following)

    def _check_expected(self, seal: Seal | BrokenSeal) -> None:
        if self._expected is None or seal.number != self._expected[0]:
            return
        self._met_expected = True
        if seal.hash != self._expected[1]:
            problem = f"seal {seal.number} has another hash than was expected: the chain was made anew"
            self._note(FaultCode.HEAD_DIFFERS, problem, seal.number)

    def _check_unlisted(self, claim: Claim) -> None:
        """Judge an entry that its seal does not list, as far as that seal is there and can be read."""
        if claim.seal in self._broken:
            return
        is_expired = claim.recorded_at is not None and claim.recorded_at < self._horizon
        if is_expired and claim.seal is not None and claim.seal not in self._open:
            return
        named = "something that is no seal" if claim.seal is None else f"seal {claim.seal}, which does not list it"
        self._note(FaultCode.ENTRY_UNLISTED, f"entry {claim.id} names {named}", claim.seal, claim.id)

    def _absent(self) -> Iterator[tuple[int, SealedEntry]]:
        return ((number, entry) for number, listed in self._open.items() for entry in listed.values())

    def _note(self, code: FaultCode, message: str, seal: int | None, entry_id: str | None = None) -> None:
        self._fault_count += 1
        if len(self._faults) < MOST_FAULTS:
            self._faults.append(Fault(code, message, seal, entry_id))
