"""Grants and overrides: what a workspace has beside its plans."""

from decimal import Decimal

import strawberry

from app.domain import grant as domain
from app.domain.change import Kind
from app.domain.entitlement import Contribution
from app.domain.plan import LimitBehavior, ResetPeriod
from app.graphql.context import Info
from app.graphql.permissions import SEES_ENTITLEMENT, requires
from app.graphql.scalars import DateTime, Json
from app.graphql.types.node import Node


def instant(at: int | None) -> DateTime | None:
    """Translate an optional instant."""
    return None if at is None else DateTime(at)


def optional_json(value: object | None) -> Json | None:
    """Translate an optional value of a CONFIG feature."""
    return None if value is None else Json(value)


@strawberry.type(
    directives=requires(*SEES_ENTITLEMENT),
    description="One contribution to an entitlement: a plan's word, an override, or a grant given on top.",
)
class EntitlementGrant(Node):
    feature_key: str = strawberry.field(description="The feature it adds to.")
    source: domain.GrantSource = strawberry.field(description="Where it comes from.")
    source_id: strawberry.ID = strawberry.field(
        description="The subscription's id; the plan's for the free plan and a trial; the workspace's for grants; "
        "its own for a rollover."
    )
    limit_behavior: LimitBehavior = strawberry.field(description="UNLIMITED where it lifts every limit.")
    amount: Decimal | None = strawberry.field(description="METERED and CREDIT only; null where it is unlimited.")
    remaining: Decimal | None = strawberry.field(
        description="What is left of the amount, never below 0. Told within an entitlement, of what is used up beside "
        "the plans; else null, and null where it is unlimited."
    )
    priority: int | None = strawberry.field(
        description="Lower is used up first; 100 unless told otherwise. Null for what is not used up beside the plans."
    )
    value: Json | None = strawberry.field(description="CONFIG only.")
    reset_period: ResetPeriod | None = strawberry.field(
        description="When usage of the amount starts from zero; NEVER is used up once. Null without an amount."
    )
    resets_at: DateTime | None = strawberry.field(
        description="When the amount is full again. Told as `remaining` is; null is never, too."
    )
    effective_at: DateTime | None = strawberry.field(description="In force from then on; null for plans.")
    expires_at: DateTime | None = strawberry.field(description="In force until then; null is for ever.")
    revoked_at: DateTime | None = strawberry.field(description="When a grant was taken back; null while it stands.")
    given_for: strawberry.Private[str | None] = None

    @strawberry.field(
        description="Why it was given or decided, as people wrote it; may be empty. Null where a plan gives it."
    )
    def reason(self, info: Info) -> str | None:
        if self.given_for is not None:
            return self.given_for
        kind = Kind.OVERRIDE if self.source is domain.GrantSource.OVERRIDE else Kind.GRANT
        record = info.context.rt.cache.held(kind, self.id)
        return record.reason if isinstance(record, domain.Grant | domain.Override) else None

    @classmethod
    def from_contribution(cls, feature_key: str, part: Contribution) -> "EntitlementGrant":
        """Translate what `evaluate` found."""
        return cls(
            id=strawberry.ID(part.id),
            feature_key=feature_key,
            source=part.source,
            source_id=strawberry.ID(part.source_id),
            limit_behavior=part.limit_behavior,
            amount=part.amount,
            remaining=part.remaining,
            priority=part.priority,
            value=optional_json(part.value),
            reset_period=part.reset_period,
            resets_at=instant(part.resets_at),
            effective_at=instant(part.effective_at),
            expires_at=instant(part.expires_at),
            revoked_at=None,
        )

    @classmethod
    def from_domain(cls, grant: domain.Grant) -> "EntitlementGrant":
        """Translate a grant's record."""
        is_counted = grant.unlimited or grant.amount is not None
        return cls(
            id=strawberry.ID(grant.id),
            feature_key=grant.feature_key,
            source=grant.source,
            source_id=strawberry.ID(grant.workspace_id),
            limit_behavior=LimitBehavior.UNLIMITED if grant.unlimited else LimitBehavior.HARD,
            amount=grant.amount,
            remaining=None,
            priority=grant.priority if is_counted else None,
            value=optional_json(grant.value),
            reset_period=grant.reset_period if is_counted else None,
            resets_at=None,
            effective_at=DateTime(grant.effective_at),
            expires_at=instant(grant.expires_at),
            revoked_at=instant(grant.revoked_at),
            given_for=grant.reason,
        )


@strawberry.type(
    directives=requires(*SEES_ENTITLEMENT),
    description="A decision that replaces what plans say of one feature, for one subscription or the whole workspace.",
)
class EntitlementOverride(Node):
    workspace_id: strawberry.ID = strawberry.field(description="The workspace it is for.")
    subscription_id: strawberry.ID | None = strawberry.field(description="Null where it is for the whole workspace.")
    feature_key: str = strawberry.field(description="The feature it decides.")
    revoked: bool = strawberry.field(description="Whether it takes the feature away, whatever else gives it.")
    limit: Decimal | None = strawberry.field(description="METERED and CREDIT only; null where unlimited or revoked.")
    limit_behavior: LimitBehavior = strawberry.field(description="What happens beyond the limit.")
    reset_period: ResetPeriod = strawberry.field(description="When usage starts from zero again.")
    value: Json | None = strawberry.field(description="CONFIG only.")
    expires_at: DateTime | None = strawberry.field(description="In force until then; null is for ever.")
    reason: str = strawberry.field(description="Why it was decided.")
    removed_at: DateTime | None = strawberry.field(description="When it was removed; null while it stands.")
    version: str = strawberry.field(description="Rises by one with every change.")

    @classmethod
    def from_domain(cls, override: domain.Override) -> "EntitlementOverride":
        """Translate."""
        of = override.subscription_id
        return cls(
            id=strawberry.ID(override.id),
            workspace_id=strawberry.ID(override.workspace_id),
            subscription_id=None if of is None else strawberry.ID(of),
            feature_key=override.feature_key,
            revoked=override.revoked,
            limit=override.limit,
            limit_behavior=override.limit_behavior,
            reset_period=override.reset_period,
            value=optional_json(override.value),
            expires_at=instant(override.expires_at),
            reason=override.reason,
            removed_at=instant(override.deleted_at),
            version=str(override.version),
        )
