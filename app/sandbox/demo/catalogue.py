"""The demo's features, plans and prices, as the API takes them."""

from typing import Any, Final

FREE_PLAN: Final = "free"

Input = dict[str, Any]

FEATURES: Final[tuple[Input, ...]] = (
    {"key": "api_calls", "name": "API calls", "type": "METERED", "meterType": "INCREMENTAL", "unit": "call"},
    {"key": "seats", "name": "Seats", "type": "METERED", "meterType": "FLUCTUATING", "unit": "seat"},
    {"key": "storage_gb", "name": "Storage", "type": "METERED", "meterType": "FLUCTUATING", "unit": "GB"},
    {"key": "sso", "name": "Single sign-on", "type": "BOOLEAN"},
    {"key": "audit_log", "name": "Audit log", "type": "BOOLEAN"},
    {"key": "retention_days", "name": "Days of history", "type": "CONFIG", "valueType": "INTEGER"},
    {
        "key": "regions",
        "name": "Regions",
        "type": "CONFIG",
        "valueType": "ENUM",
        "enumValues": ["eu", "us", "ap"],
    },
)


def _limit(key: str, limit: int, *, resets: str = "NEVER", behavior: str = "HARD") -> Input:
    return {"featureKey": key, "limit": str(limit), "limitBehavior": behavior, "resetPeriod": resets}


def _unlimited(key: str) -> Input:
    return {"featureKey": key, "limitBehavior": "UNLIMITED"}


def _value(key: str, value: int | list[str]) -> Input:
    return {"featureKey": key, "value": value}


def _on(key: str) -> Input:
    return {"featureKey": key}


PLANS: Final[tuple[Input, ...]] = (
    {
        "key": FREE_PLAN,
        "name": "Free",
        "prices": [],
        "features": [_limit("seats", 2), _value("retention_days", 7)],
    },
    {
        "key": "starter",
        "name": "Starter",
        "prices": [{"lookupKey": "starter_monthly"}],
        "features": [
            _limit("api_calls", 1_000, resets="MONTH"),
            _limit("seats", 5),
            _limit("storage_gb", 10, behavior="SOFT"),
            _value("retention_days", 30),
            _value("regions", ["eu"]),
        ],
    },
    {
        "key": "pro",
        "name": "Pro",
        "prices": [{"lookupKey": "pro_monthly"}, {"lookupKey": "pro_yearly"}],
        "features": [
            _limit("api_calls", 10_000, resets="BILLING_CYCLE"),
            _limit("seats", 25),
            _limit("storage_gb", 100, behavior="OVERAGE"),
            _on("sso"),
            _value("retention_days", 90),
            _value("regions", ["eu", "us"]),
        ],
    },
    {
        "key": "team",
        "name": "Team",
        "prices": [{"lookupKey": "team_monthly"}],
        "features": [
            _limit("api_calls", 5_000, resets="MONTH"),
            _limit("api_calls", 500, resets="DAY"),
            _limit("seats", 15),
            _on("sso"),
            _value("retention_days", 60),
        ],
        "grace": {"days": 14, "access": "READ_ONLY"},
        "pausedAccess": "READ_ONLY",
    },
    {
        "key": "enterprise",
        "name": "Enterprise",
        "prices": [{"lookupKey": "enterprise_monthly"}],
        "features": [
            _unlimited("api_calls"),
            _unlimited("seats"),
            _unlimited("storage_gb"),
            _on("sso"),
            _on("audit_log"),
            _value("retention_days", 3650),
            _value("regions", ["eu", "us", "ap"]),
        ],
    },
)

PRICES: Final[dict[str, tuple[str, int]]] = {
    # lookup key: (interval, amount in cents)
    "starter_monthly": ("month", 900),
    "pro_monthly": ("month", 4_900),
    "pro_yearly": ("year", 49_000),
    "team_monthly": ("month", 9_900),
    "enterprise_monthly": ("month", 99_900),
    "legacy_monthly": ("month", 1_900),  # no plan names it
}
