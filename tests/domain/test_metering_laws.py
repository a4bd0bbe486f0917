"""The laws of accounts: what is given is used, held or left, whatever happens in whichever order."""

from decimal import Decimal

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from support.lives import HOUR, KEYS, PLACE, Life, totals_of
from support.records import DAY, wanted
from support.steps import ASKED, DECISIONS, EVERYTHING, PURCHASES, lived, step
from support.worlds import ANY_BEHAVIOR, baskets, lives, positive

from app.domain.bucket import Bucket
from app.domain.consumption import Wanted
from app.domain.grant import GrantSource
from app.domain.usage import Pot

law = settings(max_examples=80, deadline=None)
COUNTED = ("credits", "api_calls")


def check_against_the_ledger(life: Life) -> None:
    for key in COUNTED:
        counted = life.used_by_ledger(key)
        for each in (*life.balance.meters.get(key, ()), *life.balance.pots.get(key, ())):
            entry = counted.get((each.id if isinstance(each, Pot) else each.reset_period, each.start_at), 0)
            is_over = each.end_at is not None and each.end_at <= life.at
            # What is over may have been forgotten before more of it was told late.
            assert each.used <= entry if is_over else each.used == entry
    for _, lines in life.ledger:
        for line in lines:
            assert sum(draw.amount for draw in line.draws) == line.charge


def check_that_all_is_there(life: Life) -> None:
    for supply in map(life.supply, COUNTED):
        for source in (*supply.buckets, *supply.every_window.values()):
            beyond = max(Decimal(0), source.used + source.reserved - (source.capacity or 0))
            assert min(source.used, source.reserved, source.left) >= 0
            if source.capacity is not None:
                assert source.left + source.used + source.reserved == source.capacity + beyond
                assert not (beyond and isinstance(source, Bucket) and not life.is_lenient)


@law
@given(st.data(), lives(), st.integers(1, 15))
def test_what_is_given_is_used_held_or_left(data: st.DataObject, life: Life, steps: int) -> None:
    for _ in range(steps):
        step(data, life, (*ASKED, *PURCHASES))
        check_that_all_is_there(life)
        check_against_the_ledger(life)


@law
@given(st.data(), lives(behaviors=ANY_BEHAVIOR), st.integers(1, 15))
def test_whatever_happens_the_balance_is_what_the_ledger_adds_up_to(
    data: st.DataObject, life: Life, steps: int
) -> None:
    for _ in range(steps):
        step(data, life, EVERYTHING)
        check_that_all_is_there(life)
        check_against_the_ledger(life)


@law
@given(st.data(), lives())
def test_of_a_grant_no_more_is_ever_used_than_was_given(data: st.DataObject, life: Life) -> None:
    lived(data, life, (*ASKED, *PURCHASES, *DECISIONS), most=20)

    spent = life.used_by_ledger("credits")

    amounts = {grant.id: grant.amount for grant in life.state.grants}
    assert all(0 <= used <= amounts[name] for (name, _), used in spent.items() if name in amounts)


@law
@given(st.data(), lives(), st.booleans())
def test_a_hard_limit_is_never_exceeded(data: st.DataObject, life: Life, is_held: bool) -> None:  # noqa: FBT001
    lived(data, life, EVERYTHING)
    key = data.draw(st.sampled_from(COUNTED))
    before = {(bucket.id, bucket.start_at): bucket.used + bucket.reserved for bucket in life.supply(key).buckets}
    basket = data.draw(baskets((key,)))

    taken = life.reserve(*basket, ttl=DAY) if is_held else life.consume(*basket)

    after = life.supply(key)
    for pot in after.buckets:
        assert pot.amount is None or pot.used + pot.reserved <= max(pot.amount, before[pot.id, pot.start_at])
    if taken and any(draw.pot is None for line in life.ledger[-1][1] for draw in line.draws):
        ways = ([window for window in way if window.amount is not None] for way in after.alternatives)
        within = [all(w.used + w.reserved <= w.amount + w.carried for w in way) for way in ways]
        assert any(within) or not within


@law
@given(st.data(), lives(), baskets(), st.booleans())
def test_what_is_left_falls_by_what_was_charged(
    data: st.DataObject,
    life: Life,
    basket: list[Wanted],
    is_held: bool,  # noqa: FBT001
) -> None:
    lived(data, life, (*ASKED, *PURCHASES))
    before = life.remaining() or Decimal(0)

    taken = life.reserve(*basket, ttl=HOUR) if is_held else life.consume(*basket)

    charged = sum(line.charge for line in life.ledger[-1][1]) if taken else 0
    assert life.remaining() == before - charged


@law
@given(st.data(), lives(), baskets())
def test_settling_all_is_consuming_and_settling_nothing_is_releasing(
    data: st.DataObject, life: Life, basket: list[Wanted]
) -> None:
    lived(data, life, EVERYTHING)
    before, remaining = life.state, life.remaining()
    if not life.reserve(*basket, ttl=HOUR, id="res_here"):
        return
    reserved = life.state

    life.settle("res_here", *basket)
    settled, life.state = life.state, before
    assert life.consume(*basket)
    assert totals_of(life.balance) == totals_of(settled.balance)

    life.state = reserved
    life.settle("res_here", *(wanted(0, line.feature_key) for line in basket))
    emptied, life.state = life.state, reserved
    life.release("res_here")
    assert totals_of(life.balance) == totals_of(emptied.balance)
    assert life.remaining() == remaining


@law
@given(st.data(), lives(), baskets(), st.sampled_from(["0", "0.1", "0.5", "0.999999999", "1"]))
def test_settling_less_gives_the_rest_back_to_where_it_came_from(
    data: st.DataObject, life: Life, basket: list[Wanted], share: str
) -> None:
    lived(data, life, (*ASKED, *PURCHASES))
    before = life.remaining() or Decimal(0)
    if not life.reserve(*basket, ttl=HOUR, id="res_here"):
        return
    reserved = life.ledger[-1][1]

    life.settle(
        "res_here", *(wanted((each.amount * Decimal(share)).quantize(PLACE), each.feature_key) for each in basket)
    )

    for held, settled in zip(reserved, life.ledger[-1][1], strict=True):
        assert settled.charge <= held.charge
        places = [(draw.pot, draw.windows, draw.amount) for draw in held.draws]
        kept = [(draw.pot, draw.windows, draw.amount) for draw in settled.draws]
        assert kept[:-1] == places[: len(kept) - 1 if kept else 0]
    assert life.remaining() == before - sum(line.charge for line in life.ledger[-1][1])


@law
@given(st.data(), lives(), positive, positive, st.sampled_from(["credits", "chat", "image"]))
def test_a_correction_leaves_what_the_right_amount_would_have(
    data: st.DataObject, life: Life, said: Decimal, meant: Decimal, key: str
) -> None:
    lived(data, life, (*ASKED, *PURCHASES))
    before = life.state
    if not (life.consume(wanted(max(said, meant), key))):
        return
    life.state = before
    life.consume(wanted(said, key))

    life.correct(life.ledger[-1][1], meant)

    corrected, life.state = life.remaining(), before
    life.consume(wanted(meant, key))
    difference = (life.remaining() or 0) - (corrected or 0)
    assert 0 <= difference <= PLACE  # charges are rounded up each on its own


@law
@given(st.data(), lives(behaviors=ANY_BEHAVIOR), baskets((*KEYS, "unknown")))
def test_a_refusal_changes_nothing_and_is_what_the_check_says(
    data: st.DataObject, life: Life, basket: list[Wanted]
) -> None:
    lived(data, life, EVERYTHING)
    answer = life.check(basket[0].feature_key, basket[0].amount)
    before = msgspec.json.encode(life.state)

    taken = life.consume(*basket)

    if len(basket) == 1 or not answer.has_access:
        assert taken is answer.has_access
    assert taken or msgspec.json.encode(life.state) == before


@law
@given(st.data(), lives(), positive)
def test_what_comes_first_is_used_up_first(data: st.DataObject, life: Life, amount: Decimal) -> None:
    lived(data, life, (*ASKED, *PURCHASES))
    if not life.consume(wanted(amount, "credits")):
        return

    drawn = {(draw.pot, draw.pot_start_at) for draw in life.ledger[-1][1][0].draws}
    pots = [pot for pot in life.supply().buckets if pot.window is None]
    pots.sort(
        key=lambda pot: (
            pot.priority,
            float("inf") if pot.ends_at is None else pot.ends_at,
            pot.effective_at,
            pot.source is not GrantSource.PROMOTIONAL,
            pot.id,
        )
    )
    last = max((place for place, pot in enumerate(pots) if (pot.id, pot.start_at) in drawn), default=0)
    assert all(pot.left == 0 for pot in pots[:last])
