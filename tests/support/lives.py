"""A workspace that lives through a sequence of usage, purchases and time, and the accounts kept beside it."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import strategies as st
from support.records import (
    DAY,
    add_on,
    credit,
    drawing,
    feature,
    grant,
    item,
    limit,
    override,
    plan,
    sub,
    wanted,
    workspace,
)

from app.domain import consumption
from app.domain.consumption import Refused, Taken, Wanted
from app.domain.entitlement import Entitlement, evaluate, findings_of, usage_windows
from app.domain.grant import Grant, GrantSource, Override
from app.domain.period import add_months
from app.domain.plan import Catalogue, LimitBehavior, MeterType, Plan, PlanFeature, ResetPeriod
from app.domain.subscription import Subscription, SubscriptionStatus
from app.domain.supply import Supply, supply_of
from app.domain.usage import Balance, Reservation, UsageKind, UsageLine, UsageWindow
from app.domain.workspace_state import WorkspaceState

HOUR = DAY // 24
PLACE = Decimal("0.000000001")
Place = tuple[str, int]
"""A pot, or a window by its reset period, and when it started."""

FEATURES = (
    credit("credits"),
    drawing("chat", "0.125"),
    drawing("image", "1.000000001"),
    feature("api_calls"),
    feature("seats", meter_type=MeterType.FLUCTUATING),
)
KEYS = tuple(each.key for each in FEATURES)
DRAWING = ("credits", "chat", "image")
ADDED = frozenset({UsageKind.CONSUME, UsageKind.RECORD, UsageKind.SETTLE, UsageKind.CORRECT})


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


ANY_BEHAVIOR = tuple(LimitBehavior)
STARTS = (ms("2024-01-31"), ms("2025-01-31T23:59:59"), ms("2026-06-15T12:30:00"), ms("2027-12-29"))
amounts = st.integers(0, 80).map(lambda halves: Decimal(halves) / 2)
positive = st.integers(1, 60).map(lambda halves: Decimal(halves) / 2)
fine = st.one_of(positive, positive, st.integers(1, 10**10).map(lambda n: Decimal(n).scaleb(-9)))
spans = st.one_of(st.sampled_from([1, HOUR, DAY, 10 * DAY, 31 * DAY, 35 * DAY, 100 * DAY]), st.integers(1, 40 * DAY))
STATUSES = st.sampled_from(
    [SubscriptionStatus.ACTIVE, SubscriptionStatus.UNPAID, SubscriptionStatus.PAUSED, SubscriptionStatus.CANCELED]
)
TTLS = st.sampled_from([HOUR, 2 * DAY, 40 * DAY])
resets = st.sampled_from([ResetPeriod.NEVER, ResetPeriod.DAY, ResetPeriod.MONTH, ResetPeriod.BILLING_CYCLE])


@st.composite
def plan_rows(
    draw: st.DrawFn, key: str = "credits", behaviors: Sequence[LimitBehavior] = (LimitBehavior.HARD,)
) -> list[PlanFeature]:
    chosen = draw(st.lists(resets, min_size=1, max_size=2, unique=True))
    return [
        limit(
            key,
            draw(amounts) if (behavior := draw(st.sampled_from(behaviors))) is not LimitBehavior.UNLIMITED else None,
            reset,
            behavior,
            rollover_max=None
            if reset is ResetPeriod.NEVER or behavior is LimitBehavior.UNLIMITED
            else draw(st.none() | amounts),
        )
        for reset in chosen
    ]


@st.composite
def plan_versions(
    draw: st.DrawFn, key: str, behaviors: Sequence[LimitBehavior] = (LimitBehavior.HARD,), **fields: object
) -> Plan:
    rows = [
        *draw(plan_rows("credits", behaviors)),
        *draw(plan_rows("api_calls", behaviors)),
        limit("seats", draw(amounts), ResetPeriod.NEVER),
    ]
    return plan(key, *rows, **{"published_at": 0, **fields})


@st.composite
def packs(draw: st.DrawFn) -> Plan:
    return add_on("pack", limit("credits", draw(positive), draw(resets)), published_at=0)


@st.composite
def grants(draw: st.DrawFn, id: str, at: int, *, recurring: bool = True) -> Grant:
    effective_at = at + draw(st.sampled_from([0, 0, -3 * DAY, 2 * DAY]))
    source = draw(st.sampled_from([GrantSource.PROMOTIONAL, GrantSource.TOP_UP, GrantSource.MANUAL]))
    ends_in = draw(st.none() | st.sampled_from([HOUR, DAY, 20 * DAY, 400 * DAY]))
    return grant(
        id,
        "credits",
        source=source,
        effective_at=effective_at,
        expires_at=None if ends_in is None else at + ends_in,
        amount=draw(positive),
        priority=draw(st.sampled_from([100, 100, 10, 500])),
        reset_period=draw(st.sampled_from([ResetPeriod.NEVER, ResetPeriod.NEVER, ResetPeriod.DAY, ResetPeriod.MONTH]))
        if recurring
        else ResetPeriod.NEVER,
    )


@st.composite
def overrides(draw: st.DrawFn, id: str, at: int, *, revoked: bool) -> Override:
    ends_in = draw(st.sampled_from([None, DAY, 40 * DAY]))
    return override(
        id,
        draw(st.sampled_from(DRAWING if revoked else ("credits", "api_calls"))),
        revoked=revoked,
        subscription_id=draw(st.sampled_from([None, "sub_1", "sub_2"])),
        limit=None if revoked else draw(amounts),
        reset_period=ResetPeriod.NEVER if revoked else draw(resets),
        expires_at=None if ends_in is None else at + ends_in,
    )


class Life:
    """What happens to one workspace, with the ledger that the service would keep."""

    def __init__(self, catalogue: Catalogue, at: int, *subs: Subscription) -> None:
        self.catalogue = catalogue
        self.at = at
        self.state = WorkspaceState(workspace=workspace(created_at=at - 3 * DAY), subscriptions=subs, version=1)
        self.ledger: list[tuple[UsageKind, tuple[UsageLine, ...]]] = []
        self.is_lenient = False
        """Whether something was counted that was not asked for beforehand, and may go beyond what there was."""
        self.corrections: dict[int, list[UsageLine]] = {}
        """The corrections of a line of the ledger, by the line's identity."""
        self._ids = 0

    @property
    def balance(self) -> Balance:
        return self.state.balance or Balance(id="ws_1")

    def new_id(self, kind: str) -> str:
        self._ids += 1
        return f"{kind}_{self._ids}"

    # What a caller asks for

    def consume(self, *lines: Wanted) -> bool:
        return self._take(UsageKind.CONSUME, consumption.consume(self.state, self.catalogue, lines, self.at))

    def ask(self, *lines: Wanted) -> Refused:
        """Ask for what is refused."""
        outcome = consumption.consume(self.state, self.catalogue, lines, self.at)
        assert isinstance(outcome, Refused)
        return outcome

    def reserve(self, *lines: Wanted, ttl: int = HOUR, id: str = "") -> bool:
        blank = Reservation(
            id=id or self.new_id("res"), lines=(), principal="k", created_at=self.at, expires_at=self.at + ttl
        )
        return self._take(
            UsageKind.RESERVE, consumption.reserve(self.state, self.catalogue, lines, self.at, blank=blank)
        )

    def settle(self, id: str, *actual: Wanted) -> None:
        self._take(UsageKind.SETTLE, consumption.settle(self.state, self.catalogue, id, actual or None, self.at))

    def release(self, id: str) -> None:
        self._take(UsageKind.RELEASE, consumption.release(self.state, id, self.at))

    def record(self, line: Wanted, occurred_at: int | None = None) -> None:
        self.is_lenient = True
        happened_at = self.at if occurred_at is None else occurred_at
        self._take(
            UsageKind.RECORD,
            consumption.record(self.state, self.catalogue, line, occurred_at=happened_at, at=self.at),
        )

    def correct(self, lines: Sequence[UsageLine], amount: Decimal) -> UsageLine:
        self.is_lenient = self.is_lenient or amount > sum(line.amount for line in lines)
        done = consumption.correct(self.state, self.catalogue, lines, amount, self.at)
        self._take(UsageKind.CORRECT, done)
        return done.lines[0]

    def _take(self, kind: UsageKind, outcome: Taken | Refused) -> bool:
        if isinstance(outcome, Refused):
            return False
        self.ledger.append((kind, outcome.lines))
        self.state = msgspec.structs.replace(self.state, balance=outcome.balance)
        return True

    # What happens around it

    def give(self, given: Grant) -> None:
        self.state = msgspec.structs.replace(self.state, grants=(*self.state.grants, given))

    def decide(self, *made: Override) -> None:
        """Add overrides, or lift all."""
        self.state = msgspec.structs.replace(self.state, overrides=(*self.state.overrides, *made) if made else ())

    def wait(self, span: int, *, is_told: bool = True) -> None:
        """Let time pass; Stripe tells of each new cycle, or is late with it."""
        self.at += span
        if is_told:
            self.change_subs(*(self._renewed(each) for each in self.state.subscriptions))

    def _renewed(self, held: Subscription) -> Subscription:
        items = held.items
        while items and items[0].current_period_end_at <= self.at:
            start_at = items[0].current_period_end_at
            months = 1
            while (end_at := add_months(held.billing_anchor_at, months)) <= start_at:
                months += 1
            items = tuple(
                msgspec.structs.replace(i, current_period_start_at=start_at, current_period_end_at=end_at)
                for i in items
            )
        return msgspec.structs.replace(held, items=items)

    def change_subs(self, *subs: Subscription) -> None:
        self.state = msgspec.structs.replace(self.state, subscriptions=subs)

    def switch(self, plan_key: str, *, position: int = 0) -> None:
        """Change the plan of a subscription, as Stripe does it: the same cycle, another price since now."""
        held = list(self.state.subscriptions)
        plan_item, *others = held[position].items
        other = msgspec.structs.replace(
            plan_item, lookup_key=f"{plan_key}_monthly", price_id=f"price_{plan_key}", price_since_at=self.at
        )
        held[position] = msgspec.structs.replace(held[position], items=(other, *others))
        self.change_subs(*held)

    def publish(self, version: Plan) -> None:
        """Publish a version of a plan; subscriptions of it are moved."""
        plans = [held for key in ("pro", "basic", "free", "pack") for held in self.catalogue.versions(key)]
        self.catalogue = Catalogue(FEATURES, (*plans, version), default_plan_key=self.catalogue.default_plan_key)
        moved = [
            msgspec.structs.replace(
                held,
                items=tuple(
                    msgspec.structs.replace(i, price_since_at=version.published_at)
                    if i.lookup_key == f"{version.key}_monthly"
                    else i
                    for i in held.items
                ),
            )
            for held in self.state.subscriptions
        ]
        self.change_subs(*moved)

    def set_status(self, status: SubscriptionStatus, *, position: int = 0) -> None:
        held = list(self.state.subscriptions)
        held[position] = msgspec.structs.replace(held[position], status=status)
        self.change_subs(*held)

    def buy(self, quantity: int) -> None:
        """Set how many packs the first subscription holds."""
        first, *others = self.state.subscriptions
        items = [i for i in first.items if i.lookup_key != "pack_monthly"]
        if quantity:
            cycle: dict[str, Any] = {
                "current_period_start_at": items[0].current_period_start_at,
                "current_period_end_at": items[0].current_period_end_at,
            }
            items.append(item("pack", id="si_z_pack", quantity=quantity, price_since_at=self.at, **cycle))
        self.change_subs(msgspec.structs.replace(first, items=tuple(items)), *others)

    # What is known of it

    def check(self, key: str = "credits", amount: Decimal | int | None = None, at: int | None = None) -> Entitlement:
        asked = None if amount is None else Decimal(amount)
        return evaluate(key, self.state, self.catalogue, self.at if at is None else at, requested_usage=asked)

    def remaining(self, key: str = "credits") -> Decimal | None:
        usage = self.check(key).usage
        return usage.remaining if usage else Decimal(0)

    def supply(self, key: str = "credits", at: int | None = None) -> Supply:
        now = self.at if at is None else at
        held = self.catalogue.features[key]
        found = findings_of(held, self.state, self.catalogue, now)
        return supply_of(self.catalogue.balance_feature(held), found, self.state.balance, now)

    def counted(self, key: str = "credits") -> tuple[UsageWindow, ...]:
        return usage_windows(self.catalogue.features[key], self.state, self.catalogue, self.at)

    def open_reservations(self) -> list[Reservation]:
        return [held for held in self.balance.reservations if self.at < held.expires_at]

    def used_by_ledger(self, key: str) -> dict[Place, Decimal]:
        """Add up what every pot and window was used for, from the ledger's lines alone."""
        used: defaultdict[Place, Decimal] = defaultdict(Decimal)
        for kind, lines in self.ledger:
            for draw in (d for line in lines if line.balance_key == key and kind in ADDED for d in line.draws):
                if draw.pot is not None and draw.pot_start_at is not None:
                    used[draw.pot, draw.pot_start_at] += draw.amount
                for ref in draw.windows:
                    used[ref.reset_period, ref.start_at] += draw.amount
        return dict(used)


def totals_of(balance: Balance | None) -> dict[str, dict[Place, Decimal]]:
    """Return what is counted, without what nothing was used of."""
    totals: defaultdict[str, dict[Place, Decimal]] = defaultdict(dict)
    for key, meters in (balance.meters if balance else {}).items():
        totals[key].update({(each.reset_period, each.start_at): each.used for each in meters if each.used})
    for key, pots in (balance.pots if balance else {}).items():
        totals[key].update({(each.id, each.start_at): each.used for each in pots if each.used})
    return {key: places for key, places in totals.items() if places}


def subscription(at: int, plan_key: str = "pro", id: str = "sub_1") -> Subscription:
    """Return one that starts at the instant and is anchored to it."""
    cycle: dict[str, Any] = {"current_period_start_at": at, "current_period_end_at": add_months(at, 1)}
    held = item(plan_key, id=f"si_{id}", price_since_at=at, **cycle)
    return sub(id, SubscriptionStatus.ACTIVE, held, started_at=at, billing_anchor_at=at)


@st.composite
def lives(draw: st.DrawFn, *, behaviors: Sequence[LimitBehavior] = (LimitBehavior.HARD,)) -> Life:
    """Begin a life: one plan with an add-on, another to change to, maybe a free one, maybe grants."""
    at = draw(st.sampled_from(STARTS))
    plans = (
        draw(plan_versions("pro", behaviors)),
        draw(plan_versions("basic", behaviors)),
        draw(plan_versions("free", behaviors, prices=())),
        draw(packs()),
    )
    catalogue = Catalogue(FEATURES, plans, default_plan_key=draw(st.sampled_from([None, "free"])))
    subs = [subscription(at, draw(st.sampled_from(["pro", "basic"])))]
    if draw(st.sampled_from([False, False, True])):
        subs.append(subscription(at - 9 * DAY - HOUR, draw(st.sampled_from(["pro", "basic"])), "sub_2"))
    life = Life(catalogue, at, *subs)
    for _ in range(draw(st.integers(0, 3))):
        life.give(draw(grants(life.new_id("grant"), at)))
    return life


def baskets(keys: Sequence[str] = DRAWING, *, most: int = 3) -> st.SearchStrategy[list[Wanted]]:
    return st.lists(st.builds(wanted, fine, st.sampled_from(keys)), min_size=1, max_size=most)
