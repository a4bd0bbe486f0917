"""The catalogue's file over the API: applied, refused with places, given back."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from support.api import Api
from support.records import feature, limit, plan
from support.runtime import running

from app.domain.api_key import Scope

FILE = """
[features.seats]
name = "Seats"
type = "METERED"
meter = "FLUCTUATING"

[plans.pro]
name = "Pro"
migrate = true
features = { seats = 25 }
"""
APPLY = """
mutation($input: ApplyCatalogInput!) { applyCatalog(input: $input) { __typename
  ... on ApplyCatalogPayload { dryRun replayed
    changes { kind key action version moves fields { path before after } plan { version features { featureKey } } }
    migrations { planKey planVersion total } unchanged { kind key } unmanaged { kind key } }
  ... on UserError { code message path }
  ... on CatalogFaultsError { faults { line column path code message } }
  ... on ValidationError { fields { path code } }
} }
"""


@pytest.fixture
async def api(mongodb_uri: str, database: str) -> AsyncIterator[Api]:
    async with running(mongodb_uri, database) as rt:
        yield Api(rt)


async def apply(api: Api, source: str = FILE, **fields: Any) -> dict[str, Any]:
    given = {"idempotencyKey": "k", "source": source, **fields}
    return (await api.data(APPLY, {"input": given}))["applyCatalog"]


async def test_a_file_is_applied_and_every_change_told(api: Api) -> None:
    assert await apply(api) == {
        "__typename": "ApplyCatalogPayload",
        "dryRun": False,
        "replayed": False,
        "changes": [
            {
                "kind": "FEATURE",
                "key": "seats",
                "action": "CREATE",
                "version": None,
                "moves": None,
                "fields": [
                    {"path": "name", "before": None, "after": '"Seats"'},
                    {"path": "type", "before": None, "after": '"METERED"'},
                    {"path": "meter", "before": None, "after": '"FLUCTUATING"'},
                ],
                "plan": None,
            },
            {
                "kind": "PLAN",
                "key": "pro",
                "action": "CREATE",
                "version": 1,
                "moves": None,
                "fields": [
                    {"path": "name", "before": None, "after": '"Pro"'},
                    {"path": "features.seats", "before": None, "after": "25"},
                ],
                "plan": {"version": 1, "features": [{"featureKey": "seats"}]},
            },
        ],
        "migrations": [],
        "unchanged": [],
        "unmanaged": [],
    }


async def test_a_migration_is_told_as_it_starts(api: Api) -> None:
    await apply(api)

    answer = await apply(api, FILE.replace("25", "30"), idempotencyKey="k2")

    assert answer["migrations"] == [{"planKey": "pro", "planVersion": 2, "total": 0}]
    assert [(change["action"], change["moves"]) for change in answer["changes"]] == [("NEW_VERSION", 0)]


async def test_a_dry_run_has_the_changes_and_no_plan(api: Api) -> None:
    answer = await apply(api, dryRun=True)

    assert (answer["dryRun"], len(answer["changes"])) == (True, 2)
    assert answer["changes"][1]["plan"] is None
    assert (await api.data("{ plans { key } }"))["plans"] == []


async def test_the_same_request_again_is_replayed(api: Api) -> None:
    first = await apply(api)

    assert await apply(api) == {**first, "replayed": True}
    assert (await apply(api, FILE + "#"))["code"] == "IDEMPOTENCY_CONFLICT"


async def test_every_fault_has_its_place(api: Api) -> None:
    answer = await apply(api, FILE.replace("25", "-1").replace("METERED", "METERD"))

    assert answer["__typename"] == "CatalogFaultsError"
    assert (answer["code"], answer["path"]) == ("CATALOG_FAULTS", ["input", "source"])
    assert answer["faults"] == [
        {
            "line": 4,
            "column": 8,
            "path": ["features", "seats", "type"],
            "code": "UNKNOWN_WORD",
            "message": "features.seats.type has no word 'METERD'; did you mean METERED?",
        }
    ]


async def test_of_countless_faults_the_first_thousand_are_told_and_the_rest_counted(api: Api) -> None:
    answer = await apply(api, FILE + "\n".join(f"key_{number} = 1" for number in range(1_500)))

    assert len(answer["faults"]) == 1_000
    assert answer["faults"][-1]["path"] == ["plans", "pro", "key_999"]
    assert answer["message"].endswith("(and 1499 more)")


async def test_a_request_without_a_key_is_refused(api: Api) -> None:
    answer = await apply(api, idempotencyKey="")

    assert (answer["code"], answer["fields"][0]["path"]) == ("VALIDATION_FAILED", ["input", "idempotencyKey"])


async def test_the_catalogue_is_given_back_as_a_file() -> None:
    api = Api()
    api.put(feature("seats", name="Seats"), plan("pro", limit("seats", 25)))

    text = (await api.data("{ catalogFile }", key=api.key(Scope.ENTITLEMENTS_READ)))["catalogFile"]

    assert text == (
        '[features.seats]\nname = "Seats"\ntype = "METERED"\n\n'
        '[plans.pro]\nname = "Pro"\nprices = [{ lookup_key = "pro_monthly" }]\n\n'
        '[plans.pro.features]\nseats = { limit = 25, reset = "MONTH" }\n'
    )


async def test_only_who_writes_the_catalogue_applies_a_file() -> None:
    api = Api()
    given = {"input": {"idempotencyKey": "k", "source": FILE}}

    assert await api.code(APPLY, given, key=api.key(Scope.ENTITLEMENTS_READ, Scope.BILLING_WRITE)) == "FORBIDDEN"
    assert await api.code("{ catalogFile }", key=api.key(Scope.USAGE_WRITE)) == "FORBIDDEN"


async def test_a_first_file_comes_from_what_is_sold_at_stripe() -> None:
    text = (await Api().data("{ stripeCatalogFile }"))["stripeCatalogFile"]

    assert text.startswith("# A first catalogue, from the products, prices and entitlement features at Stripe.\n")


async def test_without_a_key_for_stripe_there_is_no_first_file(api: Api) -> None:
    answer = await api.ask("{ stripeCatalogFile }")

    assert answer["errors"][0]["extensions"]["code"] == "STRIPE_REFUSED"
    assert "STRIPE_SECRET_KEY" in answer["errors"][0]["message"]


async def test_of_many_changes_all_are_told_in_the_files_order(api: Api) -> None:
    keys = [f"f{n}" for n in range(300)]
    source = "".join(f'features.{key} = {{ name = "F", type = "BOOLEAN" }}\n' for key in keys)

    assert [change["key"] for change in (await apply(api, source, dryRun=True))["changes"]] == keys
