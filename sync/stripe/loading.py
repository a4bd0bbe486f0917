"""Every record that readings may change or be linked by, as the store has them: what they are decided on."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Final

import msgspec

from app.domain import ids
from app.domain.change import Kind, Record
from app.domain.errors import UnavailableError
from app.domain.stripe_facts import ActiveEntitlementsFacts, CheckoutSessionFacts, CustomerFacts, InvoiceFacts
from app.domain.stripe_object import ENTITLEMENTS, StripeObject, customer_of_entitlements
from app.domain.subscription import PAST_DUE
from app.domain.workspace import Workspace
from app.runtime import Runtime
from app.services.loading import find_workspaces
from sync.stripe.decode import decode_links
from sync.stripe.decode_facts import decode_facts
from sync.stripe.entitlements import Entitled
from sync.stripe.purchases import bought
from sync.stripe.readings import Reading
from sync.stripe.view import View
from sync.stripe.wire import DecodeError

_LINKED_TYPES: Final = frozenset({"customer", "subscription", "checkout.session"})
_NAMING_TYPES: Final = frozenset({"invoice", ENTITLEMENTS})


class _Names(msgspec.Struct, gc=False):
    """What the readings name: `linking` are the customers that may be linked anew, `owing` subscriptions with debts."""

    customers: set[str]
    linking: set[str]
    refs: set[str]
    subs: set[str]
    owing: set[str]
    entitled: list[ActiveEntitlementsFacts]
    checkouts: list[tuple[str, CheckoutSessionFacts]]


async def load_view(rt: Runtime, readings: Sequence[Reading]) -> View:
    """Load all that the readings are decided on. Raises `UnavailableError` while RAM does not know the catalogue."""
    names = _Names(set(), set(), set(), set(), set(), [], [])
    for reading in readings:
        with suppress(DecodeError):  # of what cannot be read nothing will be changed
            _note(names, reading)
    if names.checkouts and not rt.cache.ready:
        raise UnavailableError("what checkouts bought is decided once the catalogue is loaded")
    mirrors = await rt.store.read(Kind.STRIPE_OBJECT, {*(reading.id for reading in readings), *names.customers})
    checkouts = await rt.store.naming_checkouts(names.linking) if names.linking else []
    linking = [mirror for id, mirror in mirrors.items() if id in names.linking]  # noqa: A001 - the word
    decided = {mirror.id for mirror in linking if isinstance(mirror, StripeObject) and mirror.linked_to}
    homeless = names.linking - decided if rt.creates_workspaces else set[str]()  # one may be named by their ids
    refs = await find_workspaces(rt, {*names.refs, *_refs_of(checkouts), *_refs_of(linking), *homeless})
    claims = {cus: owner for cus in names.customers if (owner := rt.cache.workspace_of_customer(cus))}
    workspaces = await _read(rt, Kind.WORKSPACE, _workspaces_of(names.linking, refs.values(), mirrors.values()))
    rivals = {one.stripe_customer_id for one in workspaces.values() if isinstance(one, Workspace)} - {None}
    found = (
        checkouts,
        mirrors.values(),
        workspaces.values(),
        await rt.store.customers_of(workspaces) if workspaces else [],
        (await _read(rt, Kind.STRIPE_OBJECT, {rival for rival in rivals if rival} - mirrors.keys())).values(),
        (await _read(rt, Kind.SUBSCRIPTION, names.subs)).values(),
        await rt.store.owed_invoices(names.owing) if names.owing else [],
        (await _read(rt, Kind.GRANT, set(_grants_of(rt, names, mirrors, claims)))).values(),
    )
    fresh_ids = {customer_id: rt.ids.new(ids.WORKSPACE) for customer_id in homeless}
    return View((record for some in found for record in some), refs, claims, rt.cache.catalogue(), fresh_ids)


def _note(names: _Names, reading: Reading) -> None:
    """Add what a reading names. Raises `DecodeError`."""
    if reading.type == "subscription":
        names.subs.add(reading.id)
    if reading.type == "customer":
        names.linking.add(reading.id)
    if reading.type == ENTITLEMENTS:
        names.customers.add(customer_of_entitlements(reading.id))
    if reading.gone:
        return
    if reading.type in _LINKED_TYPES:
        _note_links(names, reading)
    facts = decode_facts(reading.type, reading.raw) if reading.type in _NAMING_TYPES else None
    if isinstance(facts, InvoiceFacts) and facts.subscription_id:
        names.subs.add(facts.subscription_id)
        names.owing.add(facts.subscription_id)
    if isinstance(facts, ActiveEntitlementsFacts):
        names.entitled.append(facts)


def _note_links(names: _Names, reading: Reading) -> None:
    links = decode_links(reading.raw)
    if links.workspace_ref:
        names.refs.add(links.workspace_ref)
    if links.customer_id:
        names.customers.add(links.customer_id)
    if reading.type == "subscription" and links.status in PAST_DUE:
        names.owing.add(reading.id)
    if reading.type == "checkout.session":
        facts = decode_facts(reading.type, reading.raw)
        if isinstance(facts, CheckoutSessionFacts) and facts.status == "complete":
            names.checkouts.append((reading.id, facts))
            if facts.workspace_ref and facts.customer_id:
                names.linking.add(facts.customer_id)


def _refs_of(mirrors: Iterable[Record]) -> Iterator[str]:
    for mirror in mirrors:
        facts = mirror.facts if isinstance(mirror, StripeObject) else None
        if isinstance(facts, CheckoutSessionFacts | CustomerFacts) and facts.workspace_ref:
            yield facts.workspace_ref


def _workspaces_of(linking: Collection[str], refs: Iterable[str], mirrors: Iterable[Record]) -> set[str]:
    """Return the workspaces whose link to a customer may change: those named now, and those linked before."""
    if not linking:
        return set()
    own = [mirror for mirror in mirrors if isinstance(mirror, StripeObject) and mirror.id in linking]
    before = {name for mirror in own for name in (mirror.workspace_id, mirror.linked_to) if name}
    return {*refs, *before}


def _grants_of(rt: Runtime, names: _Names, mirrors: Mapping[str, Record], claims: Mapping[str, str]) -> Iterator[str]:
    """Yield the ids of the grants that there are, or will be, because of checkouts and entitlements."""
    for session_id, session in names.checkouts:
        yield from (grant.id for grant in bought(session_id, session, "", rt.cache.catalogue(), 0))
    known = [mirror for mirror in mirrors.values() if isinstance(mirror, StripeObject)]
    summaries = [mirror.facts for mirror in known if isinstance(mirror.facts, ActiveEntitlementsFacts)]
    owners = {*claims.values(), *(mirror.workspace_id for mirror in known if mirror.workspace_id)}
    for facts in (*names.entitled, *summaries):
        for owner in owners:
            yield from Entitled(owner, facts).grant_ids().values()


async def _read(rt: Runtime, kind: Kind, wanted: Collection[str]) -> dict[str, Record]:
    return await rt.store.read(kind, wanted) if wanted else {}
