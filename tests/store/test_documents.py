"""What the document classes let pass: what we write, and nothing that we do not mean."""

from decimal import Decimal
from typing import Any

import pydantic
import pytest
from support.mongomock import mock_database
from support.records import NOW, feature, grant, limit, migration, override, plan, sub, workspace

from app.domain.api_key import ApiKey, Scope
from app.domain.audit import Actor, ActorKind, AuditEntry
from app.domain.change import Kind, Record
from app.domain.plan import Edition, ResetPeriod
from app.domain.stripe_facts import InvoiceFacts, InvoiceLine
from app.domain.stripe_object import StripeObject, StripeSource
from app.domain.usage import Balance, Draw, Meter, Pot, Reservation, UsageEvent, UsageKind, UsageLine, WindowRef
from app.domain.workspace import Address, BillingDetails, TaxId, WorkspaceTrial
from app.ports.store import StoredResult
from app.store.documents import RECORD_DOCUMENTS, StoredDocument, WorkspaceDocument
from app.store.journals import AuditDocument, ResultDocument, UsageEventDocument
from app.store.mapping import from_document, to_document
from app.store.mongo import DOCUMENTS
from app.store.writes import checked

_LINE = UsageLine(
    feature_key="images",
    balance_key="ai",
    amount=Decimal(1),
    charge=Decimal("2.5"),
    draws=(
        Draw(amount=Decimal(1), windows=(WindowRef(ResetPeriod.MONTH, NOW),)),
        Draw(amount=Decimal("1.5"), pot="grant_1", pot_start_at=NOW),
    ),
)
_METER = Meter(reset_period=ResetPeriod.MONTH, start_at=NOW, end_at=None, used=Decimal("1.5"))
_BILLING = BillingDetails(legal_name="Acme", address=Address(country="DE"), tax_ids=(TaxId("eu_vat", "DE123456789"),))
_TRIAL = WorkspaceTrial(plan_id="plan_1", started_at=NOW, ends_at=NOW + 1)

RECORDS = [
    workspace(metadata={"a.b": "1", "$c": "2"}, billing=_BILLING, trial=_TRIAL),
    feature(),
    plan("pro", limit()),
    sub(metadata={"seats": "3"}),
    grant(amount=Decimal(5)),
    override(value=("eu", "us")),
    ApiKey(id="key_1", version=1, incarnation="i", name="ci", secret_hash="0" * 64, scopes=(Scope.ADMIN,)),
    Balance(
        id="ws_1",
        version=1,
        incarnation="i",
        meters={"api.calls": (_METER,)},
        pots={"ai": (Pot(id="grant_1", start_at=NOW, end_at=NOW + 1, used=Decimal(1)),)},
        reservations=(Reservation(id="rsv_1", lines=(_LINE,), principal="key_1", created_at=NOW, expires_at=NOW + 1),),
    ),
    StripeObject(id="sub_1", version=1, incarnation="i", type="subscription", raw="{}", source=StripeSource.FETCH),
    StripeObject(
        id="in_1",
        version=1,
        incarnation="i",
        type="invoice",
        raw="{}",
        source=StripeSource.FETCH,
        facts=InvoiceFacts(
            currency="usd",
            created_at=NOW,
            lines=(InvoiceLine(id="il_1", amount=-166, quantity=Decimal("1.5"), period_start_at=NOW),),
        ),
    ),
    migration(cursor="sub_1", moved=1),
    Edition(id="catalogue", version=1, incarnation="i"),
]
ENTRY = AuditEntry(
    id="audit_1",
    recorded_at=NOW,
    actor=Actor(ActorKind.SYSTEM, "test"),
    operation="test",
    kind=Kind.GRANT,
    record_id="grant_1",
    before=None,
    after=to_document(grant()),
)
USAGE = UsageEvent(
    id="use_1",
    workspace_id="ws_1",
    kind=UsageKind.RECORD,
    lines=(_LINE,),
    occurred_at=NOW,
    recorded_at=NOW,
    principal="key_1",
    input_digest="d",
)
RESULT = StoredResult(id="key_1:grant:k", input_digest="d", created_at=NOW, records=(grant(),), answer="{}")


def test_every_kind_is_among_the_examples() -> None:
    assert {record.KIND for record in RECORDS} == set(Kind)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.KIND.value)
async def test_a_records_document_passes_its_class_and_is_found_again(record: Record) -> None:
    database = await mock_database()
    document = checked(RECORD_DOCUMENTS[record.KIND], to_document(record))

    await database[record.KIND.value].insert_one(document)

    assert from_document(record.KIND, await database[record.KIND.value].find_one({"_id": record.id})) == record


@pytest.mark.parametrize(
    ("document", "struct"), [(AuditDocument, ENTRY), (UsageEventDocument, USAGE), (ResultDocument, RESULT)]
)
async def test_what_is_kept_beside_the_records_passes_its_class(document: type[StoredDocument], struct: Any) -> None:
    await mock_database()

    assert checked(document, to_document(struct))["_id"] == struct.id


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"name": 5}, id="number for a text"),
        pytest.param({"metadata": {"seats": 5}}, id="number in metadata"),
        pytest.param({"version": 0}, id="never written"),
        pytest.param({"_id": ""}, id="no id"),
        pytest.param({"colour": "red"}, id="unknown field"),
        pytest.param({"createdAt": None}, id="no date"),
        pytest.param({"billing": {}}, id="part without its fields"),
    ],
)
async def test_what_we_never_mean_to_write_is_stopped(change: dict[str, Any]) -> None:
    await mock_database()

    with pytest.raises(pydantic.ValidationError):
        checked(WorkspaceDocument, to_document(workspace()) | change)


async def test_the_collections_are_those_of_the_kinds_and_of_the_journals() -> None:
    await mock_database()

    names = [document.get_collection_name() for document in DOCUMENTS]

    assert len(set(names)) == len(names)
    assert {kind.value for kind in Kind} <= set(names)
    assert {"usage_events", "audit", "idempotency", "stripe_events"} <= set(names)
