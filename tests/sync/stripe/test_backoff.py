"""Several processes and one backoff: what one meets, all keep to."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from support.stripe import FakeProcessor, Sync, customer, eventually, subscription, syncing

from app.domain.stripe_backoff import ApiStates
from app.domain.stripe_event import StripeEventStatus
from app.ports.stripe import (
    ApiFailingError,
    ListedPage,
    Listing,
    ProcessorRefusedError,
    ProcessorUnavailableError,
)
from sync.stripe.backoff import PatientProcessor

UPDATED = "customer.subscription.updated"


@pytest.fixture
async def sync(mongodb_uri: str, database: str) -> AsyncIterator[Sync]:
    async with syncing(mongodb_uri, database) as sync:
        yield sync


class Stripe(FakeProcessor):
    """Answers, unless `error` is set."""

    def __init__(self) -> None:
        super().__init__(customer())
        self.error: Exception | None = None
        self.before = self._fail

    def _fail(self, _id: str) -> None:
        if self.error is not None:
            raise self.error

    async def list_page(self, listing: Listing, *, after: str | None) -> ListedPage:
        self.asked.append(listing.type)
        self._fail("")
        return ListedPage((), after)


@pytest.fixture
def stripe() -> Stripe:
    return Stripe()


def process(sync: Sync, stripe: Stripe) -> PatientProcessor:
    return PatientProcessor(stripe, sync.backoff())


async def ask(asking: PatientProcessor) -> Exception | None:
    try:
        await asking.retrieve("customer", "cus_1")
    except (ProcessorUnavailableError, ProcessorRefusedError) as error:
        return error
    return None


def was_asked(error: Exception | None) -> bool:
    return not isinstance(error, ApiFailingError) or error.was_asked


async def test_what_one_process_meets_all_leave_alone_lists_too(sync: Sync, stripe: Stripe) -> None:
    one, two = process(sync, stripe), process(sync, stripe)
    stripe.error = ProcessorUnavailableError("status 500")
    for asking in (one, two, one):
        await ask(asking)

    with pytest.raises(ApiFailingError, match="left alone for 6 s: customer: status 500") as caught:
        await two.list_page(Listing("customer"), after=None)
    stripe.error = None
    await two.list_page(Listing("price"), after=None)

    assert not caught.value.was_asked
    assert caught.value.retry_after_s == 6
    assert stripe.asked == ["cus_1"] * 3 + ["price"]


async def test_only_the_first_failure_may_be_the_objects_own(sync: Sync, stripe: Stripe) -> None:
    one, two = process(sync, stripe), process(sync, stripe)
    stripe.error = ProcessorUnavailableError("status 500")

    first, second = await ask(one), await ask(two)

    assert not isinstance(first, ApiFailingError)
    assert isinstance(second, ApiFailingError)
    assert second.was_asked


async def test_of_all_processes_one_tries_and_its_answer_lets_all_in(sync: Sync, stripe: Stripe) -> None:
    processes = [process(sync, stripe) for _ in range(3)]
    stripe.error = ProcessorUnavailableError("status 500")
    for asking in processes:
        await ask(asking)
    sync.clock.advance(60_000)
    stripe.asked.clear()
    stripe.error, reached, go_on = None, asyncio.Event(), asyncio.Event()

    async def hang(_id: str) -> None:
        reached.set()
        await go_on.wait()

    stripe.before = hang
    trial = asyncio.create_task(ask(processes[0]))
    await asyncio.wait_for(reached.wait(), 10)
    others = [await ask(asking) for asking in processes[1:]]
    go_on.set()

    assert await trial is None
    assert not any(was_asked(error) for error in others)
    assert [await ask(asking) for asking in processes] == [None] * 3
    assert len(stripe.asked) == 4


async def test_of_those_who_would_try_at_the_same_time_one_does(sync: Sync, stripe: Stripe) -> None:
    processes = [process(sync, stripe) for _ in range(5)]
    stripe.error = ProcessorUnavailableError("status 500")
    for asking in processes[:3]:
        await ask(asking)
    sync.clock.advance(60_000)

    errors = await asyncio.gather(*(ask(asking) for asking in processes))

    assert sum(was_asked(error) for error in errors) == 1


async def test_the_answer_to_one_failure_lets_all_in(sync: Sync, stripe: Stripe) -> None:
    one, two = process(sync, stripe), process(sync, stripe)
    stripe.error = ProcessorUnavailableError("status 500")
    await ask(one)
    await ask(one)
    stripe.error = None

    assert await ask(two) is None
    assert await sync.backoff().look() == ApiStates()


async def test_too_many_requests_hold_all_up_and_blame_no_object(sync: Sync, stripe: Stripe) -> None:
    one, two = process(sync, stripe), process(sync, stripe)
    stripe.error = ProcessorUnavailableError("status 429", slow_down=True)

    first, second = await ask(one), await ask(two)

    assert isinstance(first, ApiFailingError)
    assert (was_asked(first), was_asked(second)) == (True, False)


async def test_retry_after_is_kept_by_all(sync: Sync, stripe: Stripe) -> None:
    one, two = process(sync, stripe), process(sync, stripe)
    stripe.error = ProcessorUnavailableError("status 429", retry_after_s=30)
    await ask(one)
    stripe.error = None

    sync.clock.advance(29_000)
    assert not was_asked(await ask(two))
    sync.clock.advance(1000)
    assert await ask(two) is None


async def test_a_refusal_is_told_and_holds_nobody_up(sync: Sync, stripe: Stripe) -> None:
    one, two = process(sync, stripe), process(sync, stripe)
    stripe.error = ProcessorRefusedError("invalid API key")

    await ask(one)
    await ask(two)
    told = await sync.backoff().look()
    stripe.error = None
    await ask(two)

    assert (told.trouble, told.is_failing, len(stripe.asked)) == ("customer: invalid API key", False, 3)
    assert (await sync.backoff().look()).trouble is None


async def test_one_that_has_not_looked_lately_learns_of_it(sync: Sync, stripe: Stripe) -> None:
    # nothing but its own failure tells it
    one, two = process(sync, stripe), PatientProcessor(stripe, sync.backoff(fresh_s=3600))
    assert await ask(two) is None
    stripe.error = ProcessorUnavailableError("status 500")
    for _ in range(3):
        await ask(one)

    assert was_asked(await ask(two))
    assert not was_asked(await ask(two))


async def test_while_one_type_fails_the_others_are_worked_on(sync: Sync, stripe: Stripe) -> None:
    def fail(id: str) -> None:
        if id.startswith("sub_"):
            raise ProcessorUnavailableError("status 500")

    stripe.before = fail
    for number in range(8):
        await sync.receive(UPDATED, subscription(f"sub_{number}"))
    async with sync.running(stripe, concurrency=2):
        await eventually(lambda: is_failing(sync))
        for number in range(5):
            stripe.put(customer(f"cus_{number}"))
            await sync.receive("customer.created", customer(f"cus_{number}"))
        await eventually(lambda: "cus_4" in stripe.asked)

    assert sum(asked.startswith("sub_") for asked in stripe.asked) == 3
    assert (await sync.inbox.backlog()).dead == 0


async def test_two_workers_try_a_failing_api_as_often_as_one_would(sync: Sync, stripe: Stripe) -> None:
    stripe.error = ProcessorUnavailableError("status 500")
    for number in range(8):
        await sync.receive(UPDATED, subscription(f"sub_{number}"))

    async with sync.running(stripe, concurrency=1), sync.running(stripe, concurrency=1):
        await eventually(lambda: is_failing(sync))
        for _ in range(5):
            asked, looks = len(stripe.asked), sync.looks
            sync.clock.advance(60_000)
            await eventually(lambda asked=asked: len(stripe.asked) > asked)
            await eventually(lambda: is_paused(sync))
            looks = sync.looks
            await eventually(lambda looks=looks: sync.looks >= looks + 4)
            assert len(stripe.asked) == asked + 1
        stripe.error = None
        stripe.put(*(subscription(f"sub_{number}") for number in range(8)))

        async def is_over() -> bool:
            sync.clock.advance(1000)
            return await sync.is_settled()

        await eventually(is_over)

    assert {await sync.status(f"evt_{number}") for number in range(1, 9)} == {StripeEventStatus.PARKED}
    assert (await sync.inbox.backlog()).dead == 0


async def is_failing(sync: Sync) -> bool:
    return (await sync.backoff().look()).is_failing


async def is_paused(sync: Sync) -> bool:
    return (await sync.backoff().look()).backoff(sync.clock.now_at()) is not None
