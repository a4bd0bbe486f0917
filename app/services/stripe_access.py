"""Whether Stripe can be asked, and what its silence or refusal is to who asked for something."""

from collections.abc import Generator
from contextlib import contextmanager

from app.domain.errors import StripeRefusedError, UnavailableError
from app.ports.stripe import ProcessorRefusedError, ProcessorUnavailableError, StripeAccount
from app.runtime import Runtime


def require_stripe(rt: Runtime) -> StripeAccount:
    """Return what tells of Stripe; raise `StripeRefusedError` where there is no key to ask with."""
    if rt.stripe is None:
        raise StripeRefusedError("there is no key to ask Stripe with; set STRIPE_SECRET_KEY where the service runs")
    return rt.stripe


@contextmanager
def asking_stripe() -> Generator[None]:
    """Translate what goes wrong inside: `StripeRefusedError` and `UnavailableError` come out."""
    try:
        yield
    except ProcessorRefusedError as error:
        raise StripeRefusedError(f"Stripe refuses: {error}") from error
    except ProcessorUnavailableError as error:
        raise UnavailableError(f"Stripe does not answer: {error}; ask again later") from error
