from collections.abc import AsyncIterator

import httpx
import pytest
import stripe
from sandbox.stripe_account import Account, Clock, InProcess

from app.sandbox.stripe.application import make_application
from app.sandbox.stripe.sandbox import Config, Sandbox


@pytest.fixture
async def account() -> AsyncIterator[Account]:
    """Give a sandbox in this process, over ASGI, with a clock that stands still until a test moves it."""
    clock = Clock()
    sandbox = Sandbox(Config(), now=clock)
    transport = httpx.ASGITransport(make_application(sandbox))
    key = {"Authorization": "Bearer sk_test_sandbox"}
    async with httpx.AsyncClient(transport=transport, base_url="http://sandbox", headers=key) as http:
        yield Account(http, sandbox, clock)


@pytest.fixture
def sdk(account: Account) -> stripe.StripeClient:
    """Give Stripe's own client, speaking to the account's sandbox."""
    http_client = InProcess(account.http)
    return stripe.StripeClient("sk_test_sandbox", http_client=http_client, base_addresses={"api": "http://sandbox"})
