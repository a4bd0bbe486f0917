"""The command line, run in this process."""

from collections.abc import Callable

import msgspec


class Ran(msgspec.Struct, frozen=True):
    """What came of a command line."""

    code: int
    out: str
    err: str


Command = Callable[..., Ran]
