import re
import time

from app.gateways.clock import SystemClock, Uuid7Ids


def test_the_clock_tells_epoch_milliseconds() -> None:
    before = time.time_ns()
    at = SystemClock().now_at()
    after = time.time_ns()

    assert before // 1_000_000 <= at <= after // 1_000_000


def test_ids_have_their_prefix_and_ascend() -> None:
    ids = [Uuid7Ids().new("ws") for _ in range(1_000)]

    assert all(re.fullmatch("ws_[0-9a-f]{32}", made) for made in ids)
    assert ids == sorted(set(ids))


def test_ids_hold_the_time_they_were_made_at() -> None:
    at = SystemClock().now_at()

    assert abs(int(Uuid7Ids().new("ws")[3:15], 16) - at) < 5_000


def test_secrets_are_256_bits_and_never_the_same() -> None:
    secrets = {Uuid7Ids().secret() for _ in range(1_000)}

    assert len(secrets) == 1_000
    assert {len(secret) for secret in secrets} == {43}
