import asyncio

import pytest

from sync.bell import Bell

SOON_S = 5
NEVER_S = 3600


async def test_a_ring_ends_the_wait_also_one_from_before() -> None:
    bell = Bell()
    bell.ring()

    async with asyncio.timeout(SOON_S):
        await bell.wait(NEVER_S)
        bell.silence()
        waiting = asyncio.create_task(bell.wait(NEVER_S))
        await asyncio.sleep(0)
        assert not waiting.done()
        bell.ring()
        await waiting


async def test_nobody_waits_for_ever() -> None:
    async with asyncio.timeout(SOON_S):
        await Bell().wait(0.001)


async def test_a_cancellation_that_was_lost_is_obeyed() -> None:
    async def deaf() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await Bell().wait(0)  # as if the driver had dropped it

    task = asyncio.create_task(deaf())
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
