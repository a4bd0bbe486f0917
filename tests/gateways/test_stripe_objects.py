"""Each type of object over real HTTP: where it is, what is expanded, and every page of the lists in it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from support.stripe import price, product
from support.stripe_api import Answer, answer, fault, listed, serving
from support.stripe_shapes import active_entitlements, checkout_session, invoice

from app.domain.stripe_object import ENTITLEMENTS, SYNCED_TYPES
from app.ports.stripe import Listing, ProcessorRefusedError, ProcessorUnavailableError

EXPANDED = {
    "price": "expand[0]=tiers",
    "coupon": "expand[0]=applies_to",
    "invoice": "expand[0]=payments",
    "checkout.session": "expand[0]=line_items",
    "refund": "expand[0]=charge",
    "dispute": "expand[0]=charge",
}
LISTS = {name: {"data": [], "has_more": False} for name in ("items", "lines", "payments", "line_items")}


@pytest.mark.parametrize("type", [name for name in SYNCED_TYPES if name != ENTITLEMENTS])
async def test_every_type_has_its_endpoint_and_is_expanded_where_that_saves_a_request(type: str) -> None:
    def respond(path: str, _query: dict[str, list[str]]) -> Answer:
        return listed() if path.endswith("/features") else answer({"id": "x_1", **LISTS})

    async with serving(respond) as (stripe, server):
        await stripe.retrieve(type, "x_1")

    plural = type.replace(".", "/") + "s"
    assert server.seen[0][0].replace("%5B", "[").replace("%5D", "]").rstrip("?") == "?".join(
        [f"/v1/{plural}/x_1", *([EXPANDED[type]] if type in EXPANDED else [])]
    )
    assert len(server.seen) == (2 if type == "product" else 1)


async def test_a_type_that_is_not_mirrored_is_not_asked_for() -> None:
    async with serving(lambda _path, _query: answer({"id": "pm_1"})) as (stripe, server):
        with pytest.raises(ProcessorRefusedError, match="payment_method"):
            await stripe.retrieve("payment_method", "pm_1")

    assert server.seen == []


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        pytest.param({"status": "requires_action"}, "in_1", id="wants a person"),
        pytest.param({"status": "requires_payment_method", "last_payment_error": {}}, "in_1", id="failed"),
        pytest.param({"status": "requires_action", "invoice": "in_old"}, "in_old", id="says so itself"),
        pytest.param({"status": "succeeded", "last_payment_error": None}, None, id="in no trouble"),
    ],
)
async def test_a_payment_in_trouble_is_given_its_invoice(fields: dict[str, Any], named: str | None) -> None:
    def respond(path: str, query: dict[str, list[str]]) -> Answer:
        if path == "/v1/payment_intents/pi_1":
            return answer({"id": "pi_1", "object": "payment_intent", **fields})
        assert path == "/v1/invoice_payments"
        assert query["payment[type]"] == ["payment_intent"]
        return listed(*([{"id": "inpay_1", "invoice": "in_1"}] if query["payment[payment_intent]"] == ["pi_1"] else []))

    async with serving(respond) as (stripe, _):
        fetched = await stripe.retrieve("payment_intent", "pi_1")

    assert json.loads(fetched.raw).get("invoice") == named


async def test_a_payment_in_trouble_of_no_invoice_has_none() -> None:
    def respond(path: str, _query: dict[str, list[str]]) -> Answer:
        is_payment = path == "/v1/payment_intents/pi_1"
        return answer({"id": "pi_1", "status": "requires_action"}) if is_payment else listed()

    async with serving(respond) as (stripe, _):
        fetched = await stripe.retrieve("payment_intent", "pi_1")

    assert json.loads(fetched.raw)["invoice"] is None


async def test_a_subscription_without_items_is_none() -> None:
    async with serving(lambda _path, _query: answer({"id": "sub_1"})) as (stripe, _):
        with pytest.raises(ProcessorUnavailableError):
            await stripe.retrieve("subscription", "sub_1")


@pytest.mark.parametrize(
    ("told", "field", "path", "filters"),
    [
        pytest.param(invoice(), "lines", "/v1/invoices/in_1/lines", {}, id="lines of an invoice"),
        pytest.param(invoice(), "payments", "/v1/invoice_payments", {"invoice": ["in_1"]}, id="payments of an invoice"),
        pytest.param(
            checkout_session(), "line_items", "/v1/checkout/sessions/cs_1/line_items", {}, id="lines of a checkout"
        ),
    ],
)
@pytest.mark.parametrize("is_listed", [False, True], ids=["alone", "in a list"])
async def test_every_page_of_the_lists_in_an_object_is_read(
    told: dict[str, Any],
    field: str,
    path: str,
    filters: dict[str, list[str]],
    is_listed: bool,  # noqa: FBT001
) -> None:
    every = [{"id": f"x_{n}"} for n in range(150)]
    first = {**told, field: {"object": "list", "data": every[:10], "has_more": True}}

    def respond(asked: str, query: dict[str, list[str]]) -> Answer:
        if asked != path:
            return listed(first) if is_listed else answer(first)
        assert {name: query.get(name) for name in filters} == filters
        start = [one["id"] for one in every].index(query["starting_after"][0]) + 1
        return listed(*every[start : start + 100], has_more=start + 100 < len(every))

    async with serving(respond) as (stripe, _):
        if is_listed:
            (fetched,) = (await stripe.list_page(Listing(told["object"]), after=None)).objects
        else:
            fetched = await stripe.retrieve(told["object"], told["id"])

    whole = json.loads(fetched.raw)
    assert whole[field]["data"] == every
    assert whole[field]["has_more"] is False


ATTACHED = {"id": "pf_1", "object": "product_feature", "entitlement_feature": {"id": "feat_1", "lookup_key": "sso"}}


def selling(features: dict[str | None, list[Any]]) -> Callable[[str, dict[str, list[str]]], Answer]:
    """Answer with two products, and with the account's features by whether archived ones are asked for."""

    def respond(path: str, query: dict[str, list[str]]) -> Answer:
        match path:
            case "/v1/entitlements/features":
                return listed(*features.get(query.get("archived", [None])[0], []))
            case "/v1/products/prod_pro/features":
                return listed(ATTACHED)
            case "/v1/products/prod_pro":
                return answer(product())
            case "/v1/products":
                return listed(product(), product("prod_x"))
            case _:
                return listed()

    return respond


async def test_a_product_comes_with_its_features() -> None:
    async with serving(selling({})) as (stripe, _):
        fetched = await stripe.retrieve("product", "prod_pro")

    assert json.loads(fetched.raw)["entitlement_features"]["data"] == [ATTACHED]


@pytest.mark.parametrize("features", [{None: [{"id": "feat_1"}]}, {"true": [{"id": "feat_1"}]}], ids=["new", "old"])
async def test_listed_products_have_their_features_where_the_account_has_any(features: dict[str | None, Any]) -> None:
    async with serving(selling(features)) as (stripe, _):
        page = await stripe.list_page(Listing("product"), after=None)

    assert [len(json.loads(one.raw)["entitlement_features"]["data"]) for one in page.objects] == [1, 0]


async def test_an_account_without_features_is_not_asked_for_those_of_each_product() -> None:
    async with serving(selling({})) as (stripe, server):
        page = await stripe.list_page(Listing("product"), after=None)

    assert [json.loads(one.raw)["entitlement_features"]["data"] for one in page.objects] == [[], []]
    assert len(server.seen) == 3


async def test_a_list_expands_what_a_single_object_does() -> None:
    async with serving(lambda _path, _query: listed(price())) as (stripe, server):
        await stripe.list_page(Listing("price"), after=None)

    assert "expand[0]=data.tiers" in server.seen[0][0].replace("%5B", "[").replace("%5D", "]")


async def test_the_active_entitlements_of_a_customer_become_one_object() -> None:
    every = active_entitlements(*(f"key_{n}" for n in range(120)))["entitlements"]["data"]

    def respond(path: str, query: dict[str, list[str]]) -> Answer:
        assert (path, query["customer"]) == ("/v1/entitlements/active_entitlements", ["cus_1"])
        return listed(*every[100:]) if "starting_after" in query else listed(*every[:100], has_more=True)

    async with serving(respond) as (stripe, _):
        fetched = await stripe.retrieve(ENTITLEMENTS, "entitlements:cus_1")

    told = json.loads(fetched.raw)
    assert (fetched.id, told["object"], told["customer"]) == ("entitlements:cus_1", ENTITLEMENTS, "cus_1")
    assert told["entitlements"] == {"object": "list", "data": every, "has_more": False}


async def test_the_entitlements_of_a_customer_that_is_gone_are_gone() -> None:
    async with serving(lambda _path, _query: fault(404, "resource_missing")) as (stripe, _):
        assert (await stripe.retrieve(ENTITLEMENTS, "entitlements:cus_1")).gone
