"""A first file from what is sold at Stripe: it says what can be said, and applies."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.catalogues import EMPTY, catalogue_of, reviewed
from support.records import add_on, feature, plan
from support.runtime import FakeStripe, running

from app.domain.errors import StripeRefusedError, UnavailableError
from app.domain.plan import Catalogue, FeatureType, Plan, PlanPrice
from app.domain.stripe_catalogue import (
    StripeCatalogue,
    StripeFeature,
    StripePrice,
    StripeProduct,
    StripeRecurring,
)
from app.ports.stripe import ProcessorRefusedError, ProcessorUnavailableError
from app.runtime import Runtime
from app.services.catalogue.stripe_file import import_from_stripe, stripe_file


def product(id: str = "prod_1", name: str = "Pro", **fields: Any) -> StripeProduct:
    return StripeProduct(id=id, name=name, **fields)


def price(id: str = "price_1", of: str = "prod_1", trial: int | None = None, **fields: Any) -> StripePrice:
    return StripePrice(id=id, product=of, **{"recurring": StripeRecurring(trial_period_days=trial), **fields})


def file_of(
    *found: StripeProduct | StripePrice | StripeFeature,
    given: dict[str, tuple[str, ...]] | None = None,
    catalogue: Catalogue = EMPTY,
) -> str:
    return stripe_file(
        StripeCatalogue(
            tuple(one for one in found if isinstance(one, StripeProduct)),
            tuple(one for one in found if isinstance(one, StripePrice)),
            tuple(one for one in found if isinstance(one, StripeFeature)),
            given or {},
        ),
        catalogue,
    )


def plans_of(*found: StripeProduct | StripePrice) -> list[Plan]:
    return catalogue_of(file_of(*found)).plans()


def test_a_product_with_recurring_prices_is_a_plan() -> None:
    [plan] = plans_of(product(), price(lookup_key="pro_monthly"), price("price_2"), price("price_3", "prod_9"))

    assert (plan.key, plan.name) == ("pro", "Pro")
    assert plan.prices == (PlanPrice(lookup_key="pro_monthly"), PlanPrice(stripe_price_id="price_2"))


@pytest.mark.parametrize(
    ("found", "key"),
    [
        pytest.param([product(metadata={"plan_key": "gold"}), price(lookup_key="x_monthly")], "gold", id="metadata"),
        pytest.param(
            [product(), price(lookup_key="team_monthly"), price("price_2", lookup_key="team_yearly")],
            "team",
            id="what lookup keys have in common",
        ),
        pytest.param(
            [product(), price(lookup_key="a_monthly"), price("price_2", lookup_key="b_monthly")],
            "pro",
            id="nothing in common: the name",
        ),
        pytest.param([product(name="Pro Plus (2024)!"), price()], "pro_plus_2024", id="name with other characters"),
        pytest.param([product(name="2024"), price()], "k_2024", id="name that starts with a digit"),
        pytest.param([product(name="Ü"), price()], "k", id="name without letters of ours"),
        pytest.param([product(name="x" * 100), price()], "x" * 64, id="long name"),
    ],
)
def test_a_plans_key_comes_from_what_the_product_says(found: list[Any], key: str) -> None:
    assert [plan.key for plan in plans_of(*found)] == [key]


def test_products_of_one_name_get_keys_of_their_own() -> None:
    found = plans_of(product(), product("prod_2"), price(), price("price_2", "prod_2"))

    assert [plan.key for plan in found] == ["pro", "pro_2"]


def test_a_price_that_is_archived_is_named_by_its_id_for_those_who_pay_it() -> None:
    text = file_of(product(), price(lookup_key="old", active=False), price("price_2", lookup_key="pro_monthly"))

    [plan] = catalogue_of(text).plans()
    assert plan.prices == (PlanPrice(lookup_key="pro_monthly"), PlanPrice(stripe_price_id="price_1"))
    assert "# price_1 is archived at Stripe, and named for those who still pay it." in text


def test_what_cannot_be_expressed_is_told_in_comments() -> None:
    text = file_of(
        product(),
        price(),
        price("price_once", recurring=None),
        product("prod_2", "T-shirt"),
        price("price_2", "prod_2", recurring=None),
        product("prod_3", "Old\nplan", active=False),
        price("price_3", "prod_3"),
    )

    assert [plan.key for plan in catalogue_of(text).plans()] == ["pro"]
    assert "# price_once is paid once and buys no plan." in text
    assert "# prod_2, T-shirt: has no recurring price, so it is no plan" in text
    assert "# prod_3, Old plan: archived at Stripe" in text


def test_features_and_what_products_come_with() -> None:
    sso, audit = (StripeFeature(id=f"feat_{key}", lookup_key=key, name=key.upper()) for key in ("sso", "audit-log"))

    catalogue = catalogue_of(
        file_of(product(), price(), sso, audit, given={"prod_1": ("feat_audit-log", "feat_gone"), "prod_2": ()})
    )

    assert {key: (f.name, f.type) for key, f in catalogue.features.items()} == {
        "sso": ("SSO", FeatureType.BOOLEAN),
        "audit_log": ("AUDIT-LOG", FeatureType.BOOLEAN),
    }
    assert [row.feature_key for row in catalogue.plans()[0].features] == ["audit_log"]


@pytest.mark.parametrize(("trials", "days"), [((None, None), 14), ((30, 7), 30), ((1000, None), 730)])
def test_the_longest_trial_of_a_price_is_the_plans(trials: tuple[int | None, int | None], days: int) -> None:
    [plan] = plans_of(product(), *(price(f"price_{n}", trial=trial) for n, trial in enumerate(trials)))

    assert plan.trial_days == days


def test_what_the_catalogue_has_already_is_left_out() -> None:
    held = Catalogue(
        [feature("sso", FeatureType.BOOLEAN), feature("seats")],
        [plan("pro", prices=(PlanPrice(lookup_key="pro_monthly"),))],
    )
    found = (
        product(),
        price(lookup_key="pro_monthly"),
        price("price_2", lookup_key="pro_yearly"),
        product("prod_2", "More"),
        price("price_3", "prod_2"),
        StripeFeature(id="feat_1", lookup_key="sso", name="SSO"),
        StripeFeature(id="feat_2", lookup_key="seats", name="Seats"),
    )

    text = file_of(*found, given={"prod_2": ("feat_1", "feat_2")}, catalogue=held)

    assert "# prod_1, Pro: bought as pro, which the catalogue has already; it does not name price_2" in text
    done = reviewed(text, held)
    assert not done.faults.found
    assert [change.part.key for change in done.changes()] == ["seats_2", "more"]
    made = done.planned.plan("more")
    assert made is not None
    assert {row.feature_key for row in made.features} == {"sso", "seats_2"}


@pytest.mark.parametrize(
    ("sold", "noun"),
    [
        pytest.param([product(name="More"), price()], "add-on more", id="an add-on, by its name"),
        pytest.param([product(metadata={"plan_key": "more"}), price()], "add-on more", id="an add-on, by metadata"),
        pytest.param([product(), price(lookup_key="team_monthly")], "plan team", id="a plan, by a lookup key"),
    ],
)
def test_what_the_catalogue_has_without_these_prices_is_not_written_again(sold: list[Any], noun: str) -> None:
    held = Catalogue([], [plan("team", prices=()), add_on("more", prices=())])

    text = file_of(*sold, catalogue=held)

    assert f"seems to be the {noun}, which the catalogue has already; name price_1 there" in text
    assert reviewed(text, held).changes() == ()


_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
_IDS = st.integers(0, 5)


@given(
    products=st.dictionaries(
        _IDS, st.tuples(_TEXTS, st.booleans(), st.dictionaries(st.just("plan_key"), _TEXTS)), max_size=5
    ),
    prices=st.dictionaries(
        st.integers(0, 9), st.tuples(_IDS, st.booleans(), st.none() | _TEXTS, st.booleans()), max_size=8
    ),
    features=st.dictionaries(_IDS, st.tuples(_TEXTS, _TEXTS), max_size=5),
    attached=st.dictionaries(_IDS, st.lists(_IDS, max_size=4), max_size=5),
)
def test_whatever_is_sold_the_file_applies(
    products: dict[int, Any], prices: dict[int, Any], features: dict[int, Any], attached: dict[int, list[int]]
) -> None:
    found = StripeCatalogue(
        tuple(product(f"prod_{n}", name, active=a, metadata=m) for n, (name, a, m) in products.items()),
        tuple(
            price(
                f"price_{n}",
                f"prod_{of}",
                active=active,
                lookup_key=None if key is None else f"{n}{key}",  # unique, as at Stripe
                recurring=StripeRecurring() if recurring else None,
            )
            for n, (of, active, key, recurring) in prices.items()
        ),
        tuple(StripeFeature(id=f"feat_{n}", lookup_key=key, name=name) for n, (key, name) in features.items()),
        {f"prod_{n}": tuple(f"feat_{m}" for m in given) for n, given in attached.items()},
    )

    first = catalogue_of(stripe_file(found, EMPTY))
    again = reviewed(stripe_file(found, first), first)

    assert (again.faults.found, again.changes()) == ([], ())


@pytest.fixture
async def rt(mongodb_uri: str, database: str) -> AsyncIterator[Runtime]:
    async with running(mongodb_uri, database) as rt:
        yield rt


async def test_what_is_sold_now_is_read(rt: Runtime) -> None:
    rt = replace(rt, stripe=FakeStripe(StripeCatalogue((product(),), (price(),), (), {})))

    assert "[plans.pro]" in await import_from_stripe(rt)


@pytest.mark.parametrize(
    ("failure", "error", "problem"),
    [
        pytest.param(ProcessorRefusedError("wrong key"), StripeRefusedError, "wrong key", id="refused"),
        pytest.param(ProcessorUnavailableError("timed out"), UnavailableError, "timed out", id="no answer"),
    ],
)
async def test_what_stripe_does_not_tell_is_an_error(
    rt: Runtime, failure: Exception, error: type[Exception], problem: str
) -> None:
    with pytest.raises(error, match=problem):
        await import_from_stripe(replace(rt, stripe=FakeStripe(failure)))


async def test_without_a_key_stripe_cannot_be_asked(rt: Runtime) -> None:
    with pytest.raises(StripeRefusedError, match="STRIPE_SECRET_KEY"):
        await import_from_stripe(rt)
