"""Set our webhook endpoint up at Stripe."""

from typing import Annotated

import strawberry

from app.graphql.context import Info
from app.graphql.mutations.inputs import KEY, REPLAYED
from app.graphql.permissions import OPERATES, follows, requires
from app.graphql.types.errors import ConflictError, IdempotencyConflictError, NotFoundError, ValidationError
from app.graphql.types.stripe_setup import StripeSetupChange, StripeSetupFinding, StripeWebhookEndpoint
from app.services import stripe_setup


@strawberry.input(description="Where Stripe is to send events.")
class SetUpStripeInput:
    idempotency_key: str = strawberry.field(description=KEY)
    url: str = strawberry.field(
        description="This service's webhook as Stripe reaches it: https://…/webhooks/stripe. In the live mode Stripe "
        "takes https only."
    )
    dry_run: bool = strawberry.field(default=False, description="Change nothing, tell what would be.")


@strawberry.type(directives=follows(), description="How the endpoint is set up.")
class SetUpStripePayload:
    dry_run: bool = strawberry.field(description="Whether nothing was changed because that was asked for.")
    livemode: bool = strawberry.field(description="Whether the service's key is of Stripe's live mode.")
    api_version: str = strawberry.field(description="The version of Stripe's API that the service speaks.")
    endpoint: StripeWebhookEndpoint | None = strawberry.field(
        description="Ours, as it is now. Null where there is none yet, or the key may not read it."
    )
    changes: list[StripeSetupChange] = strawberry.field(description="What was changed, or in a dry run would be.")
    findings: list[StripeSetupFinding] = strawberry.field(description="What is for a person to change.")
    secret: str | None = strawberry.field(
        description="What a new endpoint signs with, whsec_…: for STRIPE_WEBHOOK_SECRET. It is told once and not "
        "stored here; Stripe's Dashboard shows it again. Null unless an endpoint was made just now."
    )
    replayed: bool = strawberry.field(description=REPLAYED)


SetUpStripeResult = Annotated[
    SetUpStripePayload | ValidationError | NotFoundError | ConflictError | IdempotencyConflictError,
    strawberry.union("SetUpStripeResult", description="How it is set up, or why nothing was changed."),
]


@strawberry.type
class StripeSetupMutations:
    @strawberry.mutation(
        directives=requires(*OPERATES),
        description="Make or update the webhook endpoint at Stripe that sends this service the events that it uses. "
        "Other endpoints are left alone and none is ever deleted. Doing it again does no harm.",
    )
    async def set_up_stripe(self, info: Info, input: SetUpStripeInput) -> SetUpStripeResult:
        command = stripe_setup.SetUpStripeInput(
            idempotency_key=input.idempotency_key, url=input.url, dry_run=input.dry_run
        )
        done = await stripe_setup.set_up_stripe(info.context.rt, info.context.principal, command)
        return SetUpStripePayload(
            dry_run=input.dry_run,
            livemode=done.livemode,
            api_version=done.api_version,
            endpoint=StripeWebhookEndpoint.from_domain(done.endpoint) if done.endpoint else None,
            changes=[StripeSetupChange.from_domain(change) for change in done.changes],
            findings=[StripeSetupFinding.from_domain(finding) for finding in done.findings],
            secret=done.secret,
            replayed=done.replayed,
        )
