"""A listing that is followed: what comes is printed as it comes, until Ctrl-C."""

import time
from collections.abc import Generator, Mapping, Sequence
from functools import partial
from typing import Any, Final

from app.cli import options
from app.cli.client import Client, patiently

MOST_LAST: Final = 100
_OVERLAP_S: Final = 10  # replicas' clocks differ, so that what came later may say that it came earlier


def follow(
    client: Client, query: str, listing: str, wanted: Mapping[str, Any], *, by: str, last: int, every_s: float
) -> Generator[dict[str, Any]]:
    """Yield what a listing, the newest first, comes to hold: the oldest first, beginning with the `last` ones.

    `by` names the instant that orders it, which its variable `from` narrows.
    """
    found: Sequence[dict[str, Any]] = client.query(query, {**wanted, "first": MOST_LAST})[listing]["nodes"]
    oldest_at = found[-1][by] if found else ""
    seen = {node["id"]: node[by] for node in found}
    yield from reversed(found[:last])
    while True:
        time.sleep(every_s)
        since = options.moved(max(seen.values()), -_OVERLAP_S) if seen else None
        found = patiently(partial(client.collect, query, listing, {**wanted, "from": since}), every_s=every_s)
        fresh = [node for node in reversed(found) if node["id"] not in seen and node[by] >= oldest_at]
        seen = {node["id"]: node[by] for node in found} or seen
        yield from fresh
