"""The ways to pay that the sandbox's pages offer, and the bank's question whether one allows it."""

from typing import Final

from app.sandbox.stripe.cards import find_card
from app.sandbox.stripe.pages import Html, button, element, form, money, section

HINTS: Final = {
    "visa": "works",
    "mastercard": "works",
    "authenticationRequired": "asks for authentication, at every payment",
    "chargeCustomerFail": "works now, is declined when a subscription renews",
    "createDispute": "works, and the customer disputes the payment",
    "chargeDeclined": "is declined",
    "chargeDeclinedInsufficientFunds": "is declined: insufficient funds",
    "chargeDeclinedExpiredCard": "is declined: expired",
}


def card_choice(name: str, *, is_chosen: bool) -> Html:
    """Return the button that chooses a test card."""
    card = find_card(f"pm_card_{name}")
    return choice(name, card_name(card.brand, card.last4) if card else name, HINTS[name], is_chosen=is_chosen)


def card_name(brand: str, last4: str) -> str:
    return f"{brand.title()} ···· {last4}"


def choice(value: str, name: str, hint: str, *, is_chosen: bool) -> Html:
    """Return the button that chooses one of several ways to pay."""
    radio = element("input", type="radio", name="means", value=value, checked=is_chosen)
    return element("label", radio, element("span", name, " ", element("span", hint, class_="soft")), class_="choice")


def authentication_form(action: str, amount: int, currency: str) -> Html:
    """Return what a bank asks: `do` is `complete` or `fail`."""
    what = f"a payment of {money(amount, currency)}" if amount else "payments later"
    asked = element("p", f"The bank asks whether you allow {what}.")
    complete = button("Complete authentication", is_main=True, name="do", value="complete")
    fail = button("Fail authentication", name="do", value="fail")
    return section("3D Secure test page", asked, form(action, element("div", complete, fail, class_="row")))
