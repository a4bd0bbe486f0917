from typing import Any

import pytest
from sandbox.stripe_account import Account


async def test_any_field_is_set_by_dotted_path_or_nested(account: Account) -> None:
    subscription = await account.subscription({"metadata[a]": "1", "metadata[b]": "2"})

    await account.control(
        f"objects/{subscription['id']}",
        {
            "set": {
                "status": "past_due",
                "created": 5,
                "items.data[0].quantity": 7,
                "items": {"data": [{"current_period_end": 9}]},
                "metadata": {"b": None, "c": "3"},
                "pause_collection.behavior": "void",
            }
        },
    )

    after = await account.get(f"/v1/subscriptions/{subscription['id']}")
    item = after["items"]["data"][0]
    assert (after["status"], after["created"], after["metadata"]) == ("past_due", 5, {"a": "1", "c": "3"})
    assert (item["quantity"], item["current_period_end"]) == (7, 9)
    assert item["price"] == subscription["items"]["data"][0]["price"]
    assert after["pause_collection"] == {"behavior": "void"}


async def test_a_period_set_on_a_subscription_goes_to_its_items(account: Account) -> None:
    subscription = await account.subscription()

    await account.control(f"objects/{subscription['id']}", {"set": {"current_period_end": 9}})

    after = await account.get(f"/v1/subscriptions/{subscription['id']}")
    assert after["items"]["data"][0]["current_period_end"] == 9


@pytest.mark.parametrize(
    ("status", "type"),
    [("past_due", "updated"), ("unpaid", "updated"), ("canceled", "deleted"), ("paused", "paused")],
)
async def test_the_answer_is_the_event_that_stripe_would_send(account: Account, status: str, type: str) -> None:
    subscription = await account.subscription()

    event = await account.control(f"objects/{subscription['id']}", {"set": {"status": status}})

    assert event["type"] == f"customer.subscription.{type}"
    assert event["data"]["object"]["status"] == status
    assert (await account.get(f"/v1/events/{event['id']}")) == event


async def test_the_event_can_be_of_another_type_time_and_shape(account: Account) -> None:
    subscription = await account.subscription()

    event = await account.control(
        f"objects/{subscription['id']}",
        {"event": "customer.subscription.trial_will_end", "created": 1_799_999_000, "apiVersion": "2025-02-24.acacia"},
    )

    assert (event["type"], event["created"]) == ("customer.subscription.trial_will_end", 1_799_999_000)
    assert event["api_version"] == "2025-02-24.acacia"
    assert event["data"]["object"]["current_period_start"] == account.clock.at
    assert "current_period_start" not in event["data"]["object"]["items"]["data"][0]
    newest_first = [each["created"] for each in (await account.get("/v1/events"))["data"]]
    assert newest_first == sorted(newest_first, reverse=True)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param({"set": {"unicorn": 1}}, 400, id="unknown field"),
        pytest.param({"set": {"id": "sub_other"}}, 400, id="id"),
        pytest.param({"set": {"items.data.3.quantity": 1}}, 400, id="no such item"),
        pytest.param({"set": {"items.data.0.price": "price_none"}}, 400, id="no such price"),
        pytest.param({"set": {"items.data.0.price": {"id": "price_none"}}}, 400, id="price in full"),
        pytest.param({"set": {"items": ["si_1"]}}, 400, id="items that are no list object"),
        pytest.param({"sett": {}}, 400, id="unknown option"),
        pytest.param({"created": "yesterday"}, 400, id="wrong type"),
    ],
)
async def test_a_wrong_change_is_refused_and_changes_nothing(
    account: Account, body: dict[str, Any], status: int
) -> None:
    subscription = await account.subscription()
    before = await account.event_types()

    await account.control(f"objects/{subscription['id']}", body, status=status)

    assert await account.get(f"/v1/subscriptions/{subscription['id']}") == subscription
    assert await account.event_types() == before


async def test_unknown_objects_and_events_are_404(account: Account) -> None:
    await account.control("objects/sub_none", {}, status=404)
    await account.control("events/evt_none/deliver", {}, status=404)


@pytest.mark.parametrize(
    ("fault", "type", "code", "retry"),
    [
        pytest.param({"status": 429}, "invalid_request_error", "rate_limit", None, id="rate"),
        pytest.param({"status": 429, "shouldRetry": True}, "invalid_request_error", "rate_limit", "true", id="retry"),
        pytest.param(
            {"status": 429, "shouldRetry": False}, "invalid_request_error", "rate_limit", "false", id="no retry"
        ),
        pytest.param({"status": 409}, "invalid_request_error", "lock_timeout", None, id="conflict"),
        pytest.param({"status": 500}, "api_error", None, None, id="server"),
    ],
)
async def test_the_next_matching_requests_fail(
    account: Account, fault: dict[str, Any], type: str, code: str | None, retry: str | None
) -> None:
    await account.control("faults", {"kind": "status", "method": "GET", "path": "/v1/products", "times": 2, **fault})

    await account.get("/v1/customers")
    await account.post("/v1/products", {"name": "Pro"})
    failed = [await account.http.get("/v1/products") for _ in range(2)]
    await account.get("/v1/products")

    assert [response.status_code for response in failed] == [fault["status"]] * 2
    assert failed[0].headers.get("stripe-should-retry") == retry
    assert failed[0].json()["error"]["type"] == type
    assert failed[0].json()["error"].get("code") == code


async def test_faults_can_be_taken_back(account: Account) -> None:
    await account.control("faults", {"kind": "status", "status": 500, "times": 9})
    await account.delete("/_sandbox/faults")

    assert (await account.get("/_sandbox/faults")) == {"faults": [], "met": {}}
    await account.get("/v1/customers")


async def test_a_wrong_fault_is_refused(account: Account) -> None:
    await account.control("faults", {"kind": "unicorn"}, status=400)
