"""A first file from what is sold at Stripe."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from app.domain.catalogue_rules import TRIAL_DAYS_MAX
from app.domain.faults import INPUT, NAME_MAX, text_faults
from app.domain.plan import Catalogue, Feature, FeatureType, Plan, PlanFeature, PlanPrice
from app.domain.stripe_catalogue import StripeCatalogue, StripeFeature, StripePrice, StripeProduct
from app.runtime import Runtime
from app.services.catalogue.export import blocks
from app.services.catalogue.writing import comment
from app.services.stripe_access import asking_stripe, require_stripe

_KEY_MAX: Final = 64
_PLAN_KEY: Final = "plan_key"
"""The name in a product's metadata by which it tells its plan's key."""
_INTERVAL: Final = re.compile(
    r"_(?:daily|weekly|monthly|quarterly|yearly|annual|annually|day|week|month|quarter|year)$"
)
_HEAD: Final = (
    "A first catalogue, from the products, prices and entitlement features at Stripe.",
    "Stripe tells which features a product has, and no limits: look at each plan, and add what it limits.",
    "What the catalogue has already is not among it.",
    "Then: entitled catalog diff FILE, entitled catalog apply FILE.",
)


async def import_from_stripe(rt: Runtime) -> str:
    """Return the text of a file that names what is sold at Stripe and not yet in the catalogue.

    Raises `StripeRefusedError` and `UnavailableError`.
    """
    source = require_stripe(rt)
    with asking_stripe():
        found = await source.catalogue()
    return stripe_file(found, rt.cache.catalogue())


def stripe_file(found: StripeCatalogue, catalogue: Catalogue) -> str:
    """Write what was found as a file that applies to the catalogue; what it cannot express stands in comments.

    What the catalogue has already is left out: a file that named it would take away what Stripe does not know of.
    """
    features = _features(found.features, catalogue)
    parts = ["".join(f"{comment(line)}\n" for line in _HEAD)]
    new = (feature for feature in features.values() if feature.key not in catalogue.features)
    parts += [block for feature in new for block in blocks(feature)]
    taken = {plan.key for plan in catalogue.plans()}
    holders = {name: plan for plan in catalogue.plans() for name in plan.price_names}
    priced: dict[str, list[StripePrice]] = {}
    for price in sorted(found.prices, key=lambda price: (not price.active, price.id)):
        priced.setdefault(price.product, []).append(price)
    for product in sorted(found.products, key=lambda product: (product.name, product.id)):
        prices = priced.get(product.id, [])
        if problem := _problem(product, prices, holders) or _key_problem(product, _recurring(prices), catalogue):
            parts.append(f"{comment(f'{product.id}, {product.name[:NAME_MAX]}: {problem}')}\n")
            continue
        given = [features[feature] for feature in found.given.get(product.id, ()) if feature in features]
        plan = _plan(product, _recurring(prices), given, taken)
        parts += blocks(plan, tuple(_notes(product, prices)))
    return "\n".join(parts)


def _features(found: Iterable[StripeFeature], catalogue: Catalogue) -> dict[str, Feature]:
    """Return a feature by the id of each of Stripe's: the catalogue's of the same key, or else a new one."""
    features: dict[str, Feature] = {}
    taken = set(catalogue.features)
    for feature in sorted(found, key=lambda feature: (feature.lookup_key, feature.id)):
        held = catalogue.features.get(_slug(feature.lookup_key))
        if held is not None and held.type is FeatureType.BOOLEAN and held.archived_at is None:
            features[feature.id] = held
        else:
            key = _free_key(feature.lookup_key, taken)
            features[feature.id] = Feature(id="", key=key, name=_name(feature.name, key), type=FeatureType.BOOLEAN)
    return features


def _problem(product: StripeProduct, prices: Sequence[StripePrice], holders: Mapping[str, Plan]) -> str | None:
    """Say why the product becomes no plan."""
    if not product.active:
        return "archived at Stripe, so no plan; who still pays for it is told of by syncStatus"
    if not _recurring(prices):
        return "has no recurring price, so it is no plan"
    names = (name for price in prices for name in (price.lookup_key, price.id) if name)
    held = {name: holders[name].key for name in names if name in holders}
    if not held:
        return None
    others = [price.id for price in _recurring(prices) if price.id not in held and price.lookup_key not in held]
    more = f"; it does not name {', '.join(others)}" if others else ""
    return f"bought as {' and '.join(sorted(set(held.values())))}, which the catalogue has already{more}"


def _key_problem(product: StripeProduct, prices: Sequence[StripePrice], catalogue: Catalogue) -> str | None:
    """Say which plan or add-on of the catalogue the product seems to be, although that names none of its prices."""
    held = catalogue.plan(_slug(_wanted_key(product, prices)))
    if held is None:
        return None
    names = ", ".join(price.id for price in prices)
    return (
        f"seems to be the {held.kind.noun} {held.key}, which the catalogue has already; name {names} there, or give "
        f"the product a {_PLAN_KEY} of its own"
    )


def _recurring(prices: Iterable[StripePrice]) -> list[StripePrice]:
    return [price for price in prices if price.recurring]


def _plan(product: StripeProduct, prices: Sequence[StripePrice], given: Iterable[Feature], taken: set[str]) -> Plan:
    plan = Plan(
        id="",
        key=_free_key(_wanted_key(product, prices), taken),
        plan_version=1,
        name="",
        published_at=0,
        prices=tuple(map(_price, prices)),
        features=tuple(PlanFeature(feature_key=key) for key in sorted({feature.key for feature in given})),
    )
    days = [price.recurring.trial_period_days for price in prices if price.active and price.recurring]
    trial_days = max((day for day in days if day), default=plan.trial_days)
    return msgspec.structs.replace(plan, name=_name(product.name, plan.key), trial_days=min(trial_days, TRIAL_DAYS_MAX))


def _price(price: StripePrice) -> PlanPrice:
    """Name the price by its lookup key, where it is the one that has it: keys move on to newer prices."""
    key = price.lookup_key if price.active else None
    is_name = key is not None and not tuple(text_faults(INPUT, key))
    return PlanPrice(lookup_key=key) if is_name else PlanPrice(stripe_price_id=price.id)


def _notes(product: StripeProduct, prices: Iterable[StripePrice]) -> Iterator[str]:
    yield f"{product.id} at Stripe."
    for price in prices:
        if price.recurring is None:
            yield f"{price.id} is paid once and buys no plan."
        elif not price.active:
            yield f"{price.id} is archived at Stripe, and named for those who still pay it."


def _wanted_key(product: StripeProduct, prices: Sequence[StripePrice]) -> str:
    """Return what the product says in its metadata, or what its lookup keys have in common, or its name."""
    if said := product.metadata.get(_PLAN_KEY):
        return said
    stems = {_INTERVAL.sub("", price.lookup_key) for price in prices if price.active and price.lookup_key}
    return stems.pop() if len(stems) == 1 else product.name


def _slug(text: str) -> str:
    """Return the key that looks most like the text."""
    slug = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    return (slug if slug[:1].isalpha() else f"k_{slug}".rstrip("_"))[:_KEY_MAX]


def _free_key(text: str, taken: set[str]) -> str:
    """Return a key that looks like the text and that nothing has yet."""
    key = slug = _slug(text)
    number = 1
    while key in taken:
        number += 1
        key = f"{slug[: _KEY_MAX - len(str(number)) - 1]}_{number}"
    taken.add(key)
    return key


def _name(text: str, key: str) -> str:
    return text.replace("\x00", "").strip()[:NAME_MAX] or key
