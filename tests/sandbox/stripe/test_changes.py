import pytest

from app.sandbox.stripe.changes import derive_type, difference
from app.sandbox.stripe.wire import JsonObject


def test_difference_holds_the_former_values_only() -> None:
    before = {"same": 1, "name": "a", "metadata": {"x": "1", "y": "2"}, "list": [1, 2]}
    after = {"same": 1, "name": "b", "metadata": {"x": "1", "z": "3"}, "list": [1]}

    assert difference(before, after) == {"name": "a", "metadata": {"y": "2", "z": None}, "list": [1, 2]}


@pytest.mark.parametrize(
    ("before", "after", "type"),
    [
        pytest.param(None, {"object": "customer"}, "customer.created", id="created"),
        pytest.param({"object": "price"}, {"object": "price", "active": False}, "price.updated", id="updated"),
        pytest.param(
            {"object": "subscription", "status": "active"},
            {"object": "subscription", "status": "past_due"},
            "customer.subscription.updated",
            id="past due",
        ),
        pytest.param(
            {"object": "subscription", "status": "past_due"},
            {"object": "subscription", "status": "canceled"},
            "customer.subscription.deleted",
            id="canceled",
        ),
        pytest.param(
            {"object": "payment_intent", "status": "requires_payment_method"},
            {"object": "payment_intent", "status": "canceled"},
            "payment_intent.canceled",
            id="a payment is canceled",
        ),
        pytest.param(
            {"object": "subscription", "status": "canceled"},
            {"object": "subscription", "status": "canceled"},
            "customer.subscription.updated",
            id="still canceled",
        ),
        pytest.param(
            {"object": "subscription", "status": "active"},
            {"object": "subscription", "status": "paused"},
            "customer.subscription.paused",
            id="paused",
        ),
        pytest.param(
            {"object": "subscription", "status": "paused"},
            {"object": "subscription", "status": "active"},
            "customer.subscription.resumed",
            id="resumed",
        ),
        pytest.param(
            {"object": "billing.meter", "status": "active"},
            {"object": "billing.meter", "status": "inactive"},
            "billing.meter.deactivated",
            id="deactivated",
        ),
        pytest.param(
            {"object": "billing.meter", "status": "inactive"},
            {"object": "billing.meter", "status": "active"},
            "billing.meter.reactivated",
            id="reactivated",
        ),
        pytest.param(
            {"object": "checkout.session", "status": "open"},
            {"object": "checkout.session", "status": "complete"},
            "checkout.session.completed",
            id="complete",
        ),
    ],
)
def test_the_type_follows_from_the_change(before: JsonObject | None, after: JsonObject, type: str) -> None:
    assert derive_type(before, after) == type
