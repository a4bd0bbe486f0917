"""How many decimals amounts have."""

import pytest

from app.domain.money import exponent


@pytest.mark.parametrize(
    ("currency", "decimals"),
    [
        pytest.param("eur", 2, id="the usual"),
        pytest.param("jpy", 0, id="none"),
        pytest.param("kwd", 3, id="three"),
        pytest.param("JPY", 0, id="in capitals"),
        pytest.param("isk", 2, id="none in life, hundredths at Stripe"),
        pytest.param("ugx", 2, id="named among those without, hundredths at Stripe"),
        pytest.param("xyz", 2, id="unknown"),
    ],
)
def test_the_decimals_are_those_that_stripe_counts_in(currency: str, decimals: int) -> None:
    assert exponent(currency) == decimals
