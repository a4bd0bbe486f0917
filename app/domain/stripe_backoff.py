"""How Stripe's API answers all processes together, and how long it is left alone: pure, the store keeps it."""

from typing import Final

import msgspec

from app.domain.change import Instant
from app.domain.sync_status import StripeBackoff

LONGEST_PAUSE_MS: Final = 60_000
"""How long the API is left alone at most, unless it asks for more."""
LONGEST_ASKED_MS: Final = 600_000
"""How long it is left alone at most, whatever it asks for."""
FAILURES_OF_THE_API: Final = 3
"""So many in a row, of whatever objects and processes, are the API's own: fewer may be an object's."""

_FIRST_PAUSE_MS: Final = 1_000
_MOST_DOUBLINGS: Final = 10
_TRIAL_MS: Final = 30_000  # longer than a request takes; who has died in the middle of one holds the others up so long
_REASON_LENGTH: Final = 500


class ApiState(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`failures` in a row, and until when the API is left alone.

    While it fails, one process at a time tries it, until `tried_until_at`. `trouble` says why it cannot be asked, or
    what it refuses.
    """

    failures: int = 0
    paused_until_at: Instant = 0
    tried_until_at: Instant = 0
    trouble: str | None = None

    @property
    def is_failing(self) -> bool:
        """Whether the API fails, not an object."""
        return self.failures >= FAILURES_OF_THE_API

    def left_alone_ms(self, now_at: Instant) -> int:
        """Return how long nobody is to ask; 0 where somebody may, and while it fails, that is one request at a time."""
        until_at = max(self.paused_until_at, self.tried_until_at if self.is_failing else 0)
        # What lies further ahead was noted by a clock that was wrong.
        return left_ms if 0 < (left_ms := until_at - now_at) <= LONGEST_ASKED_MS else 0

    def backoff(self, now_at: Instant) -> StripeBackoff | None:
        """Return until when nobody asks, and why; None where somebody may, or tries."""
        if not 0 < self.paused_until_at - now_at <= LONGEST_ASKED_MS:
            return None
        return StripeBackoff(self.paused_until_at, self.trouble or "")


def after_trial(state: ApiState, at: Instant) -> ApiState:
    """Return the state in which one process tries the failing API."""
    return msgspec.structs.replace(state, tried_until_at=at + _TRIAL_MS)


def after_failure(
    state: ApiState, reason: str, *, at: Instant, asked_s: float, slow_down: bool, jitter: float
) -> ApiState:
    """Return the state after no answer, or a bad one; with `slow_down` it was too many requests.

    `asked_s` is what the answer asked to wait, 0 where it did not, `jitter` a random number in [0, 1). The pauses grow,
    and there is none before so many failures that no object can be at fault.
    """
    failures = state.failures + 1
    growing_ms = min(_FIRST_PAUSE_MS * 2 ** min(failures, _MOST_DOUBLINGS), LONGEST_PAUSE_MS) * (0.5 + jitter / 2)
    own_ms = growing_ms if slow_down or failures >= FAILURES_OF_THE_API else 0
    wait_ms = int(max(own_ms, min(asked_s * 1000, LONGEST_ASKED_MS)))
    paused_until_at = at + max(wait_ms, ApiState(paused_until_at=state.paused_until_at).left_alone_ms(at))
    return ApiState(failures=failures, paused_until_at=paused_until_at, trouble=reason[:_REASON_LENGTH])


def after_refusal(reason: str) -> ApiState:
    """Return the state after the API understood and refused: it answers, and somebody has to mend something."""
    return ApiState(trouble=reason[:_REASON_LENGTH])


def after_answer() -> ApiState:
    """Return the state in which all is well."""
    return ApiState()
