"""The real clock and the real ids."""

import secrets
import time

import uuid_utils

_NS_PER_MS = 1_000_000


class SystemClock:
    """`ports.Clock` by the machine's clock."""

    def now_at(self) -> int:
        return time.time_ns() // _NS_PER_MS


class Uuid7Ids:
    """`ports.Ids` by uuid7, whose ids ascend in time, and the system's randomness."""

    def new(self, prefix: str) -> str:
        return f"{prefix}_{uuid_utils.uuid7().hex}"

    def secret(self) -> str:
        return secrets.token_urlsafe(32)
