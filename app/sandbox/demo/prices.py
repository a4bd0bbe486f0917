"""The demo's prices at Stripe; `catalog.toml` says which plan each of them buys."""

from typing import Final

PRICES: Final[dict[str, tuple[str, int]]] = {
    # lookup key: (interval, amount in cents)
    "hobby_monthly": ("month", 500),
    "starter_monthly": ("month", 900),
    "pro_monthly": ("month", 4_900),
    "pro_yearly": ("year", 49_000),
    "team_monthly": ("month", 9_900),
    "enterprise_monthly": ("month", 99_900),
    "seats_pack_monthly": ("month", 1_500),
    "legacy_monthly": ("month", 1_900),  # no plan names it
}
