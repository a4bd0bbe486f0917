"""`auditLog` and `auditChain`, from the operation to the real store."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from support.api import Api
from support.audit import append, entry, sealed, stored
from support.records import NOW
from support.runtime import running

from app.domain.api_key import Scope
from app.domain.audit import Actor, ActorKind
from app.domain.change import Kind

LOG = """query($actor: String, $resource: ID, $kind: RecordKind, $action: String, $from: DateTime, $to: DateTime,
    $first: Int, $after: String) {
  auditLog(actor: $actor, resource: $resource, kind: $kind, action: $action, from: $from, to: $to, first: $first,
    after: $after) { totalCount nodes { id } edges { cursor } pageInfo { hasNextPage hasPreviousPage endCursor } } }"""
ENTRY = "id recordedAt actorKind actorId operation kind recordId before after sealed"
CHAIN = """query($expect: String, $before: DateTime) { auditChain(expect: $expect, expiredBeforeAt: $before) {
  intact seals entries expired unsealed head { number hash sealedAt } expiredBeforeAt faultCount
  faults { code message seal entryId } } }"""


@pytest.fixture
async def api(mongodb_uri: str, database: str) -> AsyncIterator[Api]:
    async with running(mongodb_uri, database) as rt:
        yield Api(rt)


async def ids(api: Api, **wanted: Any) -> list[str]:
    return [node["id"] for node in (await api.data(LOG, wanted))["auditLog"]["nodes"]]


async def test_an_entry_tells_who_changed_what(api: Api) -> None:
    made = await api.data(
        """mutation { createWorkspace(input: {idempotencyKey: "k", externalId: "acme", metadata: {seats: "5"}}) {
          ... on WorkspacePayload { workspace { id } } } }"""
    )
    id = made["createWorkspace"]["workspace"]["id"]  # noqa: A001 - the word
    renamed = """mutation($id: ID!) { updateWorkspace(input: {idempotencyKey: "l", workspaceId: $id, name: "Acme"}) {
      __typename } }"""
    await api.data(renamed, {"id": id})

    newest, oldest = (await api.data(f"{{ auditLog {{ nodes {{ {ENTRY} }} }} }}"))["auditLog"]["nodes"]

    assert oldest["before"] is None
    assert newest["before"] == oldest["after"]
    assert (newest["before"]["name"], newest["after"]["name"]) == (None, "Acme")
    assert (newest["after"]["metadata"], newest["after"]["createdAt"]) == ({"seats": "5"}, "2026-09-21T14:13:20.000Z")
    shown = {name: newest[name] for name in ("actorKind", "actorId", "operation", "kind", "recordId", "sealed")}
    assert shown == {
        "actorKind": "API_KEY",
        "actorId": "key_1",
        "operation": "updateWorkspace",
        "kind": "WORKSPACE",
        "recordId": id,
        "sealed": None,
    }
    found = await api.data(
        f"query($i: ID!) {{ node(id: $i) {{ ... on AuditEntry {{ {ENTRY} }} }} }}", {"i": newest["id"]}
    )
    assert found["node"] == newest


async def test_no_secret_is_in_the_log(api: Api) -> None:
    made = await api.data(
        """mutation { createApiKey(input: {idempotencyKey: "k", name: "ci", scopes: [OPERATOR]}) {
          ... on CreateApiKeyPayload { credential } } }"""
    )
    secret = made["createApiKey"]["credential"].rsplit("_", 1)[-1]

    (entry_of_key,) = (await api.data(f"{{ auditLog(kind: API_KEY) {{ nodes {{ {ENTRY} }} }} }}"))["auditLog"]["nodes"]

    assert entry_of_key["after"]["name"] == "ci"
    assert not [name for name in entry_of_key["after"] if "secret" in name.lower()]
    assert secret not in str(entry_of_key)


async def test_filters_narrow_one_another(api: Api) -> None:
    await append(
        api.rt,
        entry(1),
        entry(2, actor=Actor(ActorKind.STRIPE, "sub_1"), record_id="sub_1", kind=Kind.SUBSCRIPTION),
        entry(3, operation="revokeGrant"),
    )
    second = "2026-09-21T14:13:22.000Z"

    assert await ids(api) == ["audit_00003", "audit_00002", "audit_00001"]
    assert await ids(api, actor="sub_1") == ["audit_00002"]
    assert await ids(api, resource="grant_1") == ["audit_00001"]
    assert await ids(api, kind="GRANT") == ["audit_00003", "audit_00001"]
    assert await ids(api, action="revokeGrant") == ["audit_00003"]
    assert await ids(api, **{"from": second}) == ["audit_00003", "audit_00002"]
    assert await ids(api, to=second) == ["audit_00001"]
    assert await ids(api, kind="GRANT", actor="key_1", **{"from": second}) == ["audit_00003"]


async def test_pages_follow_each_other_and_the_total_is_of_all(api: Api) -> None:
    await append(api.rt, *(entry(n, recorded_at=NOW + n // 2) for n in range(1, 6)), entry(9, operation="other"))
    seen: list[str] = []
    after = None

    while True:
        page = (await api.data(LOG, {"action": "grantEntitlement", "first": 2, "after": after}))["auditLog"]
        seen += [node["id"] for node in page["nodes"]]
        assert page["totalCount"] == 5
        assert page["pageInfo"]["hasPreviousPage"] is (after is not None)
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break

    assert seen == [f"audit_{n:05}" for n in (5, 4, 3, 2, 1)]


@pytest.mark.parametrize(
    "wanted",
    [
        pytest.param({"first": 101}, id="too many"),
        pytest.param({"actor": ""}, id="no actor"),
        pytest.param({"resource": "a\0"}, id="no id"),
        pytest.param({"action": "x" * 5000}, id="no operation"),
        pytest.param({"kind": "CATS"}, id="no kind"),
        pytest.param({"from": "2026-01-02T00:00:00Z", "to": "2026-01-02T00:00:00Z"}, id="no time"),
        pytest.param({"after": "x"}, id="no cursor"),
    ],
)
async def test_what_nothing_can_match_is_bad_input(api: Api, wanted: dict[str, Any]) -> None:
    assert await api.code(LOG, wanted) == "BAD_USER_INPUT"


async def test_a_cursor_serves_the_question_it_was_given_for(api: Api) -> None:
    await append(api.rt, entry(1), entry(2))
    cursor = (await api.data(LOG, {"first": 1}))["auditLog"]["edges"][0]["cursor"]

    assert await ids(api, first=1, after=cursor) == ["audit_00001"]
    assert await api.code(LOG, {"first": 1, "after": cursor, "kind": "GRANT"}) == "BAD_USER_INPUT"


async def test_the_audit_is_for_operators(api: Api) -> None:
    await append(api.rt, entry(1))
    node = '{ node(id: "audit_00001") { id } }'

    for document in (LOG, CHAIN, node):
        assert await api.code(document, key=api.key(Scope.ADMIN, Scope.BILLING_READ, id="key_2")) == "FORBIDDEN"
        assert "data" in await api.ask(document, key=api.key(Scope.OPERATOR))


async def test_the_chain_is_verified_against_a_head(api: Api, mongodb_uri: str, database: str) -> None:
    await sealed(api.rt, 2, 2)
    await append(api.rt, entry(9))
    whole = (await api.data(CHAIN))["auditChain"]
    head = f"{whole['head']['number']}:{whole['head']['hash']}"
    with stored(mongodb_uri, database) as db:
        db["audit"].delete_one({"_id": "audit_00003"})
        db["audit_seals"].delete_one({"_id": 1})

    faulty = (await api.data(CHAIN, {"expect": head}))["auditChain"]

    assert (whole["intact"], whole["seals"], whole["entries"], whole["unsealed"]) == (True, 2, 4, 1)
    assert whole["head"]["sealedAt"] == "2026-09-21T14:13:20.000Z"
    assert (faulty["intact"], faulty["faultCount"], faulty["head"]) == (False, 4, whole["head"])
    assert faulty["faults"][0] == {
        "code": "SEAL_REMOVED",
        "message": "seal 1 was removed",
        "seal": 1,
        "entryId": None,
    }
    assert faulty["faults"][-1]["entryId"] == "audit_00003"
    told = (await api.data(CHAIN, {"before": "2026-09-21T14:13:24.000Z"}))["auditChain"]
    assert (told["intact"], told["expired"], told["expiredBeforeAt"]) == (True, 1, "2026-09-21T14:13:24.000Z")


async def test_a_head_that_can_be_none_is_bad_input(api: Api) -> None:
    assert await api.code(CHAIN, {"expect": "12"}) == "BAD_USER_INPUT"
