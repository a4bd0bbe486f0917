"""What a backfill tells of itself."""

from decimal import Decimal

import pytest

from app.domain.stripe_backfill import (
    NAMED_MAX,
    Backfill,
    BackfillStatus,
    PageFindings,
    TypeCount,
    advanced,
    failed,
    finished,
    restarted,
)
from app.domain.stripe_event import ObjectName

DAY = 86_400_000


def run() -> Backfill:
    return Backfill(id="bf_1", request="key_1:backfillStripe:k", dry_run=False, started_at=0)


def page(
    type: str = "customer", listed: int = 100, *, newest: int | None = None, oldest: int | None = None
) -> PageFindings:
    return PageFindings(count=TypeCount(type=type, listed=listed, changed=2), newest_at=newest, oldest_at=oldest)


def test_pages_add_up_by_type() -> None:
    done = advanced(run(), page(), after="cus_100", took_ms=500)
    done = advanced(done, page(listed=20), after=None, took_ms=500)
    done = advanced(done, page("subscription"), after="sub_1", took_ms=1000)

    assert done.counts == (
        TypeCount(type="customer", listed=120, changed=4),
        TypeCount(type="subscription", listed=100, changed=2),
    )
    assert (done.listed, done.objects_per_second) == (220, Decimal("110.0"))
    assert (done.list_number, done.after) == (1, "sub_1")


def test_before_the_first_page_nothing_is_estimated() -> None:
    assert (run().objects_per_second, run().seconds_left) == (None, None)


def test_the_time_left_is_told_by_how_much_of_the_accounts_life_the_list_has_passed() -> None:
    products = advanced(run(), page("product", newest=90 * DAY, oldest=10 * DAY), after=None, took_ms=100)
    assert products.seconds_left is None

    some = advanced(products, page(newest=110 * DAY, oldest=85 * DAY), after="cus_100", took_ms=30_000)

    assert some.seconds_left == 90  # a quarter of the way in 30 s


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(page(), id="creation unknown"),
        pytest.param(page(newest=9 * DAY, oldest=9 * DAY), id="all created at once"),
    ],
)
def test_where_nothing_tells_the_time_left_there_is_none(found: PageFindings) -> None:
    products = advanced(run(), page("product", newest=9 * DAY, oldest=DAY), after=None, took_ms=100)

    assert advanced(products, found, after="cus_100", took_ms=1000).seconds_left is None


def test_a_list_older_than_the_catalogue_is_about_to_end() -> None:
    products = advanced(run(), page("product", newest=9 * DAY, oldest=5 * DAY), after=None, took_ms=100)

    assert advanced(products, page(newest=9 * DAY, oldest=DAY), after="cus_100", took_ms=1000).seconds_left == 0


def test_the_first_hundred_changed_are_named() -> None:
    many = PageFindings(
        count=TypeCount(type="price", listed=70, changed=70),
        changed=tuple(ObjectName("price", f"price_{n}") for n in range(70)),
    )

    done = advanced(advanced(run(), many, after="price_69", took_ms=1), many, after=None, took_ms=1)

    assert len(done.changed) == NAMED_MAX
    assert done.counts[0].changed == 140


def test_a_list_begun_again_keeps_what_was_counted() -> None:
    some = advanced(run(), page(), after="cus_100", took_ms=500)

    assert (restarted(some).after, restarted(some).listed) == (None, 100)


def test_an_end_is_told_with_its_reason_and_no_estimate() -> None:
    some = advanced(run(), page(newest=9 * DAY, oldest=DAY), after="cus_100", took_ms=500)

    assert (finished(some, 7).status, finished(some, 7).finished_at) == (BackfillStatus.FINISHED, 7)
    assert (failed(some, "no key", 7).status, failed(some, "no key", 7).failure) == (BackfillStatus.FAILED, "no key")
    assert finished(some, 7).seconds_left is None
