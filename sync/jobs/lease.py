"""What workers that share a job over all replicas have in common: they begin once RAM is there, and one works."""

from typing import Final

from app.cache.cache import BillingCache
from app.cache.feed import SYNC_TOPIC
from app.runtime import Runtime

_LEASE_MS: Final = 20_000  # longer than a step takes; where one takes longer, a replica does it too, which is safe


async def until_loaded(cache: BillingCache) -> None:
    """Return once RAM is loaded and live."""
    with cache.feed.subscribe(SYNC_TOPIC) as changes:
        while not cache.ready:
            await changes.wait(None)


class JobLease:
    """This worker's hold on a job, which ends by itself where the process dies; see `ports.JobStates`."""

    def __init__(self, rt: Runtime, job: str) -> None:
        self._rt = rt
        self._job = job
        self._token = rt.ids.secret()

    async def hold(self) -> bool:
        """Take the job, or hold on to it; False while another replica holds it."""
        return await self._rt.jobs.lease(self._job, self._token, until_at=self._rt.clock.now_at() + _LEASE_MS)

    async def give_up(self) -> None:
        """Leave the job to others."""
        await self._rt.jobs.give_up(self._job, self._token)
