from collections.abc import AsyncIterator

import pytest
import stripe
from sandbox.stripe_account import Account, Clock, account_of


@pytest.fixture
async def account() -> AsyncIterator[Account]:
    async with account_of(Clock()) as made:
        yield made


@pytest.fixture
def sdk(account: Account) -> stripe.StripeClient:
    """Give Stripe's own client, speaking to the account's sandbox."""
    return account.sdk
