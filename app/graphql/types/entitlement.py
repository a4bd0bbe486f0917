"""The answer to a check, and the set of all answers for a workspace."""

import asyncio
from decimal import Decimal

import strawberry

from app.domain import entitlement as domain
from app.domain.explanation import Question, explain
from app.domain.plan import LimitBehavior
from app.domain.remedy import tries
from app.graphql.context import Info
from app.graphql.permissions import SEES_ENTITLEMENT, requires
from app.graphql.scalars import DateTime, Json
from app.graphql.types.catalogue import Feature
from app.graphql.types.explanation import DecisionStep, Remedy
from app.graphql.types.grants import EntitlementGrant, instant, optional_json


@strawberry.type(
    directives=requires(*SEES_ENTITLEMENT),
    description=(
        "Usage of a METERED feature, or of credits. Where several limits hold, the one that binds most, with all that "
        "grants and add-ons give beside it."
    ),
)
class Usage:
    used: Decimal = strawberry.field(description="Recorded in the period.")
    reserved: Decimal = strawberry.field(description="Held back by reservations; neither used nor remaining.")
    limit: Decimal | None = strawberry.field(description="Null is unlimited.")
    remaining: Decimal | None = strawberry.field(description="Never below 0; null is unlimited.")
    overage: Decimal = strawberry.field(description="How much was used beyond the limit.")
    period_start: DateTime | None = strawberry.field(description="Since when `used` counts; null is since ever.")
    resets_at: DateTime | None = strawberry.field(description="When `used` starts from zero; null is never.")

    @classmethod
    def from_domain(cls, usage: domain.UsageAnswer) -> "Usage":
        """Translate."""
        return cls(
            used=usage.used,
            reserved=usage.reserved,
            limit=usage.limit,
            remaining=usage.remaining,
            overage=usage.overage,
            period_start=instant(usage.period_start_at),
            resets_at=instant(usage.resets_at),
        )


@strawberry.type(
    directives=requires(*SEES_ENTITLEMENT),
    description="Whether a workspace may use a feature now, how much, and why not.",
)
class Entitlement:
    feature_key: str = strawberry.field(description="The key that was asked for, known or not.")
    feature: Feature | None = strawberry.field(description="Null where no feature has this key.")
    has_access: bool = strawberry.field(description="Whether it may be used now, for the amount and values asked for.")
    access_denied_reason: domain.AccessDeniedReason | None = strawberry.field(description="Null exactly with access.")
    limit_behavior: LimitBehavior = strawberry.field(description="What happens beyond the limit.")
    read_only: bool = strawberry.field(description="Access is for reading only: the subscription is overdue or paused.")
    in_grace: bool = strawberry.field(description="Payment failed and access goes on for a while.")
    grace_ends_at: DateTime | None = strawberry.field(description="When grace ends or ended; null without one.")
    is_trial: bool = strawberry.field(description="Access comes from a trial alone.")
    trial_ends_at: DateTime | None = strawberry.field(description="When the trial ends or ended; null without one.")
    value: Json | None = strawberry.field(
        description="CONFIG only: an integer, a string (also for DECIMAL) or a list of strings."
    )
    usage: Usage | None = strawberry.field(
        description="METERED and CREDIT only; null where no plan or grant sets anything."
    )
    grants: list[EntitlementGrant] = strawberry.field(description="Everything that contributes to this answer.")
    valid_until: DateTime | None = strawberry.field(
        description="When the clock alone next changes this answer; null is never. A write can change it sooner."
    )
    version: str = strawberry.field(description="Rises with every change of the workspace; an integer as a string.")

    @classmethod
    def from_domain(cls, answer: domain.Entitlement) -> "Entitlement":
        """Translate."""
        return cls(
            feature_key=answer.feature_key,
            feature=Feature.from_domain(answer.feature) if answer.feature else None,
            has_access=answer.has_access,
            access_denied_reason=answer.access_denied_reason,
            limit_behavior=answer.limit_behavior,
            read_only=answer.read_only,
            in_grace=answer.in_grace,
            grace_ends_at=instant(answer.grace_ends_at),
            is_trial=answer.is_trial,
            trial_ends_at=instant(answer.trial_ends_at),
            value=optional_json(answer.value),
            usage=Usage.from_domain(answer.usage) if answer.usage else None,
            grants=[EntitlementGrant.from_contribution(answer.feature_key, part) for part in answer.grants],
            valid_until=instant(answer.valid_until_at),
            version=str(answer.version),
        )


@strawberry.type(directives=requires(*SEES_ENTITLEMENT), description="The outcome of a check.")
class EntitlementDecision:
    question: strawberry.Private[Question | None]
    answer: strawberry.Private[domain.Entitlement]
    entitlement: Entitlement = strawberry.field(description="The answer; a denial is an answer too.")

    @strawberry.field(
        description=(
            "The rules in the order in which they were asked, up to the one that settled it; computed when selected. "
            "Empty with STATE_UNKNOWN."
        )
    )
    async def explanation(self, info: Info) -> list[DecisionStep]:
        if self.question is None:
            return []
        async with info.context.turn:
            await asyncio.sleep(0)  # milliseconds a decision: other requests come in between
            return [DecisionStep.from_domain(step) for step in explain(self.question)]

    @strawberry.field(
        description=(
            "What would turn a denial into access, each by itself; computed when selected. Empty with access, and "
            "where nothing here helps."
        )
    )
    async def remedies(self, info: Info) -> list[Remedy]:
        if self.question is None or self.answer.has_access:
            return []
        found: list[Remedy] = []
        async with info.context.turn:
            for tried in tries(self.question, self.answer):
                if tried is not None:
                    found.append(Remedy.from_domain(tried))
                await asyncio.sleep(0)  # hundreds of tries a denial: other requests come in between
        return found

    @classmethod
    def of(cls, answer: domain.Entitlement, question: Question | None) -> "EntitlementDecision":
        """Translate an answer; `question` None where nobody can tell why."""
        return cls(question=question, answer=answer, entitlement=Entitlement.from_domain(answer))


@strawberry.type(directives=requires(*SEES_ENTITLEMENT), description="What a workspace may use, all at one instant.")
class EntitlementSet:
    workspace_id: strawberry.ID = strawberry.field(
        description="Our id; what was asked with, where no workspace has it."
    )
    version: str = strawberry.field(description="Rises with every change of the workspace; `0` where it is unknown.")
    entitlements: list[Entitlement] = strawberry.field(
        description="By feature key, or in the order of `featureKeys`. Of an unknown workspace, only those named."
    )
    access_denied_reason: domain.AccessDeniedReason | None = strawberry.field(
        description="Why nothing at all is given: WORKSPACE_NOT_FOUND, WORKSPACE_ARCHIVED or STATE_UNKNOWN; else null."
    )
