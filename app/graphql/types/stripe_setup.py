"""How our webhook endpoint at Stripe is set up."""

import strawberry

from app.domain import stripe_setup as domain
from app.graphql.permissions import follows
from app.graphql.scalars import DateTime
from app.graphql.types.exposing import expose

expose(
    domain.SetupAction,
    "What is changed of a webhook endpoint at Stripe.",
    {
        "CREATE": "A new endpoint is made.",
        "SET_EVENTS": "It is sent other types of events.",
        "ENABLE": "It was disabled and is enabled.",
    },
    name="StripeSetupAction",
)
expose(
    domain.SetupFindingCode,
    "What is for a person to change at Stripe.",
    {
        "MISSING_PERMISSION": "The restricted API key may not read something that the service needs.",
        "OTHER_MODE": "The API key is of the one mode and the account answers in the other.",
        "OTHER_API_VERSION": "The endpoint is sent events of another API version. They are read as well.",
        "DUPLICATE_ENDPOINT": "Several endpoints have the address.",
    },
    name="StripeSetupFindingCode",
)


@strawberry.type(directives=follows(), description="A webhook endpoint as Stripe has it.")
class StripeWebhookEndpoint:
    id: strawberry.ID = strawberry.field(description="Stripe's id, we_….")
    url: str = strawberry.field(description="Where events are sent.")
    enabled: bool = strawberry.field(description="Whether any are sent.")
    enabled_events: list[str] = strawberry.field(description="Of which types; an asterisk alone stands for all.")
    api_version: str | None = strawberry.field(
        description="In which of Stripe's API versions they are written; null is the account's default."
    )
    created_at: DateTime = strawberry.field(description="When it was made.")

    @classmethod
    def from_domain(cls, endpoint: domain.WebhookEndpoint) -> "StripeWebhookEndpoint":
        """Translate."""
        return cls(
            id=strawberry.ID(endpoint.id),
            url=endpoint.url,
            enabled=endpoint.is_enabled,
            enabled_events=list(endpoint.enabled_events),
            api_version=endpoint.api_version,
            created_at=DateTime(endpoint.created_at),
        )


@strawberry.type(directives=follows(), description="One change of the endpoint.")
class StripeSetupChange:
    action: domain.SetupAction = strawberry.field(description="What is changed.")
    endpoint_id: strawberry.ID | None = strawberry.field(
        description="Of which endpoint; null in a dry run that would create it."
    )
    added: list[str] = strawberry.field(description="Types of events that it is sent from now on.")
    removed: list[str] = strawberry.field(description="Types that it was sent and that are not used here.")

    @classmethod
    def from_domain(cls, change: domain.SetupChange) -> "StripeSetupChange":
        """Translate."""
        id = strawberry.ID(change.endpoint_id) if change.endpoint_id else None  # noqa: A001 - the API's word
        return cls(action=change.action, endpoint_id=id, added=list(change.added), removed=list(change.removed))


@strawberry.type(directives=follows(), description="Something that is for a person to change.")
class StripeSetupFinding:
    code: domain.SetupFindingCode = strawberry.field(
        description="MISSING_PERMISSION and OTHER_MODE keep everything from being changed."
    )
    message: str = strawberry.field(description="What is wrong, and what to do about it.")
    endpoint_id: strawberry.ID | None = strawberry.field(description="The endpoint at fault; null where it is none.")

    @classmethod
    def from_domain(cls, finding: domain.SetupFinding) -> "StripeSetupFinding":
        """Translate."""
        id = strawberry.ID(finding.endpoint_id) if finding.endpoint_id else None  # noqa: A001 - the API's word
        return cls(code=finding.code, message=finding.message, endpoint_id=id)
