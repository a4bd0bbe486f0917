"""What every request goes through, whatever it is about."""

import asyncio
import base64

import pytest
from sandbox.stripe_account import Account


async def test_a_request_without_a_key_is_refused(account: Account) -> None:
    body = await account.get("/v1/customers", status=401, Authorization="Bearer ")

    assert body["error"]["code"] == "invalid_api_key"


async def test_the_key_may_come_as_basic_user_name(account: Account) -> None:
    basic = base64.b64encode(b"sk_test_sandbox:").decode()

    await account.get("/v1/customers", Authorization=f"Basic {basic}")


async def test_an_unknown_url_is_named(account: Account) -> None:
    body = await account.post("/v1/unicorns", status=404)

    assert body["error"]["message"] == "Unrecognized request URL (POST: /v1/unicorns)."


@pytest.mark.parametrize("kind", ["customer", "product", "price", "subscription", "event"])
async def test_a_missing_object_is_404_resource_missing(account: Account, kind: str) -> None:
    body = await account.get(f"/v1/{kind}s/none", status=404)

    assert body == {
        "error": {
            "code": "resource_missing",
            "message": f"No such {kind}: 'none'",
            "param": "id",
            "type": "invalid_request_error",
        }
    }


async def test_every_answer_names_its_request(account: Account) -> None:
    good = await account.http.get("/v1/customers")
    bad = await account.http.get("/v1/customers/none")

    assert good.headers["request-id"].startswith("req_")
    assert bad.headers["request-id"].startswith("req_")
    assert good.headers["request-id"] != bad.headers["request-id"]


async def test_the_event_names_the_request_that_caused_it(account: Account) -> None:
    response = await account.http.post("/v1/customers", headers={"Idempotency-Key": "k1"})

    event = (await account.get("/v1/events"))["data"][0]

    assert event["request"] == {"id": response.headers["request-id"], "idempotency_key": "k1"}


async def test_the_same_key_and_parameters_replay_the_answer(account: Account) -> None:
    send = {"content": "name=Ann", "headers": {"Idempotency-Key": "k1"}}
    first = await account.http.post("/v1/customers", **send)
    await account.post(f"/v1/customers/{first.json()['id']}", {"name": "Bea"})

    second = await account.http.post("/v1/customers", **send)

    assert second.content == first.content
    assert second.headers["idempotent-replayed"] == "true"
    assert second.headers["original-request"] == first.headers["request-id"]
    assert len((await account.get("/v1/customers"))["data"]) == 1


async def test_the_same_key_with_other_parameters_is_an_idempotency_error(account: Account) -> None:
    await account.post("/v1/customers", {"name": "Ann"}, **{"Idempotency-Key": "k1"})

    body = await account.post("/v1/customers", {"name": "Bea"}, status=400, **{"Idempotency-Key": "k1"})

    assert body["error"]["type"] == "idempotency_error"


async def test_a_refused_request_leaves_its_key_free(account: Account) -> None:
    await account.post("/v1/customers", {"nam": "Ann"}, status=400, **{"Idempotency-Key": "k1"})

    await account.post("/v1/customers", {"name": "Ann"}, **{"Idempotency-Key": "k1"})


async def test_pages_walk_from_newest_to_oldest_and_back(account: Account) -> None:
    ids = [(await account.post("/v1/customers"))["id"] for _ in range(5)][::-1]

    first = await account.get("/v1/customers", {"limit": 2})
    second = await account.get("/v1/customers", {"limit": 2, "starting_after": ids[1]})
    last = await account.get("/v1/customers", {"limit": 2, "starting_after": ids[3]})
    back = await account.get("/v1/customers", {"limit": 2, "ending_before": ids[3]})

    assert [customer["id"] for customer in first["data"]] == ids[:2]
    assert [customer["id"] for customer in second["data"]] == ids[2:4]
    assert [customer["id"] for customer in last["data"]] == ids[4:]
    assert [customer["id"] for customer in back["data"]] == ids[1:3]
    assert [page["has_more"] for page in (first, second, last, back)] == [True, True, False, True]
    assert (first["object"], first["url"]) == ("list", "/v1/customers")


@pytest.mark.parametrize(
    ("params", "param"),
    [
        pytest.param({"limit": 0}, "limit", id="no limit"),
        pytest.param({"limit": 101}, "limit", id="limit too high"),
        pytest.param({"starting_after": "cus_none"}, "starting_after", id="unknown cursor"),
        pytest.param({"starting_after": "a", "ending_before": "b"}, "starting_after", id="both cursors"),
        pytest.param({"colour": "red"}, "colour", id="unknown parameter"),
    ],
)
async def test_a_list_with_a_wrong_parameter_is_refused(account: Account, params: dict[str, str], param: str) -> None:
    body = await account.get("/v1/customers", params, status=400)

    assert body["error"]["param"] == param


async def test_a_list_keeps_to_the_created_range(account: Account) -> None:
    ids: list[str] = []
    for _ in range(3):
        ids.append((await account.post("/v1/customers"))["id"])
        account.clock.at += 10
    start = account.clock.at - 30

    page = await account.get("/v1/customers", {"created[gt]": start, "created[lte]": start + 20})
    exact = await account.get("/v1/customers", {"created": start})

    assert [customer["id"] for customer in page["data"]] == [ids[2], ids[1]]
    assert [customer["id"] for customer in exact["data"]] == [ids[0]]


async def test_references_are_expanded_on_request(account: Account) -> None:
    subscription = await account.subscription()

    whole = await account.get(
        f"/v1/subscriptions/{subscription['id']}",
        {
            "expand[0]": "customer",
            "expand[1]": "items.data.price.product",
            "expand[2]": "latest_invoice",
            "expand[3]": "schedule",
        },
    )
    page = await account.get("/v1/subscriptions", {"expand[]": "data.customer"})
    again = await account.get(f"/v1/subscriptions/{subscription['id']}")

    assert whole["customer"]["name"] == "Ann"
    assert whole["items"]["data"][0]["price"]["product"]["name"] == "Pro"
    assert whole["latest_invoice"]["object"] == "invoice"
    assert whole["schedule"] is None
    assert page["data"][0]["customer"]["name"] == "Ann"
    assert again == subscription


async def test_subscriptions_of_a_customer_are_there_on_request(account: Account) -> None:
    subscription = await account.subscription()

    customer = await account.get(f"/v1/customers/{subscription['customer']}", {"expand[]": "subscriptions"})

    assert [sub["id"] for sub in customer["subscriptions"]["data"]] == [subscription["id"]]


@pytest.mark.parametrize("path", ["unicorn", "name", "a.b.c.d.e"])
async def test_what_is_no_reference_cannot_be_expanded(account: Account, path: str) -> None:
    customer = await account.post("/v1/customers", {"name": "Ann"})

    body = await account.get(f"/v1/customers/{customer['id']}", {"expand[]": path}, status=400)

    assert body["error"]["param"] == "expand"


async def test_periods_stand_on_the_subscription_before_basil_and_on_its_items_since(account: Account) -> None:
    path = f"/v1/subscriptions/{(await account.subscription())['id']}"

    old = await account.get(path, **{"Stripe-Version": "2025-02-24.acacia"})
    new = await account.get(path, **{"Stripe-Version": "2025-03-31.basil"})

    period = {"current_period_start": account.clock.at, "current_period_end": account.clock.at + 31 * 86_400}
    assert period.items() <= old.items()
    assert not period.keys() & old["items"]["data"][0].keys()
    assert period.items() <= new["items"]["data"][0].items()
    assert not period.keys() & new.keys()


async def test_an_object_that_changes_during_a_slow_read_arrives_as_it_was(account: Account) -> None:
    subscription = await account.subscription()
    path = f"/v1/subscriptions/{subscription['id']}"
    await account.control("faults", {"kind": "slow_read", "method": "GET", "delayMs": 1000})

    slow = asyncio.create_task(account.get(path))
    async with asyncio.timeout(5):
        while account.sandbox.faults.rules:  # until the read has met it, which reads before it waits
            await asyncio.sleep(0)
    await account.control(f"objects/{subscription['id']}", {"set": {"status": "past_due"}})
    quick = await account.get(path)

    assert not slow.done()
    assert quick["status"] == "past_due"
    assert (await slow)["status"] == "active"
