import asyncio

from app.cache.feed import Feed


async def test_many_changes_are_one_waking() -> None:
    feed = Feed()

    with feed.subscribe("ws_1", "key_1") as changes:
        for _ in range(100):
            feed.publish("ws_1")
            feed.publish("key_1")
        woken, again = await changes.wait(1), await changes.wait(0.01)

    assert (woken, again) == (True, False)


async def test_change_during_a_wait_ends_it() -> None:
    feed = Feed()

    with feed.subscribe("ws_1") as changes:
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(changes.wait(None))
            await asyncio.sleep(0)
            feed.publish("ws_1")

    assert waiting.result() is True


async def test_other_topics_do_not_wake() -> None:
    feed = Feed()

    with feed.subscribe("ws_1") as changes:
        feed.publish("ws_2")

        assert await changes.wait(0.01) is False


async def test_catalogue_wakes_everybody() -> None:
    feed = Feed()

    with feed.subscribe("ws_1") as first, feed.subscribe("sync") as second:
        feed.publish_all()

        assert await first.wait(1)
        assert await second.wait(1)


async def test_change_before_the_first_wait_is_not_lost() -> None:
    feed = Feed()

    with feed.subscribe("ws_1") as changes:
        feed.publish("ws_1")

        assert await changes.wait(0)


async def test_feed_forgets_who_left() -> None:
    feed = Feed()

    with feed.subscribe("ws_1", "ws_1"), feed.subscribe("ws_1"):
        pass

    assert feed._by_topic == {}
