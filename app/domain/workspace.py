"""The workspace: who pays and who is limited."""

from typing import ClassVar

import msgspec

from app.domain.change import Instant, Kind, Record


class TaxId(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """A tax id in Stripe's words: type `eu_vat`, value `DE123456789`."""

    type: str
    value: str


class Address(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """A postal address in Stripe's fields; country is ISO 3166-1 alpha-2."""

    line1: str | None = None
    line2: str | None = None
    city: str | None = None
    state: str | None = None
    postal_code: str | None = None
    country: str | None = None


class BillingDetails(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """What stands on an invoice."""

    legal_name: str | None = None
    address: Address | None = None
    tax_ids: tuple[TaxId, ...] = ()


class WorkspaceTrial(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """A trial without Stripe: the plan version `plan_id` from `started_at` until `ends_at`. Once per workspace."""

    plan_id: str
    started_at: Instant
    ends_at: Instant


class Workspace(Record, frozen=True, kw_only=True, gc=False, rename="camel"):
    """An organisation, a team or one person. `external_id` is the caller's own id, unique where given."""

    KIND: ClassVar[Kind] = Kind.WORKSPACE

    external_id: str | None = None
    name: str | None = None
    email: str | None = None
    stripe_customer_id: str | None = None
    metadata: dict[str, str] = {}
    billing: BillingDetails = BillingDetails()
    trial: WorkspaceTrial | None = None
    archived_at: Instant | None = None
