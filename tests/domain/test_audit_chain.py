"""A chain of seals in memory: how it is made, and what a verification notices."""

import hashlib
import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from support.records import DAY, NOW

from app.domain.audit_chain import (
    MOST_FAULTS,
    BrokenSeal,
    ChainReport,
    Claim,
    FaultCode,
    Head,
    Seal,
    SealedEntry,
    Verification,
    hash_of,
    make_seal,
)

Chain = tuple[list[Seal], list[Claim]]


def chain_of(*sizes: int, every_ms: int = 1000) -> Chain:
    """Return seals over so many entries each, one entry a second, and the entries."""
    seals: list[Seal] = []
    claims: list[Claim] = []
    for number, size in enumerate(sizes, 1):
        numbers = range(len(claims), len(claims) + size)
        entries = [SealedEntry(f"audit_{n:04}", NOW + n * every_ms, f"digest {n}") for n in numbers]
        head = Head(seals[-1].number, seals[-1].hash, seals[-1].sealed_at) if seals else None
        seals.append(make_seal(head, entries, at=entries[-1].recorded_at if entries else NOW))
        claims += [Claim(entry.id, entry.recorded_at, entry.digest, number) for entry in entries]
    return seals, claims


def verify(
    seals: Sequence[Seal | BrokenSeal],
    claims: Sequence[Claim],
    *,
    expect: Seal | None = None,
    expired_before_at: int = 0,
    at_a_time: int = 2,
) -> ChainReport:
    """Bring everything as the store would, `at_a_time` seals at a time."""
    expected = (expect.number, expect.hash) if expect else None
    verification = Verification(expected=expected, expired_before_at=expired_before_at)
    verified = 0
    for start in range(0, len(seals), at_a_time):
        some = seals[start : start + at_a_time]
        verification.open(some)
        verification.see(claim for claim in claims if verified < (claim.seal or 0) <= some[-1].number)
        unseen = verification.unseen()
        verification.close(claim for claim in claims if claim.id in unseen)
        verified = some[-1].number
    verification.see(claim for claim in claims if claim.seal is None or claim.seal > verified)
    return verification.report(unsealed=0)


def codes(report: ChainReport) -> list[str]:
    return [fault.code.value for fault in report.faults]


def test_a_seal_holds_on_to_the_one_before() -> None:
    first, second = chain_of(2, 1)[0]

    assert (first.number, first.previous, first.previous_at) == (1, "", None)
    assert (second.number, second.previous, second.previous_at) == (2, first.hash, first.sealed_at)


def test_the_hash_of_a_seal_is_what_the_docstring_says() -> None:
    seal = make_seal(None, [SealedEntry("audit_1", 5, "d")], at=7)

    content = json.dumps([1, "", None, 7, [["audit_1", 5, "d"]]], separators=(",", ":"))
    assert seal.hash == hashlib.sha256(content.encode()).hexdigest()


def test_a_seal_lists_by_id_and_never_dates_from_before_the_last() -> None:
    head = Head(4, "h", NOW)

    seal = make_seal(head, [SealedEntry("audit_2", 0, "d"), SealedEntry("audit_1", 0, "d")], at=NOW - DAY)

    assert [entry.id for entry in seal.entries] == ["audit_1", "audit_2"]
    assert seal.sealed_at == NOW


@pytest.mark.parametrize("at_a_time", [1, 2, 9])
def test_an_untouched_chain_is_intact(at_a_time: int) -> None:
    seals, claims = chain_of(3, 1, 2, 5)

    report = verify(seals, claims, expect=seals[2], at_a_time=at_a_time)

    assert codes(report) == []
    assert (report.seals, report.entries, report.expired) == (4, 11, 0)
    assert report.head == Head(4, seals[-1].hash, seals[-1].sealed_at)


def test_nothing_is_intact() -> None:
    report = verify([], [])

    assert (report.head, report.fault_count) == (None, 0)


@given(
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=6),
    at_a_time=st.integers(1, 4),
    data=st.data(),
)
def test_whatever_is_done_to_one_entry_or_seal_is_noticed(
    sizes: list[int], at_a_time: int, data: st.DataObject
) -> None:
    whole, claims = chain_of(*sizes)
    seals: list[Seal | BrokenSeal] = list(whole)
    place = data.draw(st.integers(0, len(claims) - 1))
    seal = data.draw(st.integers(0, len(seals) - 1))
    match data.draw(st.sampled_from(["edit", "remove", "move", "free", "forge", "unseal", "reseal", "spoil"])):
        case "edit":
            claims[place] = replace(claims[place], digest="another")
        case "remove":
            del claims[place]
        case "move":
            claims[place] = replace(claims[place], seal=(claims[place].seal or 0) + 1)
        case "free":
            claims[place] = replace(claims[place], seal=None)
        case "forge":
            claims.append(Claim("audit_forged", NOW, "d", data.draw(st.integers(1, 9))))
        case "unseal":
            del seals[seal]
        case "reseal":
            edited = replace(whole[seal], sealed_at=NOW + DAY)
            seals[seal] = replace(edited, hash=hash_of(edited))
        case _:
            seals[seal] = BrokenSeal(whole[seal].number, whole[seal].hash, "no date")

    report = verify(seals, claims, expect=whole[-1], at_a_time=at_a_time)

    assert report.fault_count > 0


@pytest.mark.parametrize(
    ("change", "code", "entry_id"),
    [
        pytest.param({"digest": "another"}, FaultCode.ENTRY_EDITED, "audit_0002", id="edited"),
        pytest.param({"id": "audit_x"}, FaultCode.ENTRY_UNLISTED, "audit_x", id="renamed"),
        pytest.param({"seal": 3}, FaultCode.ENTRY_MOVED, "audit_0002", id="says another seal"),
        pytest.param({"seal": None}, FaultCode.ENTRY_MOVED, "audit_0002", id="says none"),
        pytest.param({"seal": 8}, FaultCode.ENTRY_MOVED, "audit_0002", id="says one that is not there"),
    ],
)
def test_a_changed_entry_is_named(change: dict[str, object], code: FaultCode, entry_id: str) -> None:
    seals, claims = chain_of(2, 2, 2)
    claims[2] = replace(claims[2], **change)

    report = verify(seals, claims)

    assert (code, entry_id) in [(fault.code, fault.entry_id) for fault in report.faults]


def test_a_removed_entry_is_named_with_its_seal() -> None:
    seals, claims = chain_of(2, 2, 2)
    gone = claims.pop(2)

    (fault,) = verify(seals, claims).faults

    assert (fault.code, fault.entry_id, fault.seal) == (FaultCode.ENTRY_REMOVED, gone.id, 2)
    assert gone.id in fault.message


def test_two_entries_that_changed_places_are_both_named() -> None:
    seals, claims = chain_of(4)
    claims[1], claims[2] = (
        replace(claims[1], digest=claims[2].digest),
        replace(claims[2], digest=claims[1].digest),
    )

    assert codes(verify(seals, claims)) == ["ENTRY_EDITED", "ENTRY_EDITED"]


def test_a_removed_seal_is_named_and_so_is_what_it_listed() -> None:
    seals, claims = chain_of(2, 2, 2)
    del seals[1]

    report = verify(seals, claims)

    assert codes(report) == ["SEAL_REMOVED", "ENTRY_UNLISTED", "ENTRY_UNLISTED"]
    assert report.faults[0].message == "seal 2 was removed"


def test_several_removed_seals_are_one_fault() -> None:
    seals, claims = chain_of(1, 1, 1, 1)

    report = verify(seals[3:], claims[3:])

    assert [fault.message for fault in report.faults] == ["seals 1 to 3 were removed"]


def test_an_edited_seal_is_named() -> None:
    seals, claims = chain_of(2, 2)
    seals[0] = replace(seals[0], entries=seals[0].entries[:1])

    report = verify(seals, claims[:1] + claims[2:])

    assert [(fault.code, fault.seal) for fault in report.faults] == [(FaultCode.SEAL_EDITED, 1)]


def test_a_seal_with_a_hash_made_anew_does_not_fit_the_next() -> None:
    seals, claims = chain_of(2, 2)
    edited = replace(seals[0], entries=seals[0].entries[:1])
    seals[0] = replace(edited, hash=hash_of(edited))

    report = verify(seals, claims[:1] + claims[2:])

    assert [(fault.code, fault.seal) for fault in report.faults] == [(FaultCode.SEAL_UNLINKED, 2)]


def test_a_spoilt_seal_is_one_fault_and_not_one_per_entry() -> None:
    seals, claims = chain_of(3, 3)
    spoilt: list[Seal | BrokenSeal] = [BrokenSeal(1, seals[0].hash, "no date"), seals[1]]

    report = verify(spoilt, claims)

    assert [fault.message for fault in report.faults] == ["seal 1 cannot be read: no date"]


def test_a_chain_cut_off_at_its_end_is_noticed_by_an_expected_head_alone() -> None:
    seals, claims = chain_of(2, 2, 2)
    cut = seals[:2], claims[:4]

    assert verify(*cut).fault_count == 0
    (fault,) = verify(*cut, expect=seals[2]).faults
    assert fault.code is FaultCode.HEAD_DIFFERS
    assert fault.message == "seal 3, which was expected, is gone; the chain ends with seal 2"
    assert verify([], [], expect=seals[2]).faults[0].message.endswith("there is no chain")


def test_a_chain_made_anew_is_noticed_by_an_expected_head_alone() -> None:
    noted = chain_of(2, 2, 2)[0][1]
    seals, claims = chain_of(2, 1, 3)

    assert verify(seals, claims).fault_count == 0
    assert codes(verify(seals, claims, expect=noted)) == ["HEAD_DIFFERS"]


def test_what_is_past_retention_may_be_gone_with_the_seals_that_list_nothing_else() -> None:
    seals, claims = chain_of(2, 2, 2, every_ms=DAY)

    report = verify(seals[1:], claims[3:], expired_before_at=claims[3].recorded_at or 0)

    assert codes(report) == []
    assert (report.seals, report.entries, report.expired) == (2, 3, 1)


def test_a_seal_whose_last_entry_is_kept_may_not_be_gone() -> None:
    seals, claims = chain_of(2, 2, 2, every_ms=DAY)

    report = verify(seals[1:], claims[2:], expired_before_at=claims[1].recorded_at or 0)

    assert codes(report) == ["SEAL_REMOVED"]


def test_what_is_past_retention_and_still_there_may_outlive_its_seal() -> None:
    seals, claims = chain_of(2, 2, 2, every_ms=DAY)

    report = verify(seals[1:], claims, expired_before_at=claims[2].recorded_at or 0)

    assert codes(report) == []


def test_what_is_past_retention_and_still_there_must_be_as_it_was() -> None:
    seals, claims = chain_of(2, 2, every_ms=DAY)
    claims[0] = replace(claims[0], digest="another")

    report = verify(seals, claims, expired_before_at=claims[3].recorded_at or 0)

    assert codes(report) == ["ENTRY_EDITED"]


def test_an_expected_head_that_retention_removed_is_a_fault_that_says_what_to_do() -> None:
    seals, claims = chain_of(2, 2, 2, every_ms=DAY)

    (fault,) = verify(seals[1:], claims[2:], expect=seals[0], expired_before_at=claims[2].recorded_at or 0).faults

    assert fault.message == "seal 1, which was expected, is gone; if its retention was over, note a newer head"


def test_all_faults_are_counted_and_the_first_hundred_named() -> None:
    seals, claims = chain_of(MOST_FAULTS + 50)

    report = verify(seals, [replace(claim, digest="another") for claim in claims])

    assert (report.fault_count, len(report.faults)) == (MOST_FAULTS + 50, MOST_FAULTS)
