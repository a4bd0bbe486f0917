"""What a scrape shows."""

from support.api import Api
from support.records import sub, workspace


async def scraped(api: Api) -> dict[str, float]:
    response = await api.http.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain")
    lines = [line for line in response.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


async def test_records_changes_and_requests_are_shown() -> None:
    api = Api()
    api.put(workspace(), sub(), sub())
    await api.ask("{ plans { id } }")
    await api.ask("{ nothing }")

    found = await scraped(api)

    assert found['entitled_records{kind="workspaces"}'] == 1
    assert found['entitled_records{kind="api_keys"}'] == 1
    assert found['entitled_apply_total{outcome="unchanged"}'] >= 1
    assert found['entitled_requests_total{operation="query"}'] == 1
    assert found['entitled_request_errors_total{code="GRAPHQL_VALIDATION_FAILED"}'] == 1
    assert found["entitled_live_subscribers"] == 0


async def test_every_worker_is_valid_or_not() -> None:
    api = Api()
    api.rt.metrics.set("worker_valid", 1, "a")
    api.rt.metrics.set("worker_valid", 0, "b")

    found = await scraped(api)

    assert (found['entitled_worker_valid{worker="a"}'], found['entitled_worker_valid{worker="b"}']) == (1, 0)


async def test_labels_never_come_from_callers() -> None:
    api = Api()
    await api.ask("query Evil_name { nothing_here }")
    await api.http.get("/no-such-path")

    assert "vil" not in (await api.http.get("/metrics")).text
