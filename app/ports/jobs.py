"""What long jobs remember: how far they are, and who works on them."""

from typing import Protocol, TypeVar

import msgspec

S = TypeVar("S", bound=msgspec.Struct)


class JobStates(Protocol):
    """One state for each job by its name, shared by all replicas. Every call has a deadline."""

    async def read(self, name: str, type: type[S]) -> tuple[S | None, int]:
        """Return the state and its revision; None and 0 where nothing was ever written."""
        ...

    async def write(self, name: str, state: msgspec.Struct, *, revision: int) -> bool:
        """Replace the state that had this revision; False where another one is stored, and nothing was written."""
        ...

    async def lease(self, name: str, token: str, *, until_at: int) -> bool:
        """Take the job, or hold on to it, until then; False while another token holds it.

        It says who should work. Who has worked, `write` decides: so a lease that ended too early does no harm.
        """
        ...

    async def give_up(self, name: str, token: str) -> None:
        """End the lease, where it is ours."""
        ...
