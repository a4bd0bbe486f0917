"""A workspace that lives through a sequence of usage, purchases and time, and the accounts kept beside it."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
from support.records import (
    DAY,
    credit,
    drawing,
    feature,
    item,
    sub,
    workspace,
)

from app.domain import consumption
from app.domain.burn_down import Counted
from app.domain.case import Case
from app.domain.consumption import Refused, Taken, Wanted
from app.domain.entitlement import Entitlement, evaluate
from app.domain.grant import Grant, Override
from app.domain.period import add_months
from app.domain.plan import Catalogue, MeterType, Plan
from app.domain.subscription import Subscription, SubscriptionStatus
from app.domain.supply import Supply
from app.domain.usage import Balance, Reservation, UsageKind, UsageLine
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

    @property
    def case(self) -> Case:
        return Case(self.state, self.catalogue, self.at)

    def new_id(self, kind: str) -> str:
        self._ids += 1
        return f"{kind}_{self._ids}"

    # What a caller asks for

    def consume(self, *lines: Wanted) -> bool:
        return self._take(UsageKind.CONSUME, consumption.consume(self.case, lines))

    def ask(self, *lines: Wanted) -> Refused:
        """Ask for what is refused."""
        outcome = consumption.consume(self.case, lines)
        assert isinstance(outcome, Refused)
        return outcome

    def reserve(self, *lines: Wanted, ttl: int = HOUR, id: str = "") -> bool:
        blank = Reservation(
            id=id or self.new_id("res"), lines=(), principal="k", created_at=self.at, expires_at=self.at + ttl
        )
        return self._take(UsageKind.RESERVE, consumption.reserve(self.case, lines, blank=blank))

    def settle(self, id: str, *actual: Wanted) -> None:
        self._take(UsageKind.SETTLE, consumption.settle(self.case, id, actual or None))

    def release(self, id: str) -> None:
        self._take(UsageKind.RELEASE, consumption.release(self.case, id))

    def record(self, line: Wanted, occurred_at: int | None = None) -> None:
        self.is_lenient = True
        happened_at = self.at if occurred_at is None else occurred_at
        self._take(
            UsageKind.RECORD,
            consumption.record(self.case, line, occurred_at=happened_at),
        )

    def correct(self, lines: Sequence[UsageLine], amount: Decimal) -> UsageLine:
        self.is_lenient = self.is_lenient or amount > sum(line.amount for line in lines)
        done = consumption.correct(self.case, lines[:1], lines[1:], amount)
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
        """Set how many packs the first subscription holds; to hold fewer may leave less than was used."""
        first, *others = self.state.subscriptions
        held = sum(i.quantity for i in first.items if i.lookup_key == "pack_monthly")
        self.is_lenient = self.is_lenient or quantity < held
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
        return self.case.when(now).room(key).supply

    def counted(self, key: str = "credits") -> Counted:
        return self.case.room(key).counted

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
