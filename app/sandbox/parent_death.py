"""Processes that end when the process that started them does, however that one ends (Linux only)."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def end_with_parent(parent_pid: int) -> Callable[[], None]:
    """Return what a child calls, after the fork, so that SIGTERM reaches it when `parent_pid` ends.

    Linux sends the signal when the *thread* that forked ends, so fork from a thread that lives as long as the process:
    the main thread. Elsewhere the call does nothing.
    """
    if sys.platform != "linux":
        return lambda: None
    # Loaded before the fork: the child of a process with threads must not take the loader's lock.
    libc = ctypes.CDLL(None, use_errno=True)

    def ask_the_kernel() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent_pid:  # it ended before we asked
            os._exit(1)

    return ask_the_kernel
