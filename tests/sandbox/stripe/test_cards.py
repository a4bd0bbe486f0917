import pytest

from app.sandbox.stripe.cards import card_of_method, card_of_number, find_card
from app.sandbox.stripe.errors import StripeError


@pytest.mark.parametrize(
    ("magic", "number", "attaches", "charges"),
    [
        pytest.param("pm_card_visa", "4242424242424242", True, True, id="visa"),
        pytest.param("pm_card_mastercard", "5555555555554444", True, True, id="mastercard"),
        pytest.param("pm_card_chargeCustomerFail", "4000000000000341", True, False, id="fails when charged"),
        pytest.param("pm_card_authenticationRequired", "4000002760003184", True, False, id="needs action"),
        pytest.param("pm_card_chargeDeclined", "4000000000000002", False, False, id="fails when attached"),
        pytest.param("tok_chargeDeclinedInsufficientFunds", "4000000000009995", False, False, id="no funds"),
    ],
)
def test_a_test_card_behaves_as_stripe_s_does(magic: str, number: str, *, attaches: bool, charges: bool) -> None:
    card = find_card(magic)

    assert card is not None
    assert card == card_of_number(number)
    assert (card.when_attached is None, card.when_charged is None) == (attaches, charges)


def test_only_known_numbers_and_names_are_cards() -> None:
    assert find_card("pm_card_unicorn") is None
    assert find_card("pm_1a2b3c") is None
    with pytest.raises(StripeError, match="number is incorrect"):
        card_of_number("4000000000001111")
    with pytest.raises(StripeError, match="number is incorrect"):
        card_of_number("not a number 4242")


def test_the_last_digits_of_a_payment_method_decide() -> None:
    failing = card_of_method({"card": {"last4": "0341"}})

    assert failing.when_charged is not None
    assert card_of_method({"card": {"last4": "1111"}}).when_charged is None
    assert card_of_method({}).when_charged is None
