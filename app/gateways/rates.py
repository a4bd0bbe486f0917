"""Rate limits of this process alone."""

from aiolimiter import AsyncLimiter


class LocalRates:
    """A limiter for each name, made when it is first asked for; see `RateLimits`."""

    def __init__(self) -> None:
        self._limiters: dict[str, AsyncLimiter] = {}

    async def acquire(self, name: str, *, per_s: float) -> None:
        """Return once one more request is allowed."""
        limiter = self._limiters.setdefault(name, AsyncLimiter(max(1, per_s), max(1, 1 / per_s)))
        await limiter.acquire()
