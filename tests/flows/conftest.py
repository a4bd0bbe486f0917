"""What flows share: one sandbox and one service of each mode for a module's tests, which use names of their own."""

import asyncio
import uuid
from collections.abc import Iterator

import pymongo
import pytest
from support.service import Service, api, make_catalogue, running
from support.stripe_account import SECRET, Account, stripe_settings

from app.sandbox.process import StripeSandboxProcess


@pytest.fixture
def name() -> str:
    """Give a workspace's external id that no other test uses."""
    return f"acme-{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="module")
def shared_database(mongodb_uri: str) -> Iterator[str]:
    database = f"t_{uuid.uuid4().hex[:16]}"
    yield database
    with pymongo.MongoClient(mongodb_uri) as client:
        client.drop_database(database)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[StripeSandboxProcess]:
    process = StripeSandboxProcess.start(webhook_url=None, webhook_secret=SECRET)
    yield process
    process.stop()


@pytest.fixture(scope="module")
def account(sandbox: StripeSandboxProcess) -> Iterator[Account]:
    opened = Account(sandbox.url)
    yield opened
    opened.http.close()


def with_catalogue(service: Service) -> Service:
    async def make() -> None:
        async with api(service) as client:
            await make_catalogue(client)

    asyncio.run(make())
    return service


@pytest.fixture(scope="module")
def service(mongodb_uri: str, shared_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run the service without Stripe."""
    with running(mongodb_uri, shared_database, tmp_path_factory.mktemp("service") / "log") as started:
        yield with_catalogue(started)


@pytest.fixture(scope="module")
def with_stripe(
    mongodb_uri: str,
    shared_database: str,
    tmp_path_factory: pytest.TempPathFactory,
    sandbox: StripeSandboxProcess,
) -> Iterator[Service]:
    """Run the service that reads the sandbox's API."""
    log = tmp_path_factory.mktemp("service") / "log"
    with running(mongodb_uri, shared_database, log, **stripe_settings(sandbox)) as started:
        yield with_catalogue(started)


@pytest.fixture(scope="module")
def provisional(mongodb_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Run the service with a webhook secret and no API key."""
    log = tmp_path_factory.mktemp("service") / "log"
    database = f"t_{uuid.uuid4().hex[:16]}"
    with running(mongodb_uri, database, log, STRIPE_WEBHOOK_SECRET=SECRET) as started:
        yield with_catalogue(started)
    with pymongo.MongoClient(mongodb_uri) as client:
        client.drop_database(database)
