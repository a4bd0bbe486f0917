import pytest
from sandbox.stripe_account import Account

URL = "https://example.com/hook"
ANY = {"url": URL, "enabled_events[0]": "*"}


async def test_the_secret_is_shown_at_creation_only(account: Account) -> None:
    created = await account.post("/v1/webhook_endpoints", {**ANY, "api_version": "2025-02-24.acacia"})
    path = f"/v1/webhook_endpoints/{created['id']}"

    shown = [
        await account.get(path),
        await account.post(path, {"description": "ours"}),
        (await account.get("/v1/webhook_endpoints"))["data"][0],
    ]

    assert created["secret"].startswith("whsec_")
    assert (created["status"], created["api_version"]) == ("enabled", "2025-02-24.acacia")
    assert ["secret" in endpoint for endpoint in shown] == [False] * 3
    assert shown[1]["description"] == "ours"


async def test_events_go_where_they_are_enabled(account: Account) -> None:
    every = await account.post("/v1/webhook_endpoints", ANY)
    await account.post("/v1/webhook_endpoints", {"url": URL, "enabled_events[0]": "customer.deleted"})

    event = await pending_event(account)
    await account.post(f"/v1/webhook_endpoints/{every['id']}", {"disabled": "true"})
    unwanted = await pending_event(account)
    await account.post(
        f"/v1/webhook_endpoints/{every['id']}", {"disabled": "false", "enabled_events[]": "price.created"}
    )
    other_type = await pending_event(account)

    assert [event, unwanted, other_type] == [1, 0, 0]


async def pending_event(account: Account) -> int:
    """Make an event and return at how many endpoints it is pending."""
    await account.post("/v1/customers")
    return (await account.get("/v1/events", {"limit": 1}))["data"][0]["pending_webhooks"]


async def test_a_new_url_keeps_the_secret(account: Account) -> None:
    created = await account.post("/v1/webhook_endpoints", ANY)

    await account.post(f"/v1/webhook_endpoints/{created['id']}", {"url": "http://127.0.0.1:1/moved"})

    target = account.sandbox.deliveries.endpoints[created["id"]]
    assert (target.url, target.secret) == ("http://127.0.0.1:1/moved", created["secret"])


async def test_a_deleted_endpoint_is_gone(account: Account) -> None:
    created = await account.post("/v1/webhook_endpoints", ANY)
    path = f"/v1/webhook_endpoints/{created['id']}"

    deleted = await account.delete(path)

    assert deleted == {"id": created["id"], "object": "webhook_endpoint", "deleted": True}
    await account.get(path, status=404)
    assert await pending_event(account) == 0


async def test_the_endpoint_given_outside_stays_beside_them(account: Account) -> None:
    await account.control("webhook", {"url": URL, "secret": "whsec_1"})
    await account.post("/v1/webhook_endpoints", ANY)
    await account.control("webhook", {"url": URL, "secret": "whsec_2", "enabledEvents": ["customer.created"]})

    assert await pending_event(account) == 2
    assert next(iter(account.sandbox.deliveries.endpoints.values())).secret == "whsec_2"


@pytest.mark.parametrize(
    ("form", "param"),
    [
        pytest.param({"url": URL}, "enabled_events", id="no events"),
        pytest.param({"enabled_events[0]": "*"}, "url", id="no url"),
        pytest.param({**ANY, "url": "ftp://example.com"}, "url", id="no web address"),
        pytest.param({**ANY, "enabled_events[0]": "customer.*"}, "enabled_events[0]", id="wildcard"),
        pytest.param({**ANY, "api_version": "new"}, "api_version", id="no version"),
        pytest.param({**ANY, "secret": "whsec_1"}, "secret", id="unknown"),
    ],
)
async def test_a_wrong_endpoint_is_refused(account: Account, form: dict[str, str], param: str) -> None:
    body = await account.post("/v1/webhook_endpoints", form, status=400)

    assert body["error"]["param"] == param
    assert account.sandbox.deliveries.endpoints == {}


async def test_there_are_sixteen_at_most(account: Account) -> None:
    for _ in range(16):
        await account.post("/v1/webhook_endpoints", ANY)

    await account.post("/v1/webhook_endpoints", ANY, status=400)


async def test_its_fields_are_set_through_the_api_only(account: Account) -> None:
    created = await account.post("/v1/webhook_endpoints", ANY)

    await account.control(f"objects/{created['id']}", {"set": {"url": "http://x"}}, status=404)
