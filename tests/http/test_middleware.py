"""Around every request: ids, headers, and answers for what no route takes."""

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from structlog.contextvars import get_contextvars
from support.api import Api

from app.http.routes import build_app


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/graphql", "/nowhere"])
async def test_every_answer_has_an_id_and_careful_headers(path: str) -> None:
    response = await Api().http.get(path)

    assert response.headers["x-request-id"].startswith("req_")
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in response.headers["content-security-policy"]


@pytest.mark.parametrize(("given", "kept"), [("abc-1.2_3", True), ("a" * 64, True), ("a" * 65, False), ("a b", False)])
async def test_a_plain_id_of_the_caller_is_kept(given: str, *, kept: bool) -> None:
    response = await Api().http.get("/livez", headers={"X-Request-ID": given})

    assert (response.headers["x-request-id"] == given) is kept


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("POST", "/livez", 405)])
async def test_what_no_route_takes_is_refused_in_json(method: str, path: str, status: int) -> None:
    response = await Api().http.request(method, path)

    assert response.status_code == status
    assert response.json()["errors"][0]["extensions"] == {
        "code": f"HTTP_{status}",
        "requestId": response.headers["x-request-id"],
    }


async def test_log_lines_of_a_request_carry_its_id() -> None:
    async def show(_: Request) -> Response:
        return Response(str(get_contextvars().get("request_id")))

    response = await _client([Route("/show", show)]).get("/show")

    assert response.text == response.headers["x-request-id"]
    assert get_contextvars() == {}


async def test_a_bug_in_a_route_is_masked() -> None:
    async def broken(_: Request) -> Response:
        raise RuntimeError("hunter2")

    response = await _client([Route("/broken", broken)]).get("/broken")

    assert response.status_code == 500
    assert response.json()["errors"][0]["extensions"]["code"] == "INTERNAL"
    assert "hunter2" not in response.text


def _client(routes: list[Route]) -> httpx.AsyncClient:
    app = build_app(Api().rt, routes=routes)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://test")
