"""The chaos dial: what goes wrong with deliveries, by seeded chance, so that the same events meet it again."""

import hashlib
from typing import Annotated, TypeAlias

import msgspec

from app.sandbox.stripe.errors import StripeError
from app.sandbox.stripe.forms import api_version
from app.sandbox.stripe.render import BASIL

Rate: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=1)]
Seconds: TypeAlias = Annotated[float, msgspec.Meta(ge=0, le=86_400)]


class Chaos(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Where the dial stands; what is not named is off.

    Rates go from 0 to 1, times are in seconds. `shuffle_seconds` gathers events for that long and sends them in random
    order; `delay_seconds` is a range; a dropped event is listed in /v1/events but never sent; one with the old secret
    is signed with `old_secret` at every attempt; `stopped` keeps everything back until it is false again.
    `seed` None keeps the one before.
    """

    seed: int | None = None
    shuffle_seconds: Seconds = 0
    duplicate_rate: Rate = 0
    delay_seconds: tuple[Seconds, Seconds] = (0, 0)
    drop_rate: Rate = 0
    old_shape_rate: Rate = 0
    old_api_version: str = "2025-02-24.acacia"
    old_secret_rate: Rate = 0
    old_secret: str = "whsec_old"  # noqa: S105 - signs nothing but a sandbox's webhooks
    stopped: bool = False

    def check(self) -> None:
        """Refuse a range that runs backwards and an old version that is not."""
        if self.delay_seconds[0] > self.delay_seconds[1]:
            raise StripeError("Name the shorter delay first: delaySeconds is [shortest, longest].")
        if api_version("oldApiVersion", self.old_api_version) >= BASIL:
            raise StripeError(f"oldApiVersion must be before {BASIL}, for instance 2025-02-24.acacia.")


class Fate(msgspec.Struct, frozen=True):
    """What becomes of one copy of an event on its way to one endpoint; `rank` orders what is shuffled."""

    delay_s: float = 0
    is_old_shape: bool = False
    is_old_secret: bool = False
    rank: float = 0


_UNHARMED = [Fate()]
_DONE = ("delayed", "dropped", "duplicated", "oldSecret", "oldShape")


class Dial:
    """Decides the fates of events, and counts what it has done since it was set."""

    def __init__(self, chaos: Chaos, *, seed: int = 0) -> None:
        self.chaos = msgspec.structs.replace(chaos, seed=seed if chaos.seed is None else chaos.seed)
        self.done = dict.fromkeys(_DONE, 0)
        self._is_off = self.chaos == Chaos(seed=self.chaos.seed, stopped=chaos.stopped)
        self._event = 0

    @property
    def seed(self) -> int:
        return self.chaos.seed or 0

    def decide(self, endpoints: int) -> list[list[Fate]]:
        """Return the fates of the next event: per endpoint one for each copy, none where it is lost.

        Every chance is drawn from the seed and the event's number alone: a turn of one knob moves no other's luck.
        """
        self._event += 1
        if self._is_off:
            return [_UNHARMED] * endpoints
        return [self._decide(endpoint) for endpoint in range(endpoints)]

    def _decide(self, endpoint: int) -> list[Fate]:
        if self._chance("drop", endpoint) < self.chaos.drop_rate:
            self.done["dropped"] += 1
            return []
        is_twice = self._chance("duplicate", endpoint) < self.chaos.duplicate_rate
        self.done["duplicated"] += is_twice
        return [self._fate(endpoint, copy) for copy in range(1 + is_twice)]

    def _fate(self, endpoint: int, copy: int) -> Fate:
        shortest, longest = self.chaos.delay_seconds
        fate = Fate(
            delay_s=shortest + (longest - shortest) * self._chance("delay", endpoint, copy),
            is_old_shape=self._chance("shape", endpoint) < self.chaos.old_shape_rate,
            is_old_secret=self._chance("secret", endpoint, copy) < self.chaos.old_secret_rate,
            rank=self._chance("shuffle", endpoint, copy),
        )
        self.done["delayed"] += fate.delay_s > 0
        self.done["oldShape"] += fate.is_old_shape
        self.done["oldSecret"] += fate.is_old_secret
        return fate

    def _chance(self, what: str, *where: int) -> float:
        """Return a number from 0 up to 1, the same for the same seed, event and place."""
        drawn = hashlib.blake2b(repr((self.seed, self._event, what, where)).encode(), digest_size=6).digest()
        return int.from_bytes(drawn, "big") / 2**48
