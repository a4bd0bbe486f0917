"""Grants on top of plans, and overrides in their place."""

from decimal import Decimal
from typing import Annotated

import strawberry

from app.domain import grant as domain
from app.domain.plan import LimitBehavior, ResetPeriod
from app.graphql.context import Info
from app.graphql.mutations.inputs import KEY, REPLAYED, WORKSPACE, to_value
from app.graphql.permissions import WRITES_BILLING, follows, requires
from app.graphql.scalars import DateTime, Json
from app.graphql.types.errors import ConflictError, IdempotencyConflictError, NotFoundError, ValidationError
from app.graphql.types.grants import EntitlementGrant, EntitlementOverride
from app.services import grants


@strawberry.input(description="Something given on top of the plan; it only ever adds.")
class GrantEntitlementInput:
    idempotency_key: str = strawberry.field(description=KEY)
    workspace_id: strawberry.ID = strawberry.field(description=WORKSPACE)
    feature_key: str = strawberry.field(description="The feature; of one that draws on credits, the credit type.")
    source: domain.GrantSource = strawberry.field(
        default=domain.GrantSource.MANUAL, description="PROMOTIONAL, TOP_UP (it was paid for) or MANUAL."
    )
    amount: Decimal | None = strawberry.field(
        default=None, description="METERED and CREDIT: above 0, and needed unless `unlimited`."
    )
    unlimited: bool = strawberry.field(default=False, description="METERED and CREDIT: lifts every limit.")
    value: Json | None = strawberry.field(default=None, description="CONFIG: needed.")
    priority: int = strawberry.field(
        default=domain.PRIORITY,
        description="METERED and CREDIT: 0 to 1000; lower is used up first. Of equals, what expires first.",
    )
    reset_period: ResetPeriod = strawberry.field(
        default=ResetPeriod.NEVER,
        description="METERED and CREDIT: the amount is full again after each, counted from effectiveAt; NEVER is used "
        "up once. NEVER for FLUCTUATING features and with `unlimited`, never BILLING_CYCLE.",
    )
    effective_at: DateTime | None = strawberry.field(
        default=None, description="In force from then on; now unless given."
    )
    expires_at: DateTime | None = strawberry.field(
        default=None, description="In force until then; for ever unless given."
    )
    reason: str | None = strawberry.field(default=None, description="Why, for people.")


@strawberry.input(description="Which grant is to be taken back.")
class RevokeGrantInput:
    idempotency_key: str = strawberry.field(description=KEY)
    grant_id: strawberry.ID = strawberry.field(description="The grant.")
    reason: str | None = strawberry.field(default=None, description="Why, for people; replaces the grant's reason.")


@strawberry.input(
    description="What replaces the plans' word on one feature. There is one per subscription and feature."
)
class SetOverrideInput:
    idempotency_key: str = strawberry.field(description=KEY)
    workspace_id: strawberry.ID = strawberry.field(description=WORKSPACE)
    feature_key: str = strawberry.field(
        description="The feature. One that draws on credits can only be `revoked`; limit its credit type instead."
    )
    subscription_id: strawberry.ID | None = strawberry.field(
        default=None, description="Replaces this subscription's word only; the whole workspace's unless given."
    )
    revoked: bool = strawberry.field(default=False, description="Takes the feature away, whatever else gives it.")
    limit: Decimal | None = strawberry.field(
        default=None, description="METERED and CREDIT: needed unless `revoked` or limitBehavior is UNLIMITED."
    )
    limit_behavior: LimitBehavior = strawberry.field(
        default=LimitBehavior.HARD, description="What happens beyond the limit."
    )
    reset_period: ResetPeriod = strawberry.field(
        default=ResetPeriod.NEVER, description="When usage starts from zero again."
    )
    value: Json | None = strawberry.field(default=None, description="CONFIG: needed unless `revoked`.")
    expires_at: DateTime | None = strawberry.field(
        default=None, description="In force until then; for ever unless given."
    )
    reason: str | None = strawberry.field(default=None, description="Why, for people.")


@strawberry.input(description="Which override is to be removed.")
class RemoveOverrideInput:
    idempotency_key: str = strawberry.field(description=KEY)
    override_id: strawberry.ID = strawberry.field(description="The override.")


@strawberry.type(directives=follows(), description="The grant as it now stands.")
class GrantPayload:
    grant: EntitlementGrant = strawberry.field(description="As written.")
    replayed: bool = strawberry.field(description=REPLAYED)


@strawberry.type(directives=follows(), description="The override as it now stands.")
class OverridePayload:
    override: EntitlementOverride = strawberry.field(description="As written.")
    replayed: bool = strawberry.field(description=REPLAYED)


GrantResult = Annotated[
    GrantPayload | ValidationError | NotFoundError | ConflictError | IdempotencyConflictError,
    strawberry.union("GrantResult", description="The grant, or why nothing was changed."),
]
OverrideResult = Annotated[
    OverridePayload | ValidationError | NotFoundError | ConflictError | IdempotencyConflictError,
    strawberry.union("OverrideResult", description="The override, or why nothing was changed."),
]


@strawberry.type
class GrantMutations:
    @strawberry.mutation(directives=requires(*WRITES_BILLING), description="Give something on top of the plan.")
    async def grant_entitlement(self, info: Info, input: GrantEntitlementInput) -> GrantResult:
        command = grants.GrantEntitlementInput(
            idempotency_key=input.idempotency_key,
            workspace_id=input.workspace_id,
            feature_key=input.feature_key,
            source=input.source,
            amount=input.amount,
            unlimited=input.unlimited,
            value=to_value(input.value),
            priority=input.priority,
            reset_period=input.reset_period,
            effective_at=input.effective_at,
            expires_at=input.expires_at,
            reason=input.reason or "",
        )
        return _granted(await grants.grant_entitlement(info.context.loaded(), info.context.principal, command))

    @strawberry.mutation(
        directives=requires(*WRITES_BILLING), description="Take a grant back now. Doing so again changes nothing."
    )
    async def revoke_grant(self, info: Info, input: RevokeGrantInput) -> GrantResult:
        command = grants.RevokeGrantInput(
            idempotency_key=input.idempotency_key, grant_id=input.grant_id, reason=input.reason or ""
        )
        return _granted(await grants.revoke_grant(info.context.loaded(), info.context.principal, command))

    @strawberry.mutation(
        directives=requires(*WRITES_BILLING), description="Replace the plans' word on one feature, or take it away."
    )
    async def set_override(self, info: Info, input: SetOverrideInput) -> OverrideResult:
        command = grants.SetOverrideInput(
            idempotency_key=input.idempotency_key,
            workspace_id=input.workspace_id,
            feature_key=input.feature_key,
            subscription_id=input.subscription_id,
            revoked=input.revoked,
            limit=input.limit,
            limit_behavior=input.limit_behavior,
            reset_period=input.reset_period,
            value=to_value(input.value),
            expires_at=input.expires_at,
            reason=input.reason or "",
        )
        return _overridden(await grants.set_override(info.context.loaded(), info.context.principal, command))

    @strawberry.mutation(directives=requires(*WRITES_BILLING), description="Let the plans speak again.")
    async def remove_override(self, info: Info, input: RemoveOverrideInput) -> OverrideResult:
        command = grants.RemoveOverrideInput(idempotency_key=input.idempotency_key, override_id=input.override_id)
        return _overridden(await grants.remove_override(info.context.loaded(), info.context.principal, command))


def _granted(written: grants.Written[domain.Grant]) -> GrantPayload:
    return GrantPayload(grant=EntitlementGrant.from_domain(written.record), replayed=written.replayed)


def _overridden(written: grants.Written[domain.Override]) -> OverridePayload:
    return OverridePayload(override=EntitlementOverride.from_domain(written.record), replayed=written.replayed)
