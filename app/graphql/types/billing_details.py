"""What stands on an invoice, as output and as input; and the trial that needs no Stripe."""

import strawberry

from app.domain import workspace as domain
from app.graphql.context import Info
from app.graphql.permissions import SEES_WORKSPACE, requires
from app.graphql.scalars import DateTime
from app.graphql.types.catalogue import Plan


@strawberry.type(directives=requires(*SEES_WORKSPACE), description="A tax id in Stripe's words.")
class TaxId:
    type: str = strawberry.field(description="`eu_vat`, `us_ein`, …")
    value: str = strawberry.field(description="`DE123456789`.")


@strawberry.type(directives=requires(*SEES_WORKSPACE), description="A postal address in Stripe's fields.")
class Address:
    line1: str | None = strawberry.field(description="Street and number.")
    line2: str | None = strawberry.field(description="Flat, suite, building.")
    city: str | None = strawberry.field(description="City.")
    state: str | None = strawberry.field(description="State, county, province.")
    postal_code: str | None = strawberry.field(description="Postal code.")
    country: str | None = strawberry.field(description="ISO 3166-1 alpha-2: `DE`.")


@strawberry.type(directives=requires(*SEES_WORKSPACE), description="What stands on an invoice.")
class BillingDetails:
    legal_name: str | None = strawberry.field(description="The company's or person's full name.")
    address: Address | None = strawberry.field(description="The postal address.")
    tax_ids: list[TaxId] = strawberry.field(description="Tax ids; often empty.")

    @classmethod
    def from_domain(cls, billing: domain.BillingDetails) -> "BillingDetails":
        """Translate."""
        address = billing.address
        return cls(
            legal_name=billing.legal_name,
            address=None
            if address is None
            else Address(
                line1=address.line1,
                line2=address.line2,
                city=address.city,
                state=address.state,
                postal_code=address.postal_code,
                country=address.country,
            ),
            tax_ids=[TaxId(type=tax_id.type, value=tax_id.value) for tax_id in billing.tax_ids],
        )


@strawberry.type(directives=requires(*SEES_WORKSPACE), description="A trial without Stripe; once per workspace.")
class WorkspaceTrial:
    plan_id: strawberry.ID = strawberry.field(description="The plan version that is tried.")
    started_at: DateTime = strawberry.field(description="When it began.")
    ends_at: DateTime = strawberry.field(description="When it ends or ended.")

    @strawberry.field(description="The plan version that is tried; null where it was deleted.")
    def plan(self, info: Info) -> Plan | None:
        plan = info.context.loaded().cache.catalogue().plan_by_id(self.plan_id)
        return Plan.from_domain(plan) if plan else None


@strawberry.input(description="A tax id in Stripe's words.")
class TaxIdInput:
    type: str = strawberry.field(description="`eu_vat`, `us_ein`, …")
    value: str = strawberry.field(description="`DE123456789`.")


@strawberry.input(description="A postal address in Stripe's fields.")
class AddressInput:
    line1: str | None = strawberry.field(default=None, description="Street and number.")
    line2: str | None = strawberry.field(default=None, description="Flat, suite, building.")
    city: str | None = strawberry.field(default=None, description="City.")
    state: str | None = strawberry.field(default=None, description="State, county, province.")
    postal_code: str | None = strawberry.field(default=None, description="Postal code.")
    country: str | None = strawberry.field(default=None, description="ISO 3166-1 alpha-2: `DE`.")


@strawberry.input(description="What stands on an invoice. Replaces what was there as a whole.")
class BillingDetailsInput:
    legal_name: str | None = strawberry.field(default=None, description="The company's or person's full name.")
    address: AddressInput | None = strawberry.field(default=None, description="The postal address.")
    tax_ids: list[TaxIdInput] | None = strawberry.field(default=None, description="Tax ids.")

    def to_domain(self) -> domain.BillingDetails:
        """Translate."""
        address = self.address
        return domain.BillingDetails(
            legal_name=self.legal_name,
            address=None
            if address is None
            else domain.Address(
                line1=address.line1,
                line2=address.line2,
                city=address.city,
                state=address.state,
                postal_code=address.postal_code,
                country=address.country,
            ),
            tax_ids=tuple(domain.TaxId(type=tax_id.type, value=tax_id.value) for tax_id in self.tax_ids or ()),
        )
