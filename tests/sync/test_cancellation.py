"""A task that was told to end, and had that eaten on the way, ends at its next turn."""

import asyncio

import pytest

from sync.cancellation import obey_cancellation


async def test_a_lost_cancellation_is_obeyed_at_the_next_turn() -> None:
    turns = 0

    async def work() -> None:
        nonlocal turns
        while True:
            obey_cancellation()
            turns += 1
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                continue  # as the driver does, now and then

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 5)
    assert turns == 1


async def test_a_task_that_was_not_cancelled_goes_on() -> None:
    obey_cancellation()
