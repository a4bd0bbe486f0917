"""Amounts of money."""

import strawberry

from app.domain import money as domain
from app.graphql.permissions import follows
from app.graphql.scalars import MinorUnits


@strawberry.type(
    directives=follows(),
    description="An amount of money, exact. What people read is `amountMinor` with the point `exponent` digits from "
    "its end: 1999 EUR with exponent 2 is 19.99.",
)
class Money:
    amount_minor: MinorUnits = strawberry.field(
        description="In the smallest unit; less than 0 where it is given back. Add and compare these, as whole numbers."
    )
    currency: str = strawberry.field(description="The ISO 4217 code, in capitals: `EUR`.")
    exponent: int = strawberry.field(
        description="How many of the digits are decimals: 2 for most, 0 for JPY, 3 for KWD. Stripe's count, which for "
        "ISK and UGX is 2."
    )

    @classmethod
    def of(cls, amount_minor: int, currency: str) -> "Money":
        """Translate minor units of a currency by Stripe's code."""
        return cls(amount_minor=MinorUnits(amount_minor), currency=currency.upper(), exponent=domain.exponent(currency))
