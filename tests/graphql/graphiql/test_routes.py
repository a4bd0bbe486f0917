"""GraphiQL's page: who gets it, and that it needs nothing from elsewhere."""

import base64
import re
from functools import partial
from pathlib import Path

import httpx
import pytest
from graphql import parse, validate
from support.api import Api

from app.domain.api_key import Scope
from app.graphql.graphiql.routes import graphiql_routes
from app.graphql.schema import SCHEMA
from app.http.auth import authenticate
from app.http.routes import build_app

ROOT = Path(__file__).parents[3]
FILES = {
    "/graphiql": "text/html; charset=utf-8",
    "/graphiql/graphiql.js": "text/javascript; charset=utf-8",
    "/graphiql/graphiql.css": "text/css; charset=utf-8",
    "/graphiql/LICENSES.txt": "text/plain; charset=utf-8",
}
MAY_NOT = frozenset({Scope.USAGE_WRITE})
ELSEWHERE = re.compile(r"(?:https?:)?//[a-z]", re.IGNORECASE)


@pytest.fixture
def api() -> Api:
    return Api()


def as_password(key: str, user: str = "anyone") -> str:
    """Return the Basic header that a browser makes of a key."""
    return "Basic " + base64.b64encode(f"{user}:{key.removeprefix('Bearer ')}".encode()).decode()


async def get(api: Api, path: str = "/graphiql", key: str | None = None, **headers: str) -> httpx.Response:
    app = build_app(api.rt, routes=graphiql_routes(api.rt, authenticate=partial(authenticate, api.rt)))
    sent = {name.replace("_", "-"): value for name, value in headers.items()} | ({"authorization": key} if key else {})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        return await client.get(path, headers=sent)


@pytest.mark.parametrize("path", FILES)
@pytest.mark.parametrize("key", [None, "Basic", "Basic ???", "Basic /w==", as_password("ent_key_1_wrong"), "Bearer x"])
async def test_without_a_good_key_a_browser_asks_for_one(api: Api, path: str, key: str | None) -> None:
    api.key()

    response = await get(api, path, key)

    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith('Basic realm="')


@pytest.mark.parametrize("path", FILES)
async def test_a_key_that_may_not_introspect_does_not_get_it(api: Api, path: str) -> None:
    key = api.key(*MAY_NOT)

    assert (await get(api, path, key)).status_code == 403
    assert (await get(api, path, as_password(key))).status_code == 403


@pytest.mark.parametrize("path", FILES)
@pytest.mark.parametrize("user", ["", "anyone"])
async def test_a_good_key_gets_the_page_and_its_files(api: Api, path: str, user: str) -> None:
    key = api.key(Scope.ENTITLEMENTS_READ)

    for sent in (key, as_password(key, user)):
        response = await get(api, path, sent)
        assert response.status_code == 200
        assert response.headers["content-type"] == FILES[path]
        assert len(response.content) > 100


@pytest.mark.parametrize("scope", Scope)
async def test_the_page_and_introspection_are_for_the_same_keys(api: Api, scope: Scope) -> None:
    key = api.key(scope)

    page = await get(api, key=key)
    schema = await api.post({"query": "{ ... on Query { a: __schema { queryType { name } } } }"}, key=key)
    type_ = await api.post({"query": '{ __type(name: "Query") { name } }'}, key=key)

    assert page.status_code == schema.status_code == type_.status_code == (403 if scope in MAY_NOT else 200)


async def test_any_key_may_ask_for_a_typename(api: Api) -> None:
    assert await api.data("{ __typename }", key=api.key(*MAY_NOT)) == {"__typename": "Query"}


async def test_the_api_itself_never_takes_basic(api: Api) -> None:
    response = await api.post({"query": "{ __typename }"}, key=as_password(api.key()))

    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"


async def test_before_the_keys_are_loaded_nobody_is_told_that_theirs_is_wrong() -> None:
    api = Api()
    api.rt.cache.ready = False

    assert (await get(api, key="Bearer x")).status_code == 503


@pytest.mark.parametrize("path", FILES)
async def test_browsers_are_told_to_load_from_here_only(api: Api, path: str) -> None:
    policy = (await get(api, path, api.key())).headers["content-security-policy"]

    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives["default-src"] == "'self'"
    assert directives["frame-ancestors"] == directives["form-action"] == "'none'"
    assert "unsafe" not in policy
    assert not ELSEWHERE.search(policy)


@pytest.mark.parametrize("path", ["/graphiql", "/graphiql/graphiql.css"])
async def test_nothing_is_named_that_is_elsewhere(api: Api, path: str) -> None:
    assert not ELSEWHERE.search((await get(api, path, api.key())).text)


async def test_every_file_that_the_page_names_is_there(api: Api) -> None:
    page = (await get(api, key=api.key())).text
    named = re.findall(r'(?:href|src)="(?!data:)([^"]+)"', page)

    assert len(named) == 2
    assert {f"/{name}" for name in named} < set(FILES)


async def test_a_browser_keeps_the_files_and_asks_whether_they_are_still_good(api: Api) -> None:
    key = api.key()
    first = await get(api, "/graphiql/graphiql.js", key)
    again = await get(api, "/graphiql/graphiql.js", key, if_none_match=first.headers["etag"])
    by_another = await get(api, "/graphiql/graphiql.js", None, if_none_match=first.headers["etag"])

    assert first.headers["cache-control"] == "private, no-cache"
    assert (again.status_code, again.content) == (304, b"")
    assert by_another.status_code == 401


async def test_no_other_path_is_served(api: Api) -> None:
    for path in ("/graphiql/page.html", "/graphiql/routes.py", "/graphiql/..%2froutes.py"):
        assert (await get(api, path, api.key())).status_code == 404


def test_the_bundle_is_built_from_its_source_and_its_examples_are_valid() -> None:
    source = (ROOT / "scripts/_graphiql/page.js").read_text()
    (example,) = re.findall(r"const EXAMPLE = `(.*?)`", source, re.DOTALL)

    assert example in (ROOT / "app/graphql/graphiql/assets/graphiql.js").read_text()
    assert validate(SCHEMA.graphql, parse(example)) == []
