"""What goes on in the demo by itself: a few customers subscribe, change, fail to pay, pay, pause, leave and return."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from itertools import count
from typing import Any, Final

import httpx

from app.sandbox.demo.connections import Api, DemoError, Stripe
from app.sandbox.demo.fill import make_customer, make_workspace

BUSY: Final = tuple(f"busy-{number}" for number in range(1, 7))
"""The external ids of the workspaces to which it happens."""

_GOOD_CARD: Final = "pm_card_visa"
_BAD_CARD: Final = "pm_card_chargeCustomerFail"


class Subscriber:
    """A customer at Stripe who does one thing after the other, and begins again."""

    def __init__(self, stripe: Stripe, customer: str, prices: Mapping[str, str]) -> None:
        self._stripe = stripe
        self._customer = customer
        self._prices = prices
        self._subscription: dict[str, Any] | None = None
        self._done = 0

    async def step(self) -> str | None:
        """Do the next thing and return its name; None where it could not be done, and begin again after that."""
        act = _ACTS[self._done % len(_ACTS)]
        try:
            await act(self)
        except (DemoError, httpx.HTTPError):  # somebody made Stripe fail, or changed what there was
            self._done = 0
            return None
        self._done += 1
        return act.__name__

    async def subscribe(self) -> None:
        if self._subscription:
            with suppress(DemoError):
                await self.leave()
        await self._pay_with(_GOOD_CARD)
        form = {"customer": self._customer, "items[0][price]": self._prices["hobby_monthly"]}
        self._subscription = await self._stripe.create("subscriptions", **form)

    async def upgrade(self) -> None:
        await self._change_price("pro_monthly")

    async def renew(self) -> None:
        await self._change(billing_cycle_anchor="now", proration_behavior="none")

    async def fail_to_pay(self) -> None:
        await self._pay_with(_BAD_CARD)
        await self._change_price("team_monthly")

    async def pay(self) -> None:
        await self._pay_with(_GOOD_CARD)
        await self._stripe.create(f"invoices/{self._subscribed['latest_invoice']}/pay")

    async def downgrade(self) -> None:
        await self._change_price("starter_monthly")

    async def plan_to_leave(self) -> None:
        await self._change(cancel_at_period_end="true")

    async def stay(self) -> None:
        await self._change(cancel_at_period_end="false")

    async def pause(self) -> None:
        await self._stripe.create(f"{self._path}/pause")

    async def resume(self) -> None:
        await self._stripe.create(f"{self._path}/resume")

    async def leave(self) -> None:
        left, self._subscription = self._path, None
        await self._stripe.delete(left)

    @property
    def _subscribed(self) -> dict[str, Any]:
        if self._subscription is None:
            raise DemoError(f"{self._customer} has no subscription")
        return self._subscription

    @property
    def _path(self) -> str:
        return f"subscriptions/{self._subscribed['id']}"

    async def _pay_with(self, card: str) -> None:
        await self._stripe.create(f"customers/{self._customer}", **{"invoice_settings[default_payment_method]": card})

    async def _change(self, **form: str) -> None:
        self._subscription = await self._stripe.create(self._path, **form)

    async def _change_price(self, lookup_key: str) -> None:
        item = self._subscribed["items"]["data"][0]["id"]
        change = {"items[0][id]": item, "items[0][price]": self._prices[lookup_key]}
        await self._change(**change, proration_behavior="always_invoice")


_ACTS: Final[tuple[Callable[[Subscriber], Awaitable[None]], ...]] = (
    Subscriber.subscribe,
    Subscriber.upgrade,
    Subscriber.renew,
    Subscriber.fail_to_pay,
    Subscriber.pay,
    Subscriber.downgrade,
    Subscriber.plan_to_leave,
    Subscriber.stay,
    Subscriber.pause,
    Subscriber.resume,
    Subscriber.leave,
)


async def go_on(api: Api, stripe: Stripe, prices: Mapping[str, str], *, every_s: float) -> None:
    """Let something happen at Stripe every so many seconds, until it is cancelled."""
    subscribers: list[Subscriber] = []
    for external_id in BUSY:
        await make_workspace(api, external_id)
        subscribers.append(Subscriber(stripe, await make_customer(stripe, external_id), prices))
    for turn in turns(len(subscribers)):
        await asyncio.sleep(every_s)
        await subscribers[turn].step()


def turns(members: int) -> Iterator[int]:
    """Yield whose turn it is, without end: each begins a round later than the one before, so that they differ."""
    for round_ in count(1):
        yield from reversed(range(min(round_, members)))
