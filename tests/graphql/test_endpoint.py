"""GraphQL over HTTP: methods, types, credentials, odd bodies, and what is sent back."""

import httpx
import orjson
import pytest
from structlog.testing import capture_logs
from support.api import JSON, MODERN, SECRET, Api
from support.records import NOW, feature, limit, plan

from app.domain.api_key import Scope
from app.domain.errors import UnavailableError

PLANS = "{ plans { key } }"
BROKEN = "{ plans { key "
INVALID = "{ plans { nothing } }"
UNCOERCIBLE = {"query": "query($i: ID!) { node(id: $i) { id } }", "variables": {}}


@pytest.fixture
def api() -> Api:
    api = Api()
    api.put(feature(), plan("pro", limit()))
    return api


def _code(response: httpx.Response) -> str:
    return response.json()["errors"][0]["extensions"]["code"]


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        (MODERN, MODERN),
        (f"{JSON};q=0.5, {MODERN}", MODERN),
        (f"{MODERN};q=0, {JSON}", JSON),
        ("text/html", JSON),
    ],
)
async def test_the_answer_is_in_the_type_asked_for(api: Api, accept: str, media_type: str) -> None:
    response = await api.post({"query": PLANS}, key=api.key(), accept=accept)

    assert response.headers["content-type"] == f"{media_type}; charset=utf-8"
    assert response.json() == {"data": {"plans": [{"key": "pro"}]}}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param({"query": BROKEN}, "GRAPHQL_PARSE_FAILED", id="syntax"),
        pytest.param({"query": INVALID}, "GRAPHQL_VALIDATION_FAILED", id="validation"),
        pytest.param(UNCOERCIBLE, "BAD_USER_INPUT", id="variables"),
        pytest.param({"query": f"query A {PLANS} query B {PLANS}"}, "BAD_USER_INPUT", id="which operation"),
        pytest.param({"query": PLANS, "operationName": "C"}, "BAD_USER_INPUT", id="unknown operation"),
        pytest.param({"query": "subscription { syncStatusChanged { cache { ready } } }"}, "BAD_USER_INPUT", id="live"),
    ],
)
async def test_what_is_never_executed_is_4xx_without_data_or_200_for_old_clients(
    api: Api, body: object, code: str
) -> None:
    modern, legacy = (
        await api.post(body, key=api.key(), accept=MODERN),
        await api.post(body, key=api.key(), accept=JSON),
    )

    assert (modern.status_code, _code(modern)) == (400, code)
    assert "data" not in modern.json()
    assert (legacy.status_code, _code(legacy)) == (200, code)


async def test_the_operation_named_is_run(api: Api) -> None:
    body = {"query": f"query A {PLANS} query B {{ features {{ key }} }}", "operationName": "B"}

    assert (await api.post(body, key=api.key())).json() == {"data": {"features": [{"key": "api_calls"}]}}


async def test_null_members_are_as_good_as_none(api: Api) -> None:
    body = {"query": PLANS, "operationName": None, "variables": None, "extensions": None, "more": 1}

    assert (await api.post(body, key=api.key())).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="cut"),
        pytest.param(b"[]", id="empty batch"),
        pytest.param([{"query": PLANS}], id="batch"),
        pytest.param(b"1", id="number"),
        pytest.param(b"null", id="null"),
        pytest.param({}, id="no query"),
        pytest.param({"query": " "}, id="blank query"),
        pytest.param({"query": 1}, id="query number"),
        pytest.param({"query": PLANS, "operationName": 1}, id="name number"),
        pytest.param({"query": PLANS, "variables": []}, id="variables list"),
        pytest.param({"query": PLANS, "variables": "{}"}, id="variables string"),
        pytest.param({"query": PLANS, "extensions": 0}, id="extensions number"),
        pytest.param(b'{"query": NaN}', id="nan"),
        pytest.param(b'{"query": "\xff"}', id="not utf-8"),
        pytest.param(b'{"query": "\\ud800"}', id="half a surrogate"),
        pytest.param(b'{"query": "{ plans { key } }", "variables": {"a": ' + b"1" * 5000 + b"}}", id="5000 digits"),
        pytest.param(b'{"query": "{ plans { key } }", "variables": {"a": ' + b"[" * 100_000 + b"}}", id="100k deep"),
        pytest.param(b"[" * 100_000 + b"]" * 100_000, id="100k deep and whole"),
    ],
)
@pytest.mark.parametrize("accept", [JSON, MODERN])
async def test_odd_bodies_are_client_errors(api: Api, body: object, accept: str) -> None:
    response = await api.post(body, key=api.key(), accept=accept)

    assert (response.status_code, _code(response)) == (400, "BAD_USER_INPUT")


async def test_a_huge_integer_for_an_argument_is_a_client_error(api: Api) -> None:
    query = (
        "query($w: ID!, $u: Decimal) { "
        'checkEntitlement(input: {workspaceId: $w, featureKey: \\"a\\", requestedUsage: $u}) '
        "{ entitlement { hasAccess } } }"
    )
    body = '{"query": "' + query + '", "variables": {"w": "a", "u": ' + "1" * 5000 + "}}"

    response = await api.post(body, key=api.key())

    assert 400 <= response.status_code < 500


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
        "application/json; charset=latin-1",
    ],
)
async def test_only_json_is_taken_so_that_no_form_can_post(api: Api, content_type: str) -> None:
    response = await api.post({"query": PLANS}, key=api.key(), content_type=content_type)

    assert (response.status_code, _code(response)) == (415, "UNSUPPORTED_MEDIA_TYPE")


async def test_utf8_may_be_named(api: Api) -> None:
    response = await api.post({"query": PLANS}, key=api.key(), content_type='application/json; charset="UTF-8"')

    assert response.status_code == 200


async def test_compressed_bodies_are_refused(api: Api) -> None:
    assert (await api.post({"query": PLANS}, key=api.key(), content_encoding="gzip")).status_code == 415


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
async def test_only_post_is_taken(api: Api, method: str) -> None:
    headers = {"authorization": api.key()}

    response = await api.http.request(method, "/graphql", params={"query": PLANS}, headers=headers)

    assert response.status_code == 405
    assert response.headers["allow"] == "POST"


async def test_the_scheme_may_be_written_in_any_case(api: Api) -> None:
    assert (await api.post({"query": PLANS}, key=api.key().replace("Bearer", "bearer"))).status_code == 200


@pytest.mark.parametrize(
    "key",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer nonsense",
        f"Basic ent_key_1_{SECRET}",
        f"ent_key_1_{SECRET}",
        "Bearer ent_key_1_wrong",
        "Bearer ent_key_1_",
        f"Bearer ent_key_unknown_{SECRET}",
        f"Bearer ent_key_expired_{SECRET}",
        f"Bearer ent_key_revoked_{SECRET}",
        "Bearer ent_key_1_" + "x" * 5000,
    ],
)
async def test_without_a_good_key_nothing_is_answered_and_all_refusals_are_alike(api: Api, key: str | None) -> None:
    api.key(), api.key(id="key_expired", expires_at=NOW), api.key(id="key_revoked", revoked_at=NOW - 1)

    response = await api.post({"query": BROKEN}, key=key)

    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    error = response.json()["errors"][0]
    assert error["message"] == "a valid API key is needed: Authorization: Bearer KEY"
    assert error["extensions"]["code"] == "UNAUTHENTICATED"


async def test_revocation_takes_effect_with_the_next_request(api: Api) -> None:
    key = api.key()
    before = await api.post({"query": PLANS}, key=key)

    api.key(version=2, revoked_at=NOW)

    assert (before.status_code, (await api.post({"query": PLANS}, key=key)).status_code) == (200, 401)


async def test_a_key_expires_at_its_instant(api: Api) -> None:
    key = api.key(expires_at=NOW + 10)
    api.clock.advance(9)
    before = await api.post({"query": PLANS}, key=key)
    api.clock.advance(1)

    assert (before.status_code, (await api.post({"query": PLANS}, key=key)).status_code) == (200, 401)


async def test_before_the_keys_are_loaded_nobody_is_called_unauthenticated(api: Api) -> None:
    api.rt.cache.ready = False

    response = await api.post({"query": PLANS}, key=f"Bearer ent_key_1_{SECRET}")

    assert (response.status_code, _code(response)) == (503, "NOT_READY")
    assert response.headers["retry-after"] == "1"


async def test_a_missing_scope_names_those_that_would_do(api: Api) -> None:
    response = await api.post({"query": PLANS}, key=api.key(Scope.OPERATOR))

    assert (response.status_code, _code(response)) == (403, "FORBIDDEN")
    assert "ENTITLEMENTS_READ" in response.json()["errors"][0]["message"]
    assert "data" not in response.json()


async def test_errors_name_the_request(api: Api) -> None:
    given = await api.post({"query": INVALID}, key=api.key(), X_Request_ID="abc-1")
    made = await api.post({"query": INVALID}, key=api.key(), X_Request_ID="no\tword")

    assert given.headers["x-request-id"] == "abc-1"
    assert given.json()["errors"][0]["extensions"]["requestId"] == "abc-1"
    assert made.headers["x-request-id"] == made.json()["errors"][0]["extensions"]["requestId"]
    assert made.headers["x-request-id"].startswith("req_")


async def test_a_bug_is_masked_and_logged_with_the_request(api: Api) -> None:
    async def broken() -> None:
        raise RuntimeError("password=hunter2")

    api.sync.status = broken  # type: ignore[method-assign]

    with capture_logs() as logged:
        response = await api.post({"query": "{ syncStatus { cache { ready } } }"}, key=api.key(), X_Request_ID="r1")

    error = response.json()["errors"][0]
    assert response.json()["data"] is None
    assert error["path"] == ["syncStatus"]
    assert error["extensions"] == {"code": "INTERNAL", "requestId": "r1"}
    assert "hunter2" not in response.text
    assert [(line["log_level"], line["request_id"], type(line["exc_info"])) for line in logged] == [
        ("error", "r1", RuntimeError)
    ]


async def test_a_clients_mistake_is_not_logged(api: Api) -> None:
    too_big = {"query": '{ plan(key: "x", version: 99999999999) { id } }'}

    with capture_logs() as logged:
        for body in ({"query": INVALID}, {"query": BROKEN}, UNCOERCIBLE, too_big, {"query": "{ workspace { id } }"}):
            await api.post(body, key=api.key())

    assert logged == []


async def test_an_absent_database_is_a_coded_error(api: Api) -> None:
    async def down() -> None:
        raise UnavailableError

    api.sync.status = down  # type: ignore[method-assign]

    assert await api.code("{ syncStatus { cache { ready } } }") == "UNAVAILABLE"


async def test_requests_and_errors_are_counted_by_our_words_only(api: Api) -> None:
    await api.ask(PLANS)
    await api.ask(INVALID)

    metrics = api.rt.metrics
    assert metrics.value("requests", "query") == 1
    assert metrics.value("request_errors", "GRAPHQL_VALIDATION_FAILED") == 1


async def test_valid_documents_are_parsed_once(api: Api) -> None:
    key = api.key()
    for _ in range(3):
        assert orjson.loads((await api.post({"query": PLANS}, key=key)).content)["data"]
    api.put(plan("basic"))

    assert (await api.data(PLANS))["plans"] == [{"key": "basic"}, {"key": "pro"}]
