"""Locks on files that the kernel releases when their holder ends, however it ends."""

import sys
from pathlib import Path
from typing import IO

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


def try_lock(path: Path) -> IO[str] | None:
    """Return the file, locked until it is closed; or None while somebody else holds the lock."""
    file = path.open("a+")
    try:
        if sys.platform == "win32":
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file
