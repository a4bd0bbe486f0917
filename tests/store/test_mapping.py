"""Records come back from documents as they went in, and nothing else than a record or a MappingError does."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import bson
import msgspec
import pytest
from bson.codec_options import CodecOptions, DatetimeConversion
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from support.records import NOW, feature, grant, item, limit, override, plan, sub, workspace
from support.shapes import structs

from app.domain.audit import Actor, ActorKind, AuditEntry
from app.domain.change import Kind, Record, Tombstone
from app.domain.errors import ValidationError
from app.domain.plan import ResetPeriod
from app.domain.stripe_event import StripeEvent
from app.domain.usage import Balance, Meter, UsageEvent
from app.ports.store import StoredResult
from app.store.documents import RECORD_DOCUMENTS
from app.store.journals import AuditDocument, ResultDocument, StripeEventDocument, UsageEventDocument
from app.store.mapping import (
    RECORD_TYPES,
    SCHEMA_VERSION,
    MappingError,
    from_document,
    from_fields,
    live_or_tombstone,
    result_from_document,
    to_document,
)

_CODEC: CodecOptions[dict[str, Any]] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_AUTO)
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - as the driver gives it

by_kind = pytest.mark.parametrize("kind", list(Kind))


def records_of(kind: Kind) -> st.SearchStrategy[Any]:
    return structs(RECORD_TYPES[kind], id=st.text(min_size=1, max_size=8), version=st.integers(1, 2**62))


def through_bson(raw: dict[str, Any]) -> dict[str, Any]:
    return bson.decode(bson.encode(raw), _CODEC)


def test_every_kind_has_a_type_and_a_document_class() -> None:
    assert set(RECORD_TYPES) == set(RECORD_DOCUMENTS) == set(Kind)


@pytest.mark.parametrize(
    ("struct", "document"),
    [
        *((RECORD_TYPES[kind], RECORD_DOCUMENTS[kind]) for kind in Kind),
        (UsageEvent, UsageEventDocument),
        (AuditEntry, AuditDocument),
        (StoredResult, ResultDocument),
        (StripeEvent, StripeEventDocument),
    ],
)
def test_document_classes_have_the_records_fields(struct: type[msgspec.Struct], document: type[BaseModel]) -> None:
    beside = {"revision_id", "schema_version"}  # beanie's and the mapping's own

    assert {name for name in document.model_fields if name not in beside} == set(struct.__struct_fields__)
    assert {f.alias for name, f in document.model_fields.items() if name not in beside} == {
        "_id" if name == "id" else name for name in struct.__struct_encode_fields__
    }


@by_kind
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_record_comes_back_as_it_went_in(kind: Kind, data: st.DataObject) -> None:
    record = data.draw(records_of(kind))

    assert from_document(kind, through_bson(to_document(record))) == record


@given(st.lists(st.sampled_from(list(Kind)).flatmap(records_of), max_size=3).map(tuple))
def test_a_stored_result_keeps_its_records_and_their_types(records: tuple[Record, ...]) -> None:
    result = StoredResult(id="key_1:grant:k", input_digest="d", created_at=NOW, records=records, answer="{}")

    assert result_from_document(through_bson(to_document(result))) == result


@pytest.mark.parametrize("struct", [UsageEvent, StripeEvent])
@given(data=st.data())
def test_an_event_comes_back_as_it_went_in(struct: type[msgspec.Struct], data: st.DataObject) -> None:
    event = data.draw(structs(struct, id=st.text(min_size=1)))

    assert from_fields(struct, through_bson(to_document(event))) == event


def test_an_audit_entry_keeps_documents_as_they_are() -> None:
    after = to_document(sub(metadata={"$x": "1"}))
    entry = AuditEntry(
        id="audit_1",
        recorded_at=NOW,
        actor=Actor(ActorKind.STRIPE, "evt_1"),
        operation="stripe",
        kind=Kind.SUBSCRIPTION,
        record_id="sub_1",
        before=None,
        after=after,
    )

    assert from_fields(AuditEntry, through_bson(to_document(entry))) == entry


def test_documents_are_camel_case_with_dates_and_exact_decimals() -> None:
    document = to_document(grant(amount=Decimal("0.10"), expires_at=1_500))

    assert document["_id"] == "grant_1"
    assert document["schemaVersion"] == SCHEMA_VERSION
    assert document["workspaceId"] == "ws_1"
    assert document["expiresAt"] == _EPOCH + timedelta(milliseconds=1_500)
    assert document["amount"] == bson.Decimal128("0.10")
    assert "id" not in document


def test_nested_ids_stay_ids() -> None:
    assert to_document(sub())["items"][0]["id"] == item().id


def test_keys_of_users_are_not_field_names() -> None:
    keys = {"paid_at": "1", "paidAt": "2", "id": "3", "_id": "4", "$set": "5", "~$set": "6", "~a": "7", "a.b": "8"}

    document = through_bson(to_document(workspace(metadata=keys)))

    assert document["metadata"]["paidAt"] == "2"
    assert not [key for key in document["metadata"] if key.startswith("$")]
    assert from_document(Kind.WORKSPACE, document) == workspace(metadata=keys)


def test_a_meters_feature_key_may_end_like_an_instant() -> None:
    meters = {"seatsAt": (Meter(reset_period=ResetPeriod.NEVER, start_at=0, end_at=None, used=Decimal(1)),)}
    balance = Balance(id="ws_1", version=1, meters=meters)

    assert from_document(Kind.BALANCE, through_bson(to_document(balance))) == balance


@pytest.mark.parametrize(
    ("record", "path"),
    [
        pytest.param(override(limit=Decimal("1" * 35)), "limit", id="decimal of 35 digits"),
        pytest.param(override(limit=Decimal("NaN")), "limit", id="not a number"),
        pytest.param(override(value=2**63), "value", id="integer beyond 64 bits"),
        pytest.param(grant(expires_at=253_402_300_800_000), "expiresAt", id="year 10000"),
        pytest.param(grant(expires_at=10**30), "expiresAt", id="no date at all"),
        pytest.param(workspace(name="\ud800"), "name", id="lone surrogate"),
        pytest.param(workspace(metadata={"a\0b": "1"}), "metadata", id="NUL in a key"),
        pytest.param(workspace(metadata={"\ud800": "1"}), "metadata", id="lone surrogate in a key"),
        pytest.param(plan("pro", limit(amount="1E+7000")), "features.limit", id="nested"),
    ],
)
def test_what_bson_cannot_hold_is_refused_by_name(record: Record, path: str) -> None:
    with pytest.raises(ValidationError) as raised:
        to_document(record)

    assert raised.value.fields[0].path == tuple(path.split("."))


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        pytest.param(5, Decimal(5), id="int"),
        pytest.param(bson.Int64(5), Decimal(5), id="long"),
        pytest.param(5.0, Decimal(5), id="whole double"),
        pytest.param(0.1, Decimal("0.1"), id="double"),
        pytest.param(bson.Decimal128("0.10"), Decimal("0.10"), id="decimal"),
    ],
)
def test_a_foreign_writers_number_is_a_decimal(stored: object, read: Decimal) -> None:
    raw = to_document(override()) | {"limit": stored}

    record = from_document(Kind.OVERRIDE, through_bson(raw))

    assert record == override(limit=read)


def test_a_shells_doubles_are_integers() -> None:
    raw = to_document(sub(version=3)) | {"version": 3.0}
    raw["items"][0]["quantity"] = 1.0

    assert from_document(Kind.SUBSCRIPTION, through_bson(raw)) == sub(version=3)


@pytest.mark.parametrize("version", [None, 0, "absent"])
def test_a_document_that_another_client_inserted_is_version_1(version: object) -> None:
    raw = to_document(feature()) | {"version": version}
    for key in ["incarnation", "createdAt", "schemaVersion", *(["version"] if version == "absent" else [])]:
        del raw[key]

    assert from_document(Kind.FEATURE, raw) == feature(incarnation="")


def test_an_aware_date_is_the_same_instant() -> None:
    raw = to_document(grant()) | {"effectiveAt": datetime.fromtimestamp(NOW / 1000, UTC)}

    assert from_document(Kind.GRANT, raw) == grant(effective_at=NOW)


def test_fields_of_a_newer_release_are_passed_over() -> None:
    raw = to_document(workspace()) | {"colour": "red", "schemaVersion": SCHEMA_VERSION + 1}

    assert from_document(Kind.WORKSPACE, raw) == workspace()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        pytest.param({"_id": bson.ObjectId()}, "_id: expected text", id="foreign id"),
        pytest.param({"schemaVersion": SCHEMA_VERSION + 2}, "a newer release wrote it", id="two releases ahead"),
        pytest.param({"version": -1}, "version: expected 1 or more", id="negative version"),
        pytest.param({"version": True}, "Expected `int`, got `bool`", id="boolean version"),
        pytest.param({"expiresAt": NOW}, "expiresAt: expected a date, got int", id="number for a date"),
        pytest.param({"expiresAt": bson.DatetimeMS(10**15)}, "outside the years 1 to 9999", id="date of no year"),
        pytest.param({"limit": "5"}, "limit: expected a number, got str", id="text for a number"),
        pytest.param({"limit": float("inf")}, "limit: expected a finite number", id="infinite"),
        pytest.param({"limitBehavior": "FIRM"}, "Invalid enum value 'FIRM'", id="unknown word"),
        pytest.param({"workspaceId": None}, "Expected `str`, got `null`", id="no owner"),
    ],
)
def test_what_cannot_be_read_says_where_and_why(change: dict[str, Any], problem: str) -> None:
    raw = to_document(override()) | change

    with pytest.raises(MappingError, match=problem) as raised:
        from_document(Kind.OVERRIDE, raw)

    assert (raised.value.kind, raised.value.id) == (Kind.OVERRIDE, str(raw["_id"]))


_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(max_size=5),
    st.binary(max_size=5),
    st.datetimes(),
    st.integers(-(2**60), 2**60).map(bson.DatetimeMS),
    st.sampled_from([bson.Decimal128("NaN"), bson.Decimal128("-Infinity"), bson.Decimal128("1E+6000"), bson.Int64(7)]),
    st.just(bson.ObjectId()),
    st.just(bson.DBRef("grants", 1)),
)
garbage = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)


@by_kind
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_garbage_is_a_record_or_a_mapping_error(kind: Kind, data: st.DataObject) -> None:
    raw = through_bson(to_document(data.draw(records_of(kind))))
    for key in data.draw(st.lists(st.sampled_from(sorted(raw)), max_size=3)):
        raw[key] = data.draw(garbage)
    raw |= data.draw(st.dictionaries(st.text(max_size=5), garbage, max_size=3))

    for read in (from_document, live_or_tombstone):
        try:
            outcome = read(kind, raw)
        except MappingError:
            continue
        assert isinstance(outcome, (RECORD_TYPES[kind], Tombstone))


@given(raw=st.dictionaries(st.sampled_from(["_id", "inputDigest", "createdAt", "records"]), garbage))
def test_a_garbled_result_is_a_mapping_error(raw: dict[str, Any]) -> None:
    with suppress(MappingError):
        assert isinstance(result_from_document(raw), StoredResult)


@pytest.mark.parametrize("records", [5, ["text"], [{}], [{"kind": "grants", "document": "text"}], [{"kind": "x"}]])
def test_a_result_of_garbled_records_is_a_mapping_error(records: object) -> None:
    raw = to_document(StoredResult(id="key_1:grant:k", input_digest="d", created_at=NOW)) | {"records": records}

    with pytest.raises(MappingError, match="key_1:grant:k"):
        result_from_document(raw)


@pytest.mark.parametrize(
    ("record", "owner"),
    [
        pytest.param(grant(version=4, deleted_at=NOW), "ws_1", id="owned"),
        pytest.param(workspace("ws_9", version=4, deleted_at=NOW), "ws_9", id="workspace"),
        pytest.param(Balance(id="ws_9", version=4, incarnation="i", deleted_at=NOW), "ws_9", id="balance"),
        pytest.param(feature(version=4, deleted_at=NOW), None, id="of nobody"),
    ],
)
def test_a_soft_deleted_document_is_a_tombstone(record: Record, owner: str | None) -> None:
    outcome = live_or_tombstone(record.KIND, through_bson(to_document(record)))

    assert outcome == Tombstone(record.KIND, record.id, 4, "i", owner)


def test_a_tombstone_needs_no_more_than_what_every_record_has() -> None:
    raw = {"_id": "grant_1", "workspaceId": "ws_1", "version": 2, "deletedAt": _EPOCH, "amount": "rubbish"}

    assert live_or_tombstone(Kind.GRANT, raw) == Tombstone(Kind.GRANT, "grant_1", 2, "", "ws_1")


def test_a_live_document_is_its_record() -> None:
    assert live_or_tombstone(Kind.SUBSCRIPTION, to_document(sub())) == sub()
