from typing import Any

import pytest
from sandbox.stripe_account import Account

HOUR, DAY = 3600, 86_400


class Metered:
    """A customer with meters named after their formulas."""

    def __init__(self, account: Account, customer: str) -> None:
        self.account = account
        self.customer = customer
        self.meters: dict[str, str] = {}

    async def meter(self, formula: str) -> None:
        form = {"display_name": formula, "event_name": formula, "default_aggregation[formula]": formula}
        self.meters[formula] = (await self.account.post("/v1/billing/meters", form))["id"]

    async def send(self, name: str = "sum", value: Any = 1, *, status: int = 200, **more: Any) -> Any:
        payload = {"payload[stripe_customer_id]": self.customer, "payload[value]": value}
        return await self.account.post(
            "/v1/billing/meter_events", {"event_name": name, **payload, **more}, status=status
        )

    async def summaries(self, name: str = "sum", *, status: int = 200, **params: Any) -> Any:
        """Return what was counted in the hour before and after the clock's."""
        at = self.account.clock.at
        wanted = {"customer": self.customer, "start_time": at - HOUR, "end_time": at + HOUR, **params}
        path = f"/v1/billing/meters/{self.meters[name]}/event_summaries"
        return await self.account.get(path, wanted, status=status)

    async def counted(self, name: str = "sum") -> float:
        return (await self.summaries(name))["data"][0]["aggregated_value"]


@pytest.fixture
async def metered(account: Account) -> Metered:
    customer = await account.post("/v1/customers")
    made = Metered(account, customer["id"])
    for formula in ("sum", "count", "last"):
        await made.meter(formula)
    return made


async def test_an_event_is_answered_as_it_was_taken(metered: Metered) -> None:
    event = await metered.send(value="2.5", identifier="mine")

    at = metered.account.clock.at
    assert event == {
        "object": "billing.meter_event",
        "created": at,
        "event_name": "sum",
        "identifier": "mine",
        "livemode": False,
        "payload": {"stripe_customer_id": metered.customer, "value": "2.5"},
        "timestamp": at,
    }


@pytest.mark.parametrize(("formula", "counted"), [("sum", 7.5), ("count", 3), ("last", 1)])
async def test_events_are_added_counted_or_the_last_one_taken(metered: Metered, formula: str, counted: float) -> None:
    for value, ago in ((1, 0), (2.5, 120), (4, 60)):
        await metered.send(formula, value, timestamp=metered.account.clock.at - ago)

    assert await metered.counted(formula) == counted


async def test_nothing_sent_is_nothing_counted(metered: Metered) -> None:
    assert [await metered.counted(formula) for formula in metered.meters] == [0, 0, 0]


async def test_an_identifier_counts_once(metered: Metered) -> None:
    await metered.send(value=3, identifier="same")
    refused = await metered.send(value=3, identifier="same", status=400)

    assert refused["error"]["param"] == "identifier"
    assert await metered.counted() == 3


async def test_windows_have_what_happened_in_them_newest_first(metered: Metered) -> None:
    at = metered.account.clock.at
    for value, timestamp in ((1, at - HOUR), (2, at - 1), (4, at)):
        await metered.send(value=value, timestamp=timestamp)

    page = await metered.summaries(value_grouping_window="hour", end_time=at + 3 * HOUR)
    second = await metered.summaries(value_grouping_window="hour", starting_after=page["data"][0]["id"])

    windows = [(each["start_time"], each["end_time"], each["aggregated_value"]) for each in page["data"]]
    assert windows == [(at, at + HOUR, 4), (at - HOUR, at, 3)]
    assert [each["start_time"] for each in second["data"]] == [at - HOUR]


async def test_customers_and_meters_are_counted_apart(metered: Metered) -> None:
    mine, other = metered.customer, (await metered.account.post("/v1/customers"))["id"]
    await metered.send(value=1)
    metered.customer = other
    await metered.send(value=5)
    metered.customer = mine

    assert [await metered.counted("sum"), await metered.counted("count")] == [1, 0]


async def test_an_event_is_taken_back_within_a_day(metered: Metered) -> None:
    await metered.send(value=3, identifier="a")
    await metered.send(value=4, identifier="b")
    cancel = {"event_name": "sum", "type": "cancel", "cancel[identifier]": "a"}

    adjustment = await metered.account.post("/v1/billing/meter_event_adjustments", cancel)
    counted = await metered.counted()
    metered.account.clock.at += DAY + 1
    late = await metered.account.post(
        "/v1/billing/meter_event_adjustments", {**cancel, "cancel[identifier]": "b"}, status=400
    )
    unknown = await metered.account.post(
        "/v1/billing/meter_event_adjustments", {**cancel, "cancel[identifier]": "c"}, status=400
    )

    assert (adjustment["status"], adjustment["cancel"]) == ("complete", {"identifier": "a"})
    assert counted == 4
    assert late["error"]["param"] == unknown["error"]["param"] == "cancel[identifier]"


@pytest.mark.parametrize(
    ("change", "param"),
    [
        pytest.param({"event_name": "none"}, "event_name", id="no meter"),
        pytest.param({"payload[stripe_customer_id]": ""}, "payload[stripe_customer_id]", id="no customer"),
        pytest.param({"payload[stripe_customer_id]": "cus_x"}, "payload[stripe_customer_id]", id="unknown customer"),
        pytest.param({"payload[value]": "many"}, "payload[value]", id="no number"),
        pytest.param({"payload[value]": "NaN"}, "payload[value]", id="not a number"),
        pytest.param({"timestamp": 1_800_000_000 - 35 * DAY - 1}, "timestamp", id="too old"),
        pytest.param({"timestamp": 1_800_000_000 + 301}, "timestamp", id="ahead"),
    ],
)
async def test_a_wrong_event_is_refused(metered: Metered, change: dict[str, Any], param: str) -> None:
    body = await metered.send(status=400, **change)

    assert body["error"]["param"] == param
    assert await metered.counted() == 0


@pytest.mark.parametrize(
    ("change", "param"),
    [
        pytest.param({"start_time": 1_800_000_001}, "start_time", id="within a minute"),
        pytest.param({"start_time": 1_800_000_060, "value_grouping_window": "hour"}, "start_time", id="within an hour"),
        pytest.param({"end_time": 60}, "end_time", id="backwards"),
        pytest.param({"customer": ""}, "customer", id="nobody"),
    ],
)
async def test_a_wrong_range_is_refused(metered: Metered, change: dict[str, Any], param: str) -> None:
    body = await metered.summaries(status=400, **change)

    assert body["error"]["param"] == param
