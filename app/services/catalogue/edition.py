"""The one way to write the catalogue: decided on the edition that the store has, committed only while it is that."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from app.domain.api_key import Principal
from app.domain.change import Kind, Record
from app.domain.errors import UnavailableError
from app.domain.plan import Catalogue, Edition
from app.runtime import Runtime
from app.services.idempotency import Once
from app.services.loading import refresh_catalogue
from app.services.result import Keyed, until_settled

_ID: Final = "catalogue"
_TURN_S: Final = 30
_CONFLICTS_MAX: Final = 20  # of two replicas that both go on writing, each loses every other time

DecideOnCatalogue = Callable[[Catalogue], Awaitable[Sequence[Record]]]
"""Return the features, plans and whatever else is to be written, which may be nothing."""


async def write_catalogue(
    rt: Runtime,
    principal: Principal,
    operation: str,
    input: Keyed,
    decide: DecideOnCatalogue,
    *,
    answer: Callable[[], str] = str,
) -> Once:
    """Decide and commit once per idempotency key, as `until_settled` does, on a catalogue that nobody changed since.

    Within the process one writes at a time. Another replica that came first has raised the edition: then the commit
    conflicts, and it is decided again on what that replica wrote. Another client of the database raises no edition;
    what it writes in that moment is not seen. Raises what `until_settled` does.
    """

    async def decide_on_edition(_conflicts: int) -> Sequence[Record]:
        # In this order: the catalogue may be newer than its edition, and then the commit conflicts; never older.
        edition = await _load_edition(rt)
        await refresh_catalogue(rt)
        records = await decide(rt.cache.catalogue())
        return (*records, edition) if records else ()

    async with _turn(rt):
        return await until_settled(
            rt, principal, operation, input, decide_on_edition, answer=answer, conflicts_max=_CONFLICTS_MAX
        )


async def _load_edition(rt: Runtime) -> Record:
    found = await rt.store.read(Kind.EDITION, (_ID,))
    return found.get(_ID) or Edition(id=_ID)


@asynccontextmanager
async def _turn(rt: Runtime) -> AsyncGenerator[None]:
    try:
        async with asyncio.timeout(_TURN_S):
            await rt.catalogue_turn.acquire()
    except TimeoutError:
        raise UnavailableError("other changes of the catalogue take too long; retry with the same key") from None
    try:
        yield
    finally:
        rt.catalogue_turn.release()
