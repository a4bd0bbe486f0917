"""Plans side by side, as callers see them."""

from support.api import Api
from support.records import feature, limit, plan

from app.domain.plan import FeatureType, PlanFeature

COMPARE = """query($keys: [String!]!) { comparePlans(keys: $keys) { plans { key name }
    rows { featureKey feature { name } cells { planKey included terms { limit limitBehavior resetPeriod } } } } }"""


async def test_a_row_tells_of_a_feature_in_every_plan() -> None:
    api = Api()
    sso = feature("sso", FeatureType.BOOLEAN, name="Single sign-on")
    api.put(feature(), sso, plan("free", limit(amount=5)), plan("pro", limit(), PlanFeature(feature_key="sso")))

    found = (await api.data(COMPARE, {"keys": ["pro", "free", "gone"]}))["comparePlans"]

    assert [column["key"] for column in found["plans"]] == ["pro", "free"]
    calls, signing_on = found["rows"]
    assert [cell["terms"][0]["limit"] for cell in calls["cells"]] == ["100", "5"]
    assert signing_on["feature"] == {"name": "Single sign-on"}
    assert [(cell["planKey"], cell["included"]) for cell in signing_on["cells"]] == [("pro", True), ("free", False)]
    assert signing_on["cells"][1]["terms"] == []


async def test_so_many_at_most() -> None:
    assert await Api().code(COMPARE, {"keys": [f"plan_{n}" for n in range(21)]}) == "BAD_USER_INPUT"
