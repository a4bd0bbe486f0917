"""The time and new names."""

from typing import Protocol


class Clock(Protocol):
    """The time."""

    def now_at(self) -> int:
        """Return epoch milliseconds, UTC."""
        ...


class Ids(Protocol):
    """New names."""

    def new(self, prefix: str) -> str:
        """Return `prefix_` and a uuid7 in hexadecimal, ascending in time."""
        ...

    def secret(self) -> str:
        """Return 256 random bits, URL-safe."""
        ...
