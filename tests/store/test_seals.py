"""Seals and audit entries as stored, without a database."""

import hashlib
from datetime import UTC, datetime
from typing import Any

import bson
import pytest
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.raw_bson import RawBSONDocument
from msgspec.structs import replace
from support.audit import entry
from support.records import NOW

from app.domain.audit_chain import BrokenSeal, Head, Seal, SealedEntry, hash_of
from app.store.mapping import MappingError, to_document
from app.store.seals import claim_of, digest, head_of, readable_entry, seal_document, seal_of, sealed_entry

LISTED = SealedEntry("audit_1", NOW - 1000, "d" * 64)
UNHASHED = Seal(number=2, previous="p" * 64, previous_at=NOW - 5000, sealed_at=NOW, entries=(LISTED,), hash="")
SEAL = replace(UNHASHED, hash=hash_of(UNHASHED))


def raw(**fields: Any) -> RawBSONDocument:
    recorded = {"_id": "audit_1", "recordedAt": datetime.fromtimestamp(NOW / 1000, UTC)}
    return RawBSONDocument(bson.encode({**recorded, **fields}))


def test_a_seal_comes_back_as_it_was_made() -> None:
    document = seal_document(SEAL)

    assert (document["_id"], "number" in document) == (2, False)
    assert seal_of(bson.decode(bson.encode(document), bson.CodecOptions(tz_aware=True))) == SEAL


@pytest.mark.parametrize(
    "spoilt",
    [{"sealedAt": "yesterday"}, {"entries": 5}, {"previous": None}],
    ids=["a date that is none", "no list", "nothing"],
)
def test_a_seal_that_cannot_be_read_is_told_with_its_number_and_hash(spoilt: dict[str, Any]) -> None:
    found = seal_of({**seal_document(SEAL), **spoilt})

    assert isinstance(found, BrokenSeal)
    assert (found.number, found.hash) == (2, SEAL.hash)
    assert found.problem


def test_the_next_seal_holds_on_to_a_whole_one_and_trusts_no_date_in_a_spoilt_one() -> None:
    whole = seal_document(SEAL)
    edited = {**whole, "sealedAt": datetime(2020, 1, 1, tzinfo=UTC)}

    assert head_of(whole, at=NOW + 9) == Head(2, SEAL.hash, NOW)
    assert head_of(edited, at=NOW + 9) == Head(2, SEAL.hash, NOW + 9)
    assert head_of({**whole, "entries": 5}, at=NOW + 9) == Head(2, SEAL.hash, NOW + 9)


def test_the_digest_is_of_all_but_the_seal() -> None:
    content = dict(raw(after={"a": 1}))

    assert digest(raw(after={"a": 1})) == hashlib.sha256(bson.encode(content)).hexdigest()
    assert digest(raw(after={"a": 1}, seal=7)) == digest(raw(after={"a": 1}))
    assert digest(raw(after={"a": 2})) != digest(raw(after={"a": 1}))


def test_an_entry_without_a_date_gets_that_of_its_sealing() -> None:
    assert sealed_entry(raw(), at=NOW + 5).recorded_at == NOW
    assert sealed_entry(raw(recordedAt="never"), at=NOW + 5).recorded_at == NOW + 5


@pytest.mark.parametrize(
    ("seal", "claimed"),
    [(3, 3), (Int64(3), 3), (3.0, 3), (0, None), (-1, None), (1.5, None), (2**31, None), ("3", None), (True, None)],
)
def test_an_entry_claims_only_a_number_that_a_seal_may_have(seal: object, claimed: int | None) -> None:
    assert claim_of(raw(seal=seal)).seal == claimed


def test_an_id_that_another_client_made_is_text() -> None:
    made = bson.ObjectId()

    assert claim_of(raw(_id=made)).id == str(made)


def test_what_an_entry_holds_is_shown_as_json() -> None:
    held = {
        "amount": Decimal128("1E+3"),
        "at": datetime.fromtimestamp(NOW / 1000, UTC).replace(tzinfo=None),
        "list": [{"id": bson.ObjectId("0" * 24)}, None, True],
    }
    stored = {**to_document(entry(1)), "before": None, "after": held}

    shown = readable_entry(stored)

    assert shown.before is None
    assert shown.after == {
        "amount": "1000",
        "at": "2026-09-21T14:13:20.000Z",
        "list": [{"id": "0" * 24}, None, True],
    }


def test_an_entry_that_cannot_be_read_is_a_mapping_error() -> None:
    with pytest.raises(MappingError):
        readable_entry({"_id": "audit_1", "actor": "nobody"})
