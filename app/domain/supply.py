"""What there is to use of a METERED or CREDIT feature now: the plans' windows, and pots beside them."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import msgspec

from app.domain.bucket import Bucket, of_add_ons, of_grant, of_rollover
from app.domain.offer import Offer, Terms
from app.domain.period import Period
from app.domain.plan import LimitBehavior, ResetPeriod
from app.domain.rollover import Reserved, carried_into, held_back, used_in
from app.domain.usage import Balance, Meter, WindowRef

_ZERO: Final = Decimal(0)
_INFINITY: Final = Decimal("Infinity")


class Window(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One window of the plans with all that is pooled in it; `amount` None is unlimited.

    What it has inherited comes on top of the amount and is used first. `chain` is that of the holding that sets it.
    """

    ref: WindowRef
    period: Period
    amount: Decimal | None
    behavior: LimitBehavior
    used: Decimal
    reserved: Decimal
    rollover_max: Decimal | None = None
    carried: Decimal = _ZERO
    chain: str = ""
    thresholds: tuple[int, ...] = ()

    @property
    def capacity(self) -> Decimal | None:
        """All that may be used before the limit; None is unlimited."""
        return None if self.amount is None else self.amount + self.carried

    @property
    def reset_period(self) -> ResetPeriod:
        """How often it starts anew."""
        return self.ref.reset_period

    @property
    def left(self) -> Decimal:
        """What may still be used before the limit, never below 0."""
        capacity = self.capacity
        return _INFINITY if capacity is None else max(_ZERO, capacity - self.used - self.reserved)

    @property
    def is_hard(self) -> bool:
        """Whether nothing goes beyond the limit."""
        return self.amount is not None and self.behavior is LimitBehavior.HARD


Alternative = tuple[Window, ...]
"""The windows of one way to be allowed: all of them must pass."""


class Supply(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """All that may be used of one balance key. `buckets` come in the order of use; `turns` are instants of change."""

    alternatives: tuple[Alternative, ...]
    buckets: tuple[Bucket, ...]
    turns: tuple[int, ...]

    @property
    def is_empty(self) -> bool:
        """Whether nothing is given at all."""
        return not self.alternatives and not self.buckets

    @property
    def windows(self) -> Alternative:
        """The windows of the way that leaves most; empty where no plan sets any."""
        if len(self.alternatives) == 1:
            return self.alternatives[0]
        return max(self.alternatives, key=_leaves, default=())

    @property
    def every_window(self) -> dict[WindowRef, Window]:
        """The windows of all ways, by name."""
        return {window.ref: window for way in self.alternatives for window in way}

    @property
    def in_buckets(self) -> Decimal:
        """What is left beside the plans."""
        return sum((bucket.left for bucket in self.buckets), _ZERO)

    def passes(self, charge: Decimal) -> bool:
        """Tell whether the charge may be used, or go beyond. Nothing at all always may."""
        if charge <= 0:
            return True
        hard = [min((w.left for w in way if w.is_hard), default=_INFINITY) for way in self.alternatives]
        return charge <= max(hard, default=_ZERO) + self.in_buckets


def supply_of(offer: Offer, balance: Balance | None, at: int) -> Supply:
    """Take what the balance says was used, and what is held back, off what the offer gives.

    Each plan is a way of its own to be allowed, so that a further subscription never takes away; pots help whichever
    way is taken.
    """
    key = offer.feature.key
    reserved = held_back(balance, key, at)
    meters = balance.meters.get(key, ()) if balance else ()
    windows = [_window(terms, meters, reserved) for terms in offer.terms]
    pots = balance.pots.get(key, ()) if balance else ()
    buckets = [
        *(of_grant(grant, pots, reserved, at) for grant in offer.grants),
        *of_add_ons(offer.add_ons, pots, reserved, at),
        *of_rollover(offer, meters, reserved, at),
    ]
    ends = [window.period.end_at for window in windows] + [bucket.ends_at for bucket in buckets]
    turns = {end_at for end_at in (*ends, *reserved.ends) if end_at is not None}
    full = [bucket for bucket in buckets if bucket.amount != 0 or bucket.window is None]
    full.sort(key=lambda bucket: bucket.rank)
    return Supply(
        alternatives=tuple(tuple(windows[place] for place in way) for way in offer.ways),
        buckets=tuple(full),
        turns=tuple(sorted(turns)),
    )


def _window(terms: Terms, meters: Sequence[Meter], reserved: Reserved) -> Window:
    carried = _ZERO
    if terms.holding is not None:
        carried = carried_into(
            terms.ref,
            terms.holding,
            limit=terms.amount,
            rollover_max=terms.rollover_max,
            meters=meters,
            reserved=reserved,
        )
    return Window(
        ref=terms.ref,
        period=terms.period,
        amount=terms.amount,
        behavior=terms.behavior,
        used=used_in(terms.ref, meters),
        reserved=reserved.windows.get(terms.ref, _ZERO),
        rollover_max=terms.rollover_max,
        carried=carried,
        chain=terms.chain,
        thresholds=terms.thresholds,
    )


def _leaves(windows: Alternative) -> tuple[bool, Decimal]:
    """Prefer the way that hard limits leave most of, then the one that limits leave most of."""
    hard = min((window.left for window in windows if window.is_hard), default=_INFINITY)
    return hard > 0, min((window.left for window in windows), default=_INFINITY)
