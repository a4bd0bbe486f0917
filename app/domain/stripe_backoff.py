"""How Stripe's API answers all processes together, and how long it is left alone: pure, the store keeps it."""

from typing import Final

import msgspec

from app.domain.change import Instant
from app.domain.sync_status import StripeBackoff

EVERYTHING: Final = "*"
"""Stands for every type."""
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
    """How the API answers to what is asked of one `type`: `failures` in a row, and until when it is left alone.

    While it fails, one process at a time tries it, until `tried_until_at`. `trouble` says why it cannot be asked, or
    what it refuses.
    """

    type: str
    failures: int = 0
    paused_until_at: Instant = 0
    tried_until_at: Instant = 0
    trouble: str | None = None

    @property
    def is_failing(self) -> bool:
        """Whether the API fails, not an object."""
        return self.failures >= FAILURES_OF_THE_API

    def paused_ms(self, now_at: Instant) -> int:
        """Return how long it is to be left alone."""
        return _left_ms(self.paused_until_at, now_at)

    def left_alone_ms(self, now_at: Instant) -> int:
        """Return how long nobody is to ask; 0 where somebody may, and while it fails, that is one request at a time."""
        return max(self.paused_ms(now_at), _left_ms(self.tried_until_at, now_at) if self.is_failing else 0)


class ApiStates(msgspec.Struct, frozen=True):
    """How the API answers by the type that is asked for, as an outage may be of one endpoint.

    Types are left out where all is well. Under `EVERYTHING` stands what holds whatever is asked for.
    """

    states: tuple[ApiState, ...] = ()

    def of(self, type: str) -> ApiState:
        """Return how it answers to what is asked of one type, by itself."""
        return next((state for state in self.states if state.type == type), ApiState(type=type))

    @property
    def is_failing(self) -> bool:
        """Whether it fails for some type."""
        return any(state.is_failing for state in self.states)

    @property
    def trouble(self) -> str | None:
        """Why it cannot be asked for something, or what it refuses."""
        return next((_named(state) for state in self._worst_first() if state.trouble), None)

    def left_alone_ms(self, type: str, now_at: Instant) -> int:
        """Return how long nobody is to ask for this type; see `ApiState`."""
        return max(self.of(name).left_alone_ms(now_at) for name in (EVERYTHING, type))

    def left_alone(self, now_at: Instant) -> tuple[str, ...]:
        """Return the types that nobody is to ask for now."""
        return tuple(state.type for state in self.states if state.left_alone_ms(now_at))

    def backoff(self, now_at: Instant) -> StripeBackoff | None:
        """Return until when something is not asked for, and why; None where everything may be, or is tried."""
        paused = next((state for state in self._worst_first() if state.paused_ms(now_at)), None)
        return StripeBackoff(paused.paused_until_at, _named(paused)) if paused else None

    def after_trial(self, type: str, at: Instant) -> "ApiStates":
        """Return the states in which one process asks for what fails, to see if it answers again."""
        tried = [self.of(name) for name in (EVERYTHING, type) if self.of(name).is_failing]
        return self._with(*(msgspec.structs.replace(state, tried_until_at=at + _TRIAL_MS) for state in tried))

    def after_failure(
        self, type: str, reason: str, *, at: Instant, asked_s: float, slow_down: bool, jitter: float
    ) -> "ApiStates":
        """Return the states after no answer, or a bad one; with `slow_down` it was too many requests, of whatever type.

        `asked_s` is what the answer asked to wait, 0 where it did not, `jitter` a random number in [0, 1). The pauses
        grow, and there is none before so many failures that no object can be at fault.
        """
        before = self.of(EVERYTHING if slow_down else type)
        failures = before.failures + 1
        growing_ms = min(_FIRST_PAUSE_MS * 2 ** min(failures, _MOST_DOUBLINGS), LONGEST_PAUSE_MS) * (0.5 + jitter / 2)
        own_ms = growing_ms if slow_down or failures >= FAILURES_OF_THE_API else 0
        wait_ms = max(int(max(own_ms, min(asked_s * 1000, LONGEST_ASKED_MS))), before.paused_ms(at))
        return self._with(
            ApiState(type=before.type, failures=failures, paused_until_at=at + wait_ms, trouble=reason[:_REASON_LENGTH])
        )

    def after_refusal(self, type: str, reason: str, at: Instant) -> "ApiStates":
        """Return the states after the API understood and refused: it answers, and somebody has to mend something."""
        return self._heard(at, ApiState(type=EVERYTHING), ApiState(type=type, trouble=reason[:_REASON_LENGTH]))

    def after_answer(self, type: str, at: Instant) -> "ApiStates":
        """Return the states after an answer: all is well with this type."""
        return self._heard(at, ApiState(type=EVERYTHING), ApiState(type=type))

    def _heard(self, at: Instant, *news: ApiState) -> "ApiStates":
        # What is answered while it is left alone was asked before: that changes nothing.
        return self._with(*(new for new in news if not self.of(new.type).paused_ms(at)))

    def _with(self, *news: ApiState) -> "ApiStates":
        by_type = {state.type: state for state in (*self.states, *news)}
        return ApiStates(tuple(state for type, state in by_type.items() if state != ApiState(type=type)))  # noqa: A001 - Stripe's word

    def _worst_first(self) -> list[ApiState]:
        return sorted(self.states, key=lambda state: (state.type != EVERYTHING, -state.paused_until_at))


def _left_ms(until_at: Instant, now_at: Instant) -> int:
    # What lies further ahead was noted by a clock that was wrong.
    return left_ms if 0 < (left_ms := until_at - now_at) <= LONGEST_ASKED_MS else 0


def _named(state: ApiState) -> str:
    return (state.trouble or "") if state.type == EVERYTHING else f"{state.type}: {state.trouble}"
