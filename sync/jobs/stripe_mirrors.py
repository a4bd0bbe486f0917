"""The job that reads Stripe's objects anew from what is stored of them, once our decoders read more out of it."""

import asyncio
from functools import partial
from typing import Final

from app.domain.errors import UnavailableError
from app.domain.stripe_object import StripeObject
from app.runtime import Runtime
from app.telemetry import logger
from sync.jobs.schedule import Job
from sync.stripe.batch import Batches
from sync.stripe.decode_facts import NORM_VERSION
from sync.stripe.readings import from_mirror

log = logger(__name__)

_EVERY_S: Final = 60
_MOST: Final = 200


def stripe_mirrors_job(rt: Runtime) -> Job:
    """Return the job for the schedule; of several replicas that run it, the last one finds nothing left."""
    return Job("stripe_mirrors", _EVERY_S, partial(read_anew, rt), lambda _: None)


async def read_anew(rt: Runtime, *, most: int = _MOST) -> int:
    """Read every mirror of an older version anew, and return how many; what changes has its usual consequences.

    It costs no request. While the database does not answer, the rest is left to the next turn.
    """
    batches, after, count = Batches(rt), "", 0
    try:
        while rt.cache.ready and (mirrors := await rt.store.outdated_mirrors(NORM_VERSION, after=after, most=most)):
            await asyncio.gather(*(_read(rt, batches, mirror) for mirror in mirrors))
            after, count = mirrors[-1].id, count + len(mirrors)
    except UnavailableError as error:
        log.warning("stripe mirrors not read anew", reason=error.message)
    if count:
        log.info("stripe mirrors read anew", count=count, version=NORM_VERSION)
    return count


async def _read(rt: Runtime, batches: Batches, mirror: StripeObject) -> None:
    try:
        (verdict,) = await batches.submit([from_mirror(mirror)])
    except UnavailableError:
        raise
    except Exception:  # a fault of ours with one object must not stop the others
        log.exception("stripe_object_failed", object=mirror.id)
        return
    if verdict.linked:
        await rt.inbox.release([verdict.linked])
