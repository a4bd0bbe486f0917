"""What Stripe knows of a catalogue: products, their prices, and entitlement features."""

from collections.abc import Mapping

import msgspec


class StripeProduct(msgspec.Struct, frozen=True, kw_only=True):
    """Something sold. `active` where it is still offered."""

    id: str
    name: str
    active: bool = True
    metadata: dict[str, str] = {}


class StripeRecurring(msgspec.Struct, frozen=True, kw_only=True):
    """How often a price is paid."""

    trial_period_days: int | None = None


class StripePrice(msgspec.Struct, frozen=True, kw_only=True):
    """A price of a product; `recurring` is None where it is paid once."""

    id: str
    product: str
    active: bool = True
    lookup_key: str | None = None
    recurring: StripeRecurring | None = None


class StripeFeature(msgspec.Struct, frozen=True, kw_only=True):
    """A feature that a customer has or has not. `lookup_key` is unique."""

    id: str
    lookup_key: str
    name: str


class StripeCatalogue(msgspec.Struct, frozen=True):
    """Everything at once. `given` are the ids of the features that a product, by its id, comes with."""

    products: tuple[StripeProduct, ...]
    prices: tuple[StripePrice, ...]
    features: tuple[StripeFeature, ...]
    given: Mapping[str, tuple[str, ...]]
