"""Stripe's API over real HTTP on the loopback: a scripted server in a thread-free asyncio loop."""

import asyncio
import json

import pytest
from support.stripe import customer, item, subscription
from support.stripe_api import Answer, answer, fault, listed, serving

from app.gateways.stripe import StripeProcessor
from app.ports.stripe import ProcessorRefusedError, ProcessorUnavailableError


async def test_an_object_comes_out_as_the_json_that_stripe_sent() -> None:
    raw = json.dumps(customer(), indent=2).encode()

    async with serving(lambda _path, _query: answer(raw, **{"stripe-version": "2026-10-28.endive"})) as (
        stripe,
        server,
    ):
        fetched = await stripe.retrieve("customer", "cus_1")

    assert (fetched.raw.encode(), fetched.gone, fetched.api_version) == (raw, False, "2026-10-28.endive")
    target, headers = server.seen[0]
    assert target == "/v1/customers/cus_1"
    assert headers["authorization"] == "Bearer sk_test_1"
    assert headers["stripe-version"]


async def test_a_hostile_id_stays_one_segment_of_the_path() -> None:
    async with serving(lambda _path, _query: fault(404, "resource_missing")) as (stripe, server):
        await stripe.retrieve("customer", "../charges?x=1#")

    assert server.seen[0][0] == "/v1/customers/..%2Fcharges%3Fx%3D1%23"


async def test_every_page_of_a_subscriptions_items_is_read() -> None:
    items = [item(f"si_{n}") for n in range(250)]
    first = subscription(items=items[:10])
    first["items"]["has_more"] = True

    def respond(path: str, query: dict[str, list[str]]) -> Answer:
        if path == "/v1/subscriptions/sub_1":
            return answer(first)
        start = [it["id"] for it in items].index(query["starting_after"][0]) + 1
        assert query["subscription"] == ["sub_1"]
        return answer({"object": "list", "data": items[start : start + 100], "has_more": start + 100 < 250})

    async with serving(respond) as (stripe, server):
        fetched = json.loads((await stripe.retrieve("subscription", "sub_1")).raw)

    assert [it["id"] for it in fetched["items"]["data"]] == [it["id"] for it in items]
    assert fetched["items"]["has_more"] is False
    assert len(server.seen) == 4


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(answer({"id": "cus_1", "object": "customer", "deleted": True}), id="deleted"),
        pytest.param(fault(404, "resource_missing"), id="404"),
    ],
)
async def test_what_is_gone_is_no_error(given: Answer) -> None:
    async with serving(lambda _path, _query: given) as (stripe, _):
        assert (await stripe.retrieve("customer", "cus_1")).gone


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(fault(429), id="429"),
        pytest.param(fault(400, "rate_limit"), id="429 of old"),
        pytest.param(fault(500), id="500"),
        pytest.param(fault(503), id="503"),
        pytest.param(fault(409), id="409"),
        pytest.param(fault(408), id="408"),
        pytest.param(answer(b"<html>bad gateway</html>", 502), id="html 502"),
        pytest.param(answer(b"<html>not found</html>", 404), id="html 404 tells nothing about the object"),
        pytest.param(answer(b"<html>welcome</html>"), id="html 200"),
        pytest.param(answer(b"[" * 100_000), id="deep"),
        pytest.param(answer(b"{" + b" " * 10_000_000 + b"}"), id="10 MB"),
        pytest.param(answer(b"[]"), id="array"),
        pytest.param(answer({"id": "cus_other"}), id="another object"),
        pytest.param(answer(b'{"id": "cus_1", "n": ' + b"9" * 5000 + b"}"), id="5000 digits"),
        pytest.param(answer(b'{"id": "\xff"}'), id="not UTF-8"),
        pytest.param(answer({"ok": False}, 418), id="an error without an error"),
    ],
)
async def test_what_may_pass_is_unavailable(given: Answer) -> None:
    async with serving(lambda _path, _query: given) as (stripe, _):
        with pytest.raises(ProcessorUnavailableError) as caught:
            await stripe.retrieve("customer", "cus_1")

    assert len(str(caught.value)) <= 400


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(fault(401, message="Invalid API Key"), id="401"),
        pytest.param(fault(403), id="403"),
        pytest.param(fault(400, "parameter_unknown"), id="400"),
        pytest.param(fault(404), id="404 of a wrong address"),
        pytest.param(
            fault(404, "resource_missing", "No such customer; a similar object exists in live mode"), id="other mode"
        ),
    ],
)
async def test_what_will_not_pass_is_refused(given: Answer) -> None:
    async with serving(lambda _path, _query: given) as (stripe, _):
        with pytest.raises(ProcessorRefusedError):
            await stripe.retrieve("customer", "cus_1")


async def test_stripes_wish_to_wait_is_passed_on() -> None:
    async with serving(lambda _path, _query: fault(429, **{"retry-after": "7"})) as (stripe, _):
        with pytest.raises(ProcessorUnavailableError) as caught:
            await stripe.retrieve("customer", "cus_1")

    assert caught.value.retry_after_s == 7


async def test_no_call_retries_by_itself() -> None:
    async with serving(lambda _path, _query: fault(500, **{"stripe-should-retry": "true"})) as (stripe, server):
        with pytest.raises(ProcessorUnavailableError):
            await stripe.retrieve("customer", "cus_1")

    assert len(server.seen) == 1


async def test_a_server_that_never_answers_is_given_up() -> None:
    async with serving(lambda _path, _query: None, timeout_s=0.1) as (stripe, _):
        with pytest.raises(ProcessorUnavailableError):
            await stripe.retrieve("customer", "cus_1")


@pytest.mark.parametrize(
    ("told", "slow_down"),
    [
        pytest.param(fault(429), True, id="too many"),
        pytest.param(fault(429, **{"stripe-should-retry": "false"}), True, id="not to be retried"),
        pytest.param(fault(400, "rate_limit"), True, id="too many, of old"),
        pytest.param(fault(429, "lock_timeout", **{"stripe-should-retry": "true"}), False, id="locked"),
        pytest.param(fault(500), False, id="broken"),
    ],
)
async def test_too_many_requests_are_told_from_a_locked_object(told: Answer, *, slow_down: bool) -> None:
    async with serving(lambda _path, _query: told) as (stripe, _):
        with pytest.raises(ProcessorUnavailableError) as caught:
            await stripe.retrieve("customer", "cus_1")

    assert caught.value.slow_down is slow_down


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    stripe = StripeProcessor("sk_test_1", api_base="http://127.0.0.1:9")
    with pytest.raises(ProcessorUnavailableError):
        await stripe.retrieve("customer", "cus_1")
    await stripe.close()


async def test_one_endpoint_is_not_asked_faster_than_its_rate() -> None:
    async with serving(lambda path, _query: answer({"id": path[-3:]}), endpoint_rate_per_s=5) as (stripe, _):
        loop = asyncio.get_running_loop()
        started = loop.time()
        await asyncio.gather(*(stripe.retrieve("customer", "p_1") for _ in range(6)))

    assert loop.time() - started >= 0.15  # five at once, the sixth a fifth of a second later


async def test_no_message_holds_the_key() -> None:
    async with serving(lambda _path, _query: fault(401, message="Invalid API Key provided: sk_test_***")) as (
        stripe,
        _,
    ):
        with pytest.raises(ProcessorRefusedError) as caught:
            await stripe.retrieve("customer", "cus_1")

    assert "sk_test_1" not in str(caught.value)


async def test_the_catalogue_is_read_page_by_page() -> None:
    products = [
        {"id": f"prod_{n}", "name": f"P{n}", "active": n > 0, "metadata": {"plan_key": "p"}} for n in range(150)
    ]
    price = {"id": "price_1", "product": "prod_1", "recurring": {"interval": "month", "trial_period_days": 7}}
    feature = {"id": "feat_1", "lookup_key": "sso", "name": "SSO"}

    def respond(path: str, query: dict[str, list[str]]) -> Answer:
        match path.split("/")[2:]:
            case ["products"]:
                after = query.get("starting_after", [None])[0]
                start = 0 if after is None else int(str(after).partition("_")[2]) + 1
                return listed(*products[start : start + 100], has_more=start + 100 < len(products))
            case ["prices"]:
                return listed(price, {"id": "price_2", "product": "prod_2", "recurring": None, "lookup_key": "k"})
            case ["entitlements", "features"]:
                return listed(feature)
            case ["products", "prod_7", "features"]:
                return listed({"id": "prodft_1", "entitlement_feature": feature})
            case ["products", "prod_8", "features"]:
                return fault(404, "resource_missing")
            case _:
                return listed()

    async with serving(respond) as (stripe, server):
        found = await stripe.catalogue()

    assert [product.id for product in found.products] == [product["id"] for product in products]
    assert found.products[3].metadata == {"plan_key": "p"}
    assert [(p.id, p.lookup_key, p.recurring is None) for p in found.prices] == [
        ("price_1", None, False),
        ("price_2", "k", True),
    ]
    assert found.prices[0].recurring is not None
    assert found.prices[0].recurring.trial_period_days == 7
    assert {product: ids for product, ids in found.given.items() if ids} == {"prod_7": ("feat_1",)}
    asked = [target for target, _ in server.seen]
    assert all("limit=100" in target for target in asked)
    assert not any("prod_0/features" in target for target in asked)


async def test_an_account_without_features_asks_no_product_for_them() -> None:
    async with serving(lambda path, _: listed({"id": "prod_1", "name": "P"}) if "products" in path else listed()) as (
        stripe,
        server,
    ):
        found = await stripe.catalogue()

    assert (found.features, found.given) == ((), {})
    assert len(server.seen) == 3


@pytest.mark.parametrize(
    ("page", "problem"),
    [
        pytest.param(listed({"id": "prod_1"}), "is not as expected", id="an object without its name"),
        pytest.param(listed(has_more=True), "does not end", id="more behind nothing"),
        pytest.param(listed({"id": "prod_1", "name": "P"}, has_more=True), "does not end", id="the same for ever"),
        pytest.param(answer({"object": "list"}), "lacks the list", id="no list"),
    ],
)
async def test_a_list_that_cannot_be_is_not_believed(page: Answer, problem: str) -> None:
    async with serving(lambda _path, _query: page) as (stripe, _):
        with pytest.raises(ProcessorUnavailableError, match=problem):
            await stripe.catalogue()


async def test_a_key_that_may_not_read_features_is_refused() -> None:
    async with serving(lambda path, _: fault(403) if "features" in path else listed()) as (stripe, _):
        with pytest.raises(ProcessorRefusedError):
            await stripe.catalogue()


async def test_what_is_deleted_between_two_pages_is_read_again_later() -> None:
    def respond(_path: str, query: dict[str, list[str]]) -> Answer:
        first = listed({"id": "prod_1", "name": "P"}, has_more=True)
        return fault(400, "resource_missing", "No such product: 'prod_1'") if "starting_after" in query else first

    async with serving(respond) as (stripe, _):
        with pytest.raises(ProcessorUnavailableError, match="deleted while"):
            await stripe.catalogue()
