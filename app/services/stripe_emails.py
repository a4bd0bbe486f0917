"""Link customers to workspaces by e-mail addresses that are unique on both sides."""

import asyncio
from collections.abc import Sequence
from typing import Final

import msgspec

from app.domain.api_key import Principal
from app.domain.change import Kind, Record
from app.domain.faults import idempotency_key_faults, refuse
from app.domain.stripe_email import (
    CustomerContact,
    EmailAmbiguity,
    EmailMatches,
    WorkspaceContact,
    match_by_email,
)
from app.domain.stripe_link import Linking, LinkOutcome
from app.domain.workspace import Workspace
from app.runtime import Runtime
from app.services.idempotency import once
from app.services.stripe_links import MOST_LINKS, link_batch

OPERATION: Final = "linkStripeCustomersByEmail"
MOST_NAMED: Final = 100
"""How many ambiguous addresses an answer names; the report lists them all."""

_LONGEST_MS: Final = 20_000  # of one request: the next one finds what is left
_TURN: Final = 1_000  # workspaces read at a stretch, while nobody else is served


class LinkByEmailInput(msgspec.Struct, frozen=True, kw_only=True):
    idempotency_key: str
    dry_run: bool = False


class LinkedByEmail(msgspec.Struct, frozen=True, kw_only=True):
    """How many were linked, or in a dry run would be; `left` could be and were not reached.

    `ambiguous` addresses are never guessed at, the first of them are in `ambiguities`. `refused` are customers whose
    records changed meanwhile.
    """

    linked: int
    ambiguous: int
    unmatched: int
    left: int = 0
    refused: tuple[Linking, ...] = ()
    ambiguities: tuple[EmailAmbiguity, ...] = ()
    replayed: bool = False


async def link_by_email(rt: Runtime, principal: Principal, input: LinkByEmailInput) -> LinkedByEmail:
    """Link every unlinked customer whose address one workspace and no other customer has.

    Works for up to 20 s; what is `left` is for another request. Doing it again finds what is linked already.
    """
    refuse(idempotency_key_faults(input.idempotency_key))
    if input.dry_run:
        matches = await find_matches(rt)
        return _told(matches, linked=len(matches.links))
    done: list[LinkedByEmail] = []

    async def decide() -> Sequence[Record]:
        done.append(await _link(rt, principal, await find_matches(rt)))
        return ()

    def answer() -> str:
        return msgspec.json.encode(done[-1]).decode()

    told = await once(rt, principal, OPERATION, input.idempotency_key, input, decide, answer=answer)
    return msgspec.structs.replace(msgspec.json.decode(told.answer, type=LinkedByEmail), replayed=told.replayed)


async def find_matches(rt: Runtime) -> EmailMatches:
    """Compare every customer that exists with every workspace that is in use. Takes seconds for 100,000 of each."""
    customers: list[CustomerContact] = []
    async for batch in rt.store.customer_contacts():
        customers += batch
    workspaces = await _workspaces(rt)
    return await asyncio.to_thread(match_by_email, customers, workspaces)


async def _workspaces(rt: Runtime) -> list[WorkspaceContact]:
    found: list[WorkspaceContact] = []
    for number, workspace_id in enumerate(rt.cache.ids(Kind.WORKSPACE)):
        held = rt.cache.held(Kind.WORKSPACE, workspace_id)
        if isinstance(held, Workspace) and held.archived_at is None and held.email:
            found.append(WorkspaceContact(id=held.id, email=held.email, customer_id=held.stripe_customer_id))
        if number % _TURN == _TURN - 1:
            await asyncio.sleep(0)
    return found


async def _link(rt: Runtime, principal: Principal, matches: EmailMatches) -> LinkedByEmail:
    clock = asyncio.get_running_loop().time
    deadline = clock() + _LONGEST_MS / 1000
    linked, reached, refused = 0, 0, list[Linking]()
    while reached < len(matches.links) and clock() < deadline:
        batch = matches.links[reached : reached + MOST_LINKS]
        linkings = await link_batch(rt, principal, OPERATION, batch)
        refused += [linking for linking in linkings if linking.is_wrong]
        linked += sum(linking.outcome is LinkOutcome.LINKED for linking in linkings)
        reached += len(batch)
    told = _told(matches, linked=linked)
    return msgspec.structs.replace(told, left=len(matches.links) - reached, refused=tuple(refused[:MOST_NAMED]))


def _told(matches: EmailMatches, *, linked: int) -> LinkedByEmail:
    return LinkedByEmail(
        linked=linked,
        ambiguous=len(matches.ambiguities),
        unmatched=matches.unmatched,
        ambiguities=matches.ambiguities[:MOST_NAMED],
    )
