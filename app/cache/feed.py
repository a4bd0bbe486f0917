"""Who is told that something changed: topics, and subscribers that are merely dirty until they look."""

import asyncio
from types import TracebackType
from typing import Final, Self

SYNC_TOPIC: Final = "sync"
"""Changes of the workers and of the reconciler."""
BILLING_TOPIC: Final = "billing"
"""Billing events of whatever workspace, and of none."""


class Feed:
    """Topics are a workspace's id, its `billing_topic`, an API key's id, SYNC_TOPIC or BILLING_TOPIC.

    Changes coalesce: a slow reader misses steps, never the end.
    """

    def __init__(self) -> None:
        self._by_topic: dict[str, set[Subscriber]] = {}

    def publish(self, topic: str) -> None:
        """Make the topic's subscribers dirty."""
        for subscriber in self._by_topic.get(topic, ()):
            subscriber.mark()

    def publish_all(self) -> None:
        """Make every subscriber dirty: the catalogue changed, and it decides for all."""
        for subscribers in self._by_topic.values():
            for subscriber in subscribers:
                subscriber.mark()

    def subscribe(self, *topics: str) -> "Subscriber":
        """Return a subscriber; it listens from here on, until its `with` block ends."""
        subscriber = Subscriber(self, topics)
        for topic in topics:
            self._by_topic.setdefault(topic, set()).add(subscriber)
        return subscriber

    def unsubscribe(self, subscriber: "Subscriber") -> None:
        """Forget the subscriber."""
        for topic in subscriber.topics:
            subscribers = self._by_topic.get(topic, set())
            subscribers.discard(subscriber)
            if not subscribers:
                self._by_topic.pop(topic, None)


def billing_topic(workspace_id: str | None) -> str:
    """Return the topic of a workspace's billing events; None is any workspace."""
    return BILLING_TOPIC if workspace_id is None else f"{BILLING_TOPIC}:{workspace_id}"


class Subscriber:
    """One reader's place in the feed. Dirty at most once, however much happened."""

    def __init__(self, feed: Feed, topics: tuple[str, ...]) -> None:
        self.topics = topics
        self._feed = feed
        self._dirty = asyncio.Event()

    def mark(self) -> None:
        """Make it dirty; the feed does."""
        self._dirty.set()

    async def wait(self, timeout_s: float | None) -> bool:
        """Wait until something changed: True, and clean again. False when `timeout_s` passed first."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._dirty.wait()
        except TimeoutError:
            if not self._dirty.is_set():
                return False
        self._dirty.clear()
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._feed.unsubscribe(self)
