"""Bring the demo's data in, and wait until all of it has arrived."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping
from importlib.resources import files
from typing import Any, Final

import msgspec

from app.sandbox.demo.connections import Api, DemoError, Stripe
from app.sandbox.demo.prices import PRICES
from app.sandbox.demo.scenarios import SCENARIOS, Paid, Scenario

CATALOGUE: Final = files("app.sandbox.demo").joinpath("catalog.toml").read_text(encoding="utf-8")
"""The file that makes the demo's catalogue."""

_DAY_S: Final = 86_400
_AT_ONCE: Final = 12
_ARRIVAL_S: Final = 60
_POLL_S: Final = 0.25
_ARRIVED: Final = "{ subscriptions(first: 1) { totalCount } syncStatus { stripe { pending parked dead } } }"


class Filled(msgspec.Struct, frozen=True):
    """What was made: workspaces in all, each external id's first subscription, and the prices by lookup key."""

    workspaces: int
    subscriptions: dict[str, str]
    prices: dict[str, str]


async def fill(
    api: Api, stripe: Stripe, *, webhook_url: str, webhook_secret: str, now_s: int, tell: Callable[[str], None]
) -> Filled:
    """Make the catalogue and every workspace of SCENARIOS; return once checks answer as the scenarios say.

    Stripe's side is set up in silence and then told with one event per object, so that the order in which events
    arrive does not matter, not even where they alone are believed.
    """
    await _make_catalogue(api)
    cast = [(scenario, external_id) for scenario in SCENARIOS for external_id in scenario.external_ids()]
    tell(f"creating {len(cast)} workspaces")
    prices = await _make_prices(stripe)
    customers = {
        external_id: await make_customer(stripe, external_id)
        for scenario, external_id in cast
        if scenario.subscriptions
    }
    made = {
        external_id: await _make_subscriptions(stripe, customers[external_id], scenario, prices)
        for scenario, external_id in cast
        if external_id in customers
    }
    await _run_all(make_workspace, ((api, external_id) for _, external_id in cast))
    subscriptions = [pair for pairs in made.values() for pair in pairs]

    tell(f"sending the events of {len(customers)} customers and {len(subscriptions)} subscriptions")
    await stripe.send_events_to(webhook_url, webhook_secret)
    await _run_all(stripe.set, ((known, {}) for known in (*prices.values(), *customers.values())))
    await _run_all(stripe.set, ((known, _fields(paid, now_s)) for known, paid in subscriptions))
    await _wait_for(api, len(subscriptions))

    await _run_all(_decorate, ((api, *member) for member in cast))
    return Filled(len(cast), {external_id: pairs[0][0] for external_id, pairs in made.items()}, prices)


def name_of(external_id: str) -> str:
    """Return what a workspace and its customer at Stripe are called."""
    return external_id.replace("-", " ").title()


async def make_workspace(api: Api, external_id: str) -> None:
    await api.mutate(
        "createWorkspace",
        idempotencyKey=f"demo:{external_id}",
        externalId=external_id,
        name=name_of(external_id),
        email=f"billing@{external_id}.example",
    )


async def _make_catalogue(api: Api) -> None:
    await api.mutate("applyCatalog", idempotencyKey="demo:catalog", source=CATALOGUE)


async def _make_prices(stripe: Stripe) -> dict[str, str]:
    prices: dict[str, str] = {}
    for lookup_key, (interval, amount) in PRICES.items():
        form = {"currency": "eur", "unit_amount": amount, "lookup_key": lookup_key, "recurring[interval]": interval}
        price = await stripe.create("prices", **form, **{"product_data[name]": lookup_key.partition("_")[0].title()})
        prices[lookup_key] = price["id"]
    return prices


async def make_customer(stripe: Stripe, external_id: str) -> str:
    form = {"name": name_of(external_id), "email": f"billing@{external_id}.example"}
    return (await stripe.create("customers", **form, **{"metadata[workspace_id]": external_id}))["id"]


async def _make_subscriptions(
    stripe: Stripe, customer: str, scenario: Scenario, prices: Mapping[str, str]
) -> list[tuple[str, Paid]]:
    """Return each subscription's id and what is to be set on it."""
    made: list[tuple[str, Paid]] = []
    for paid in scenario.subscriptions:
        created = await stripe.create("subscriptions", customer=customer, **{"items[0][price]": prices[paid.price]})
        made.append((created["id"], paid))
    return made


def _fields(paid: Paid, now_s: int) -> dict[str, Any]:
    return {**paid.set, **{name: now_s + days * _DAY_S for name, days in paid.days.items()}}


async def _wait_for(api: Api, expected: int) -> None:
    """Return once every subscription is stored and nothing waits."""
    seen: dict[str, Any] = {}
    try:
        async with asyncio.timeout(_ARRIVAL_S):
            while True:
                seen = await api.query(_ARRIVED)
                waiting = seen["syncStatus"]["stripe"]
                if seen["subscriptions"]["totalCount"] == expected and not any(waiting.values()):
                    return
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        raise DemoError(f"of {expected} subscriptions not all arrived in {_ARRIVAL_S} s: {seen}") from None


async def _decorate(api: Api, scenario: Scenario, external_id: str) -> None:
    """Add what a workspace has beside its subscriptions. Usage comes last: it counts in the windows of its plans."""
    of_workspace = {"idempotencyKey": f"demo:{external_id}", "workspaceId": external_id}
    if scenario.trial_plan:
        await api.mutate("startTrial", **of_workspace, planKey=scenario.trial_plan)
    if scenario.grant:
        await api.mutate("grantEntitlement", **of_workspace, **scenario.grant)
    if scenario.override:
        await api.mutate("setOverride", **of_workspace, **scenario.override)
    for feature, amount in scenario.usage.items():
        usage = {**of_workspace, "idempotencyKey": f"demo:{external_id}:{feature}"}
        await api.mutate("recordUsage", **usage, featureKey=feature, amount=str(amount))
    if scenario.is_archived:
        await api.mutate("archiveWorkspace", **of_workspace)


async def _run_all(call: Callable[..., Coroutine[Any, Any, Any]], inputs: Iterable[tuple[Any, ...]]) -> None:
    """Run the call for every input, some at a time; the first error ends all."""
    left = iter(inputs)

    async def work() -> None:
        for arguments in left:
            await call(*arguments)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(_AT_ONCE):
            tasks.create_task(work())
