"""The laws of answers about what is counted: through time, purchases, publications and reports that come late."""

from decimal import Decimal
from random import Random  # noqa: TID251 - hypothesis hands it over
from typing import Any

import msgspec
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support.lives import KEYS, Life
from support.records import DAY, wanted
from support.steps import ASKED, EVERYTHING, lived
from support.worlds import ANY_BEHAVIOR, fine, grants, lives, plan_versions, positive, spans

from app.domain.burn_down import pruned
from app.domain.entitlement import Entitlement
from app.domain.grant import GrantSource

law = settings(max_examples=100, deadline=None)


def content(answer: Entitlement) -> Entitlement:
    """Leave out what tells about the horizon itself."""
    return msgspec.structs.replace(answer, valid_until_at=None)


def answers(life: Life) -> list[Entitlement]:
    return [content(life.check(key)) for key in KEYS]


def inherited(life: Life) -> Decimal:
    rollovers = (each for each in life.check("credits").grants if each.source is GrantSource.ROLLOVER)
    return sum((each.remaining or Decimal(0) for each in rollovers), Decimal(0))


def left_of_grants(life: Life) -> dict[str, Decimal]:
    given_here = {grant.id for grant in life.state.grants}
    return {bucket.id: bucket.left for bucket in life.supply().buckets if bucket.id in given_here}


@law
@given(st.data(), lives(behaviors=ANY_BEHAVIOR), fine, fine)
def test_whoever_may_use_more_may_use_less(data: st.DataObject, life: Life, one: Decimal, other: Decimal) -> None:
    lived(data, life, EVERYTHING)
    less, more = sorted((one, other))

    for key in KEYS:
        assert life.check(key, less).has_access >= life.check(key, more).has_access


@law
@given(st.data(), lives(behaviors=ANY_BEHAVIOR), fine)
def test_more_grants_never_lower_access(data: st.DataObject, life: Life, amount: Decimal) -> None:
    lived(data, life, EVERYTHING)
    before = [life.check(key, amount).has_access for key in KEYS]
    remaining = life.remaining()

    life.give(data.draw(grants("grant_more", life.at)))

    after = [life.check(key, amount).has_access for key in KEYS]
    assert all(had <= has for had, has in zip(before, after, strict=True))
    now = life.remaining()
    assert now is None or (remaining is not None and now >= remaining)


@law
@given(st.data(), lives(behaviors=ANY_BEHAVIOR), st.integers(0, 100 * DAY))
def test_valid_until_is_honest(data: st.DataObject, life: Life, later: int) -> None:
    lived(data, life, EVERYTHING)

    for key in KEYS:
        now = life.check(key)
        until_at = life.at + 100 * DAY if now.valid_until_at is None else now.valid_until_at
        assert until_at > life.at
        assert content(life.check(key, at=min(life.at + later, until_at - 1))) == content(now)


@law
@given(st.data(), lives(behaviors=ANY_BEHAVIOR), st.randoms(use_true_random=False))
def test_the_order_of_records_does_not_matter(data: st.DataObject, life: Life, random: Random) -> None:
    lived(data, life, EVERYTHING)
    before, state, balance = answers(life), life.state, life.balance

    def shuffled(records: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(random.sample(records, len(records)))

    life.state = msgspec.structs.replace(
        state,
        grants=shuffled(state.grants),
        subscriptions=shuffled(state.subscriptions),
        overrides=shuffled(state.overrides),
        balance=msgspec.structs.replace(
            balance,
            meters={key: shuffled(meters) for key, meters in balance.meters.items()},
            pots={key: shuffled(pots) for key, pots in balance.pots.items()},
            reservations=shuffled(balance.reservations),
        ),
    )

    assert answers(life) == before


@law
@given(st.data(), lives(behaviors=ANY_BEHAVIOR), st.lists(spans, max_size=3))
def test_what_is_pruned_is_missed_by_no_later_answer(data: st.DataObject, life: Life, later: list[int]) -> None:
    lived(data, life, EVERYTHING)
    life.wait(data.draw(spans))
    whole = life.balance
    rest = whole
    for key in ("credits", "api_calls", "seats"):
        rest = pruned(rest, key, life.supply(key), life.counted(key), at=life.at)

    for span in (0, *later):
        life.wait(span)
        life.state = msgspec.structs.replace(life.state, balance=whole)
        expected = answers(life)
        life.state = msgspec.structs.replace(life.state, balance=rest)
        assert answers(life) == expected


@law
@given(st.data(), lives(), positive)
def test_upgrade_downgrade_upgrade_conserves_what_was_paid_and_counted(
    data: st.DataObject, life: Life, amount: Decimal
) -> None:
    lived(data, life, ASKED)
    life.switch("pro")
    life.consume(wanted(amount, "credits"))
    before, paid = answers(life), left_of_grants(life)

    life.switch("basic")
    assert left_of_grants(life) == paid
    life.switch("pro")

    assert answers(life) == before


@law
@given(st.data(), lives())
def test_publishing_wipes_neither_what_was_given_nor_what_was_carried_over(data: st.DataObject, life: Life) -> None:
    lived(data, life, (*ASKED, "buy"), most=15)
    # Windows of a kind that nothing was ever counted in have only the plan to say what they inherit.
    known = {meter.reset_period for meter in life.balance.meters.get("credits", ()) if meter.limit is not None}
    assume(all(w.reset_period in known for w in life.supply().every_window.values() if w.carried))
    given_before, carried = left_of_grants(life), inherited(life)

    for key in ("pro", "basic", "free"):
        life.publish(data.draw(plan_versions(key, plan_version=2, published_at=life.at)))

    assert (left_of_grants(life), inherited(life)) == (given_before, carried)
    life.consume(wanted("0.5", "api_calls"))
    assert (left_of_grants(life), inherited(life)) == (given_before, carried)


@law
@given(st.data(), lives(behaviors=ANY_BEHAVIOR), fine, spans)
def test_what_is_told_late_never_gives_more(data: st.DataObject, life: Life, amount: Decimal, ago: int) -> None:
    lived(data, life, EVERYTHING)
    before = life.remaining()

    life.record(wanted(amount, "credits"), life.at - ago)

    after = life.remaining()
    assert before is None or (after is not None and after <= before)
