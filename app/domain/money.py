"""How many decimals amounts of a currency have."""

from typing import Final

_DECIMALS: Final[dict[str, int]] = {
    **dict.fromkeys(("bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv"), 0),
    **dict.fromkeys(("xaf", "xof", "xpf"), 0),
    **dict.fromkeys(("bhd", "jod", "kwd", "omr", "tnd"), 3),
}
_USUAL: Final = 2


def exponent(currency: str) -> int:
    """Return how many decimals amounts of this currency have at Stripe: 0, 2 or 3.

    It is not always ISO 4217's: ISK and UGX have none left, and Stripe counts them in hundredths all the same
    (https://docs.stripe.com/currencies#special-cases).
    """
    return _DECIMALS.get(currency.lower(), _USUAL)
