"""The bell of a worker: rung where there is work; without it, the worker looks every so often all the same."""

import asyncio

from sync.cancellation import obey_cancellation


class Bell:
    """Remembers that it was rung, until it is silenced."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Tell that there may be work."""
        self._rung.set()

    def silence(self) -> None:
        """Forget what was rung: call it before looking, so that a ring in the meantime is heard afterwards."""
        self._rung.clear()

    async def wait(self, at_most_s: float) -> None:
        """Return once it is rung, at the latest after `at_most_s`. Once a turn, so a lost cancellation is obeyed."""
        obey_cancellation()
        try:
            async with asyncio.timeout(at_most_s):
                await self._rung.wait()
        except TimeoutError:
            return
