"""Who lives in the demo: every state that a workspace can be in, and how many of each."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec


class Paid(msgspec.Struct, frozen=True, kw_only=True):
    """A Stripe subscription: its price, and what is set on it. `days` are instants, counted in days from now."""

    price: str
    set: Mapping[str, Any] = {}
    days: Mapping[str, int] = {}


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One state. Its workspaces have the external ids `key-1`, `key-2`, …, or just `key` where there is one."""

    key: str
    about: str
    count: int
    subscriptions: tuple[Paid, ...] = ()
    usage: Mapping[str, int] = {}
    trial_plan: str | None = None
    grant: Mapping[str, Any] | None = None
    override: Mapping[str, Any] | None = None
    is_archived: bool = False

    def external_ids(self) -> Iterator[str]:
        """Yield the external ids."""
        if self.count == 1:
            yield self.key
            return
        yield from (f"{self.key}-{number}" for number in range(1, self.count + 1))


def _paid(price: str, status: str = "active", **days: int) -> tuple[Paid, ...]:
    return (Paid(price=price, set={"status": status}, days=days),)


_STARTER: Final = _paid("starter_monthly")
_PRO: Final = _paid("pro_monthly")
_AFTER_GRACE: Final = {"current_period_start": -10, "current_period_end": 20}

SCENARIOS: Final[tuple[Scenario, ...]] = (
    Scenario(
        key="acme",
        about="pro, active, 1234 of 10000 calls used",
        count=1,
        subscriptions=_PRO,
        usage={"api_calls": 1234, "seats": 7},
    ),
    Scenario(
        key="hobby",
        about="active, 15 of 50 AI credits used",
        count=6,
        subscriptions=_paid("hobby_monthly"),
        usage={"ai_images": 3},
    ),
    Scenario(key="starter", about="active", count=24, subscriptions=_STARTER, usage={"api_calls": 250}),
    Scenario(key="pro", about="active", count=26, subscriptions=_PRO),
    Scenario(key="yearly", about="active, paid by the year", count=10, subscriptions=_paid("pro_yearly")),
    Scenario(
        key="unlimited",
        about="enterprise, no limits",
        count=12,
        subscriptions=_paid("enterprise_monthly"),
        usage={"api_calls": 1_000_000},
    ),
    Scenario(
        key="trialing",
        about="Stripe's trial, 10 days left",
        count=14,
        subscriptions=_paid(
            "pro_monthly", "trialing", trial_start=-4, trial_end=10, current_period_start=-4, current_period_end=10
        ),
    ),
    Scenario(
        key="trial-expired",
        about="canceled when its trial ended",
        count=5,
        subscriptions=_paid("pro_monthly", "canceled", trial_start=-15, trial_end=-1, canceled_at=-1, ended_at=-1),
    ),
    Scenario(
        key="trial-unpaid",
        about="past due right after the trial: no grace",
        count=3,
        subscriptions=_paid(
            "pro_monthly", "past_due", trial_start=-15, trial_end=-1, current_period_start=-1, current_period_end=29
        ),
    ),
    Scenario(key="workspace-trial", about="a trial without Stripe", count=5, trial_plan="pro"),
    Scenario(
        key="in-grace",
        about="past due, 4 days of grace left",
        count=10,
        subscriptions=_paid("pro_monthly", "past_due", current_period_start=-3, current_period_end=27),
    ),
    Scenario(
        key="in-grace-read-only",
        about="past due, read only",
        count=4,
        subscriptions=_paid("team_monthly", "past_due", current_period_start=-3, current_period_end=27),
    ),
    Scenario(
        key="past-due",
        about="past due, grace is over",
        count=8,
        subscriptions=_paid("pro_monthly", "past_due", **_AFTER_GRACE),
    ),
    Scenario(key="unpaid", about="unpaid", count=4, subscriptions=_paid("pro_monthly", "unpaid", **_AFTER_GRACE)),
    Scenario(key="paused", about="paused", count=6, subscriptions=_paid("pro_monthly", "paused")),
    Scenario(key="paused-read-only", about="paused, read only", count=3, subscriptions=_paid("team_monthly", "paused")),
    Scenario(
        key="canceled",
        about="canceled two days ago",
        count=8,
        subscriptions=_paid("pro_monthly", "canceled", canceled_at=-2, ended_at=-2),
    ),
    Scenario(
        key="canceling",
        about="active until the period ends",
        count=5,
        subscriptions=(
            Paid(
                price="pro_monthly",
                set={"cancel_at_period_end": True},
                days={
                    "canceled_at": -1,
                    "cancel_at": 12,
                    "current_period_start": -18,
                    "current_period_end": 12,
                },
            ),
        ),
    ),
    Scenario(key="incomplete", about="first payment open", count=3, subscriptions=_paid("pro_monthly", "incomplete")),
    Scenario(
        key="incomplete-expired",
        about="first payment never made",
        count=2,
        subscriptions=_paid("pro_monthly", "incomplete_expired", ended_at=-1),
    ),
    Scenario(key="free", about="the free plan", count=10),
    Scenario(
        key="over-limit", about="starter, all calls used", count=5, subscriptions=_STARTER, usage={"api_calls": 1_000}
    ),
    Scenario(
        key="over-soft-limit", about="starter, 15 of 10 GB", count=3, subscriptions=_STARTER, usage={"storage_gb": 15}
    ),
    Scenario(key="overage", about="pro, 150 of 100 GB, billed", count=3, subscriptions=_PRO, usage={"storage_gb": 150}),
    Scenario(
        key="overridden",
        about="starter with 50000 calls by override",
        count=4,
        subscriptions=_STARTER,
        override={"featureKey": "api_calls", "limit": "50000", "resetPeriod": "MONTH", "reason": "negotiated"},
    ),
    Scenario(
        key="revoked",
        about="pro without single sign-on",
        count=2,
        subscriptions=_PRO,
        override={"featureKey": "sso", "revoked": True, "reason": "abuse"},
    ),
    Scenario(
        key="promotional",
        about="starter with 500 calls on top",
        count=4,
        subscriptions=_STARTER,
        grant={"featureKey": "api_calls", "source": "PROMOTIONAL", "amount": "500", "reason": "spring offer"},
    ),
    Scenario(
        key="granted",
        about="starter with single sign-on by hand",
        count=2,
        subscriptions=_STARTER,
        grant={"featureKey": "sso", "source": "MANUAL", "reason": "beta"},
    ),
    Scenario(
        key="two-subscriptions",
        about="one paid, one long overdue",
        count=4,
        subscriptions=(*_PRO, Paid(price="starter_monthly", set={"status": "past_due"}, days=_AFTER_GRACE)),
    ),
    Scenario(
        key="unmapped-price",
        about="a price that no plan names",
        count=2,
        subscriptions=_paid("legacy_monthly"),
    ),
    Scenario(key="archived", about="archived", count=2, subscriptions=_PRO, is_archived=True),
)
