"""Pots: what there is to use beside the plans' windows, and in which order."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from app.domain.findings import Part
from app.domain.grant import PRIORITY, Grant, GrantSource
from app.domain.offer import Offer
from app.domain.period import period_at
from app.domain.plan import PlanFeature, ResetPeriod
from app.domain.rollover import Reserved, carried_into, heirs, used_in
from app.domain.usage import Meter, Pot, WindowRef

_ZERO: Final = Decimal(0)
_INFINITY: Final = Decimal("Infinity")
_NEVER: Final = 2**63
_KIND_RANK: Final = {GrantSource.PROMOTIONAL: 0, GrantSource.ROLLOVER: 1}
_PAID_RANK: Final = 2

ROLLOVER_ID: Final = "rollover:{}"
"""Names in answers what a window of this reset period has inherited."""

Rank = tuple[int, int, int, int, str]


class Bucket(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An amount beside the plans' windows: a grant, an add-on. `amount` None is unlimited.

    Full again at `ends_at` where it recurs, gone then where it does not. One of the source ROLLOVER is what a window
    has inherited that no plan sets any more; `window` names it.
    """

    id: str
    source: GrantSource
    source_id: str
    amount: Decimal | None
    used: Decimal
    reserved: Decimal
    start_at: int
    ends_at: int | None
    effective_at: int
    expires_at: int | None = None
    priority: int = PRIORITY
    reset_period: ResetPeriod = ResetPeriod.NEVER
    window: WindowRef | None = None

    @property
    def capacity(self) -> Decimal | None:
        """All that may be used; None is unlimited."""
        return self.amount

    @property
    def left(self) -> Decimal:
        """What may still be used, never below 0."""
        return _INFINITY if self.amount is None else max(_ZERO, self.amount - self.used - self.reserved)

    @property
    def rank(self) -> Rank:
        """The place in the order of use: see `rank`."""
        return rank(self.priority, self.ends_at, self.effective_at, self.source, self.id)


def rank(priority: int, expires_at: int | None, effective_at: int, source: GrantSource, id: str) -> Rank:
    """Return the order of use: lower priority, earlier expiry, earlier start; promotional before paid; then id."""
    kind = _KIND_RANK.get(source, _PAID_RANK)
    return priority, _NEVER if expires_at is None else expires_at, effective_at, kind, id


def of_grant(grant: Grant, pots: Sequence[Pot], reserved: Reserved, at: int) -> Bucket:
    """Return what the grant gives now."""
    period = period_at(grant.reset_period, grant.effective_at, at)
    ends = [end for end in (period.end_at, grant.expires_at) if end is not None]
    used, held = _in_pot(pots, reserved, grant.id, period.start_at)
    return Bucket(
        id=grant.id,
        source=grant.source,
        source_id=grant.workspace_id,
        amount=None if grant.unlimited else grant.amount,
        used=used,
        reserved=held,
        start_at=period.start_at,
        ends_at=min(ends, default=None),
        effective_at=grant.effective_at,
        expires_at=grant.expires_at,
        priority=grant.priority,
        reset_period=grant.reset_period,
    )


def of_add_ons(add_ons: Iterable[Part], pots: Sequence[Pot], reserved: Reserved, at: int) -> Iterable[Bucket]:
    """Return a pot per row; versions of one add-on that a subscription holds side by side share theirs."""
    buckets: dict[tuple[str, int], Bucket] = {}
    for bucket in [_of_row(part, row, pots, reserved, at) for part in add_ons for row in part.rows]:
        place = bucket.id, bucket.start_at
        if place in buckets:
            amounts = buckets[place].amount, bucket.amount
            whole = None if None in amounts else sum((a for a in amounts if a is not None), _ZERO)
            buckets[place] = msgspec.structs.replace(bucket, amount=whole)
        else:
            buckets[place] = bucket
    return buckets.values()


def _of_row(part: Part, row: PlanFeature, pots: Sequence[Pot], reserved: Reserved, at: int) -> Bucket:
    pot_id = f"{part.id}:{row.reset_period}"
    period = part.holding.period(row.reset_period, at)
    used, held = _in_pot(pots, reserved, pot_id, period.start_at)
    return Bucket(
        id=pot_id,
        source=GrantSource.ADD_ON,
        source_id=part.source_id,
        amount=row.limit,
        used=used,
        reserved=held,
        start_at=period.start_at,
        ends_at=period.end_at,
        effective_at=part.holding.started_at,
        reset_period=row.reset_period,
    )


def _in_pot(pots: Sequence[Pot], reserved: Reserved, id: str, start_at: int) -> tuple[Decimal, Decimal]:
    """Return what was used of the pot and what is held back in it."""
    used = next((pot.used for pot in pots if pot.id == id and pot.start_at == start_at), _ZERO)
    return used, reserved.pots.get((id, start_at), _ZERO)


def of_rollover(offer: Offer, meters: Sequence[Meter], reserved: Reserved, at: int) -> Iterator[Bucket]:
    """Yield what was carried into windows that run now and that no plan sets any more: it lasts as long as they do.

    One with nothing in it may come, for its end.
    """
    if not offer.plans or not any(meter.carried or meter.rollover_max is not None for meter in meters):
        return
    carried: dict[WindowRef, tuple[int | None, Decimal]] = {
        WindowRef(meter.reset_period, meter.start_at): (meter.end_at, meter.carried)
        for meter in meters
        if meter.carried and meter.end_at is not None and meter.start_at <= at < meter.end_at
    }
    set_now = {(terms.ref.reset_period, terms.chain) for terms in offer.terms}
    for holding in {part.holding.chain: part.holding for part in offer.plans}.values():
        for reset in heirs(holding, meters):
            if (reset, holding.chain) not in set_now:
                period = holding.period(reset, at)
                ref = WindowRef(reset, period.start_at)
                left = carried_into(ref, holding, limit=None, rollover_max=None, meters=meters, reserved=reserved)
                carried[ref] = period.end_at, left
    for ref in carried.keys() - {terms.ref for terms in offer.terms}:
        end_at, amount = carried[ref]
        yield _inherited(ref, end_at, amount, used_in(ref, meters), reserved)


def _inherited(ref: WindowRef, end_at: int | None, amount: Decimal, used: Decimal, reserved: Reserved) -> Bucket:
    name = ROLLOVER_ID.format(ref.reset_period)
    used = min(amount, used)
    return Bucket(
        id=name,
        source=GrantSource.ROLLOVER,
        source_id=name,
        amount=amount,
        used=used,
        reserved=min(amount - used, reserved.windows.get(ref, _ZERO)),
        start_at=ref.start_at,
        ends_at=end_at,
        effective_at=ref.start_at,
        expires_at=end_at,
        window=ref,
    )
