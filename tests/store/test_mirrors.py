"""What people read of the mirrors is found by index."""

from typing import Any

import pytest
from motor.motor_asyncio import AsyncIOMotorClient
from support.records import NOW, mirror
from support.store import storing

from app.domain.stripe_facts import (
    DisputeFacts,
    InvoiceFacts,
    InvoicePayment,
    PriceFacts,
    PromotionCodeFacts,
    StripeFacts,
)
from app.store import queries
from app.store.documents import ANY_CASE

NEWEST_FIRST = {"facts.createdAt": -1, "_id": -1}


async def explained(uri: str, database: str, facts: dict[str, StripeFacts], criteria: Any, **asked: Any) -> Any:
    """Store mirrors and return how the server finds those that are asked for."""
    async with storing(uri, database) as store:
        await store.write([mirror(name, each) for name, each in facts.items()], [], None)
        client: Any = AsyncIOMotorClient(uri)
        find = {"find": "stripe_objects", "filter": criteria, **asked}
        plan = await client[database].command("explain", find, verbosity="executionStats")
        client.close()
    return plan


async def test_a_page_of_invoices_is_read_without_sorting_the_rest(mongodb_uri: str, database: str) -> None:
    facts: dict[str, StripeFacts] = {
        f"in_{n:02}": InvoiceFacts(customer_id=f"cus_{n % 3}", currency="eur", created_at=NOW + n) for n in range(60)
    }
    asked = {**queries.of_customers("invoice", ["cus_0", "cus_1"]), **queries.made_before((NOW + 40, "in_40"))}

    plan = await explained(mongodb_uri, database, facts, asked, sort=NEWEST_FIRST, limit=5)

    assert plan["executionStats"]["nReturned"] == 5
    assert plan["executionStats"]["totalDocsExamined"] <= 7
    assert "'SORT'" not in str(plan["queryPlanner"]["winningPlan"])


def of_each_type(n: int) -> dict[str, StripeFacts]:
    payments = (InvoicePayment(payment_intent_id=f"pi_{n}"),)
    return {
        f"in_{n}": InvoiceFacts(currency="eur", payments=payments),
        f"dp_{n}": DisputeFacts(status="lost", amount=1, currency="eur", charge_id=f"ch_{n}"),
        f"price_{n}": PriceFacts(currency="eur", lookup_key=f"plan_{n}"),
        f"promo_{n}": PromotionCodeFacts(code=f"Save{n}", coupon_id=f"coupon_{n}"),
    }


@pytest.mark.parametrize(
    ("criteria", "asked", "found"),
    [
        pytest.param(queries.invoices_paid_by(["pi_7"]), {}, 1, id="the invoice of a payment"),
        pytest.param(queries.disputes_of(["ch_7", "ch_8"]), {}, 2, id="the disputes of charges"),
        pytest.param(queries.prices_named(["plan_7", "price_8"]), {}, 2, id="prices by either name"),
        pytest.param(queries.promotion_codes_of(["coupon_7"]), {}, 1, id="the codes of a coupon"),
        pytest.param(
            queries.promotion_codes_named("sAVE7"), {"collation": ANY_CASE.document}, 1, id="a code in any case"
        ),
    ],
)
async def test_only_what_is_looked_for_is_read(
    mongodb_uri: str, database: str, criteria: Any, asked: dict[str, Any], found: int
) -> None:
    facts = {name: each for n in range(20) for name, each in of_each_type(n).items()}

    plan = await explained(mongodb_uri, database, facts, criteria, **asked)

    assert plan["executionStats"]["nReturned"] == plan["executionStats"]["totalDocsExamined"] == found
