from typing import Any

import pytest
from sandbox.stripe_account import Account

CALLS = {"display_name": "Calls", "event_name": "calls", "default_aggregation[formula]": "sum"}


@pytest.fixture
async def meter(account: Account) -> Any:
    return await account.post("/v1/billing/meters", CALLS)


async def test_a_meter_says_how_its_events_are_read(account: Account, meter: Any) -> None:
    own = {"customer_mapping[type]": "by_id", "customer_mapping[event_payload_key]": "who"}
    other = await account.post(
        "/v1/billing/meters", {**CALLS, **own, "event_name": "b", "value_settings[event_payload_key]": "n"}
    )

    assert meter["customer_mapping"] == {"event_payload_key": "stripe_customer_id", "type": "by_id"}
    assert (meter["value_settings"], meter["status"]) == ({"event_payload_key": "value"}, "active")
    assert other["customer_mapping"]["event_payload_key"] == "who"
    assert other["value_settings"]["event_payload_key"] == "n"
    assert await account.get(f"/v1/billing/meters/{meter['id']}") == meter


async def test_its_life_is_told_by_events(account: Account, meter: Any) -> None:
    path = f"/v1/billing/meters/{meter['id']}"

    await account.post(path, {"display_name": "API calls"})
    off = await account.post(f"{path}/deactivate")
    on = await account.post(f"{path}/reactivate")

    event = (await account.get("/v1/events", {"type": "billing.meter.deactivated"}))["data"][0]
    assert (off["status"], off["status_transitions"]) == ("inactive", {"deactivated_at": account.clock.at})
    assert (on["status"], on["status_transitions"]) == ("active", {"deactivated_at": None})
    assert event["data"]["previous_attributes"]["status"] == "active"
    assert await account.event_types() == [
        f"billing.meter.{verb}" for verb in ("created", "updated", "deactivated", "reactivated")
    ]
    await account.post(f"{path}/reactivate", status=400)


async def test_one_active_meter_counts_an_event_name(account: Account, meter: Any) -> None:
    await account.post("/v1/billing/meters", CALLS, status=400)
    await account.post(f"/v1/billing/meters/{meter['id']}/deactivate")
    await account.post("/v1/billing/meters", CALLS)

    await account.post(f"/v1/billing/meters/{meter['id']}/reactivate", status=400)


async def test_meters_are_listed_by_status(account: Account, meter: Any) -> None:
    other = await account.post("/v1/billing/meters", {**CALLS, "event_name": "b"})
    await account.post(f"/v1/billing/meters/{other['id']}/deactivate")

    active = await account.get("/v1/billing/meters", {"status": "active"})

    assert [each["id"] for each in active["data"]] == [meter["id"]]
    assert active["url"] == "/v1/billing/meters"


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"display_name": ""}, "display_name"),
        ({"event_name": ""}, "event_name"),
        ({"default_aggregation[formula]": "median"}, "default_aggregation[formula]"),
        ({"default_aggregation[formula]": ""}, "default_aggregation[formula]"),
    ],
)
async def test_a_wrong_meter_is_refused(account: Account, change: dict[str, str], param: str) -> None:
    body = await account.post("/v1/billing/meters", {**CALLS, **change}, status=400)

    assert body["error"]["param"] == param


async def test_a_metered_price_names_an_active_meter(account: Account, meter: Any) -> None:
    metered = {"recurring[usage_type]": "metered"}
    price = await account.price(**metered, **{"recurring[meter]": meter["id"]})
    form = {"currency": "usd", "unit_amount": 1, "product": price["product"], "recurring[interval]": "month"}

    unknown = await account.post("/v1/prices", {**form, **metered, "recurring[meter]": "mtr_none"}, status=400)
    licensed = await account.post("/v1/prices", {**form, "recurring[meter]": meter["id"]}, status=400)
    await account.post(f"/v1/billing/meters/{meter['id']}/deactivate")
    inactive = await account.post("/v1/prices", {**form, **metered, "recurring[meter]": meter["id"]}, status=400)

    assert price["recurring"]["meter"] == meter["id"]
    assert unknown["error"]["param"] == inactive["error"]["param"] == "recurring[meter]"
    assert licensed["error"]["param"] == "recurring[usage_type]"
