"""Which items a migration moves, and how far it says that it is."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.records import DAY, NOW, item, migration, plan, sub

from app.domain.migration import MigrationStatus, advanced, ended, migrated, movable_prices
from app.domain.plan import Catalogue, Plan, PlanPrice
from app.domain.subscription import TERMINAL, Subscription, SubscriptionItem, SubscriptionStatus

MONTHLY, YEARLY = PlanPrice(lookup_key="pro_monthly"), PlanPrice(lookup_key="pro_yearly")
BY_ID = PlanPrice(stripe_price_id="price_pro")
FIRST = plan("pro", plan_version=1, published_at=NOW - 30 * DAY)
SECOND = plan("pro", plan_version=2, published_at=NOW - 10 * DAY)

prices = st.sampled_from([MONTHLY, YEARLY, BY_ID])
instants = st.integers(-6, 1).map(lambda weeks: NOW + weeks * 7 * DAY)


def held(catalogue: Catalogue, item: SubscriptionItem) -> Plan | None:
    return catalogue.plan_for_price(item.price_id, item.lookup_key, item.price_since_at)


@st.composite
def versions(draw: st.DrawFn, key: str, most: int = 4) -> list[Plan]:
    published = sorted(draw(st.lists(instants, min_size=1, max_size=most)))
    named = st.lists(prices, max_size=2, unique=True).map(tuple)
    return [
        plan(key, plan_version=number, published_at=at, prices=draw(named)) for number, at in enumerate(published, 1)
    ]


@st.composite
def subscriptions(draw: st.DrawFn) -> Subscription:
    items = [
        item(
            id=f"si_{number}",
            price_id=draw(st.sampled_from(["price_pro", "price_other"])),
            lookup_key=draw(st.sampled_from([None, "pro_monthly", "pro_yearly", "team_monthly"])),
            price_since_at=draw(instants),
            quantity=draw(st.integers(1, 3)),
        )
        for number in range(draw(st.integers(1, 3)))
    ]
    return sub("sub_1", draw(st.sampled_from(list(SubscriptionStatus))), *items)


@given(versions("pro"), versions("team", 2), subscriptions(), st.data())
def test_what_moves_has_the_target_and_nothing_else_changes(
    pro: list[Plan], team: list[Plan], before: Subscription, data: st.DataObject
) -> None:
    catalogue = Catalogue((), [*pro, *team])
    target = data.draw(st.sampled_from(pro))

    after = migrated(before, target, catalogue)

    assert msgspec.structs.replace(after, items=before.items) == before
    assert migrated(after, target, catalogue) is after
    for old, new in zip(before.items, after.items, strict=True):
        had = held(catalogue, old)
        assert msgspec.structs.replace(new, price_since_at=old.price_since_at) == old
        if new != old:
            assert before.status not in TERMINAL
            assert had is not None
            assert (had.key, had.plan_version < target.plan_version) == ("pro", True)
            assert held(catalogue, new) == target


@given(st.lists(instants, min_size=2, max_size=5, unique=True).map(sorted), subscriptions(), st.data())
def test_whoever_has_an_earlier_version_comes_to_have_the_target(
    published: list[int], before: Subscription, data: st.DataObject
) -> None:
    pro = [plan(plan_version=number, published_at=at) for number, at in enumerate(published, 1)]
    catalogue = Catalogue((), pro)
    target = data.draw(st.sampled_from(pro))
    moving = msgspec.structs.replace(before, status=SubscriptionStatus.PAST_DUE)

    after = migrated(moving, target, catalogue)

    for old, new in zip(moving.items, after.items, strict=True):
        had, has = held(catalogue, old), held(catalogue, new)
        assert (had is None) is (has is None)
        if had is not None and has is not None:
            assert has.plan_version == max(had.plan_version, target.plan_version)


@given(versions("pro"), subscriptions())
def test_whatever_moves_holds_a_movable_price(pro: list[Plan], before: Subscription) -> None:
    catalogue = Catalogue((), pro)
    names = movable_prices(pro[-1], catalogue)

    after = migrated(before, pro[-1], catalogue)

    for old, new in zip(before.items, after.items, strict=True):
        if new != old:
            assert names & {old.price_id, old.lookup_key}
            assert old.price_since_at < pro[-1].published_at


@pytest.mark.parametrize("status", sorted(TERMINAL))
def test_what_has_ended_keeps_its_version(status: SubscriptionStatus) -> None:
    over = sub("sub_1", status)

    assert migrated(over, SECOND, Catalogue((), [FIRST, SECOND])) is over


def test_a_later_version_published_at_the_same_instant_is_not_given_by_accident() -> None:
    third = plan("pro", plan_version=3, published_at=SECOND.published_at)
    catalogue = Catalogue((), [FIRST, SECOND, third])

    assert migrated(sub(), SECOND, catalogue) == sub()
    assert held(catalogue, migrated(sub(), third, catalogue).items[0]) == third


def test_a_price_that_only_the_target_names_moves_nobody() -> None:
    second = plan("pro", plan_version=2, published_at=NOW - DAY, prices=(MONTHLY, YEARLY))

    assert movable_prices(second, Catalogue((), [FIRST, second])) == {"pro_monthly"}
    assert movable_prices(FIRST, Catalogue((), [FIRST])) == frozenset()


def test_progress_is_1_only_when_it_is_finished() -> None:
    started = migration(total=3)
    first = advanced(started, moved=1, skipped=1, cursor="sub_2", ended_at=None)
    late = advanced(first, moved=5, skipped=0, cursor="sub_7", ended_at=None)
    last = advanced(late, moved=1, skipped=0, cursor="sub_8", ended_at=NOW)

    assert [m.progress for m in (started, first, late, last)] == [0, Decimal("0.6666"), Decimal("0.9999"), 1]
    assert (last.moved, last.skipped, last.cursor, last.finished_at) == (7, 1, "sub_8", NOW)
    assert last.status is MigrationStatus.FINISHED


def test_a_migration_without_subscribers_is_done_once_it_is_finished() -> None:
    empty = migration(total=0)

    assert empty.progress == 0
    assert advanced(empty, moved=0, skipped=0, cursor=None, ended_at=NOW).progress == 1


def test_a_migration_that_ends_early_says_why_and_keeps_its_progress() -> None:
    half = migration(total=4, moved=2)

    over = ended(half, MigrationStatus.SUPERSEDED, "version 3 took its place", NOW)

    assert (over.status, over.failure, over.finished_at, over.progress) == (
        MigrationStatus.SUPERSEDED,
        "version 3 took its place",
        NOW,
        Decimal("0.5"),
    )
