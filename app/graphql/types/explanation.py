"""Why a decision is what it is, and what to do about it."""

from decimal import Decimal

import strawberry

from app.domain import explanation as domain
from app.domain.plan import PlanKind
from app.domain.remedy import Remedy as DomainRemedy
from app.domain.remedy import RemedyKind
from app.graphql.permissions import SEES_ENTITLEMENT, requires
from app.graphql.scalars import DateTime, Json
from app.graphql.types.catalogue import AddOn, Plan
from app.graphql.types.grants import instant


@strawberry.type(
    directives=requires(*SEES_ENTITLEMENT), description="One rule that was asked on the way to a decision."
)
class DecisionStep:
    rule: str = strawberry.field(
        description=(
            "WORKSPACE_KNOWN, WORKSPACE_ACTIVE, FEATURE_KNOWN, QUESTION_FITS, GIVEN (by a plan or a grant), MAY_WRITE "
            "(and not only read), WITHIN_LIMITS, VALUE_ALLOWED."
        )
    )
    input: Json = strawberry.field(description="What the rule saw: an object; amounts are strings, instants epoch ms.")
    outcome: str = strawberry.field(description="PASSED, or the reason for denial.")
    decisive: bool = strawberry.field(description="Whether this rule settled the answer; exactly one did.")

    @classmethod
    def from_domain(cls, step: domain.Step) -> "DecisionStep":
        """Translate."""
        return cls(rule=step.rule, input=Json(step.input), outcome=step.outcome, decisive=step.decisive)


@strawberry.type(
    directives=requires(*SEES_ENTITLEMENT), description="Something that would turn the denial into access by itself."
)
class Remedy:
    kind: RemedyKind = strawberry.field(description="What is to be done.")
    plan: Plan | None = strawberry.field(description="Of PLAN: the plan to change to; else null.")
    add_on: AddOn | None = strawberry.field(description="Of ADD_ON: what to buy; else null.")
    quantity: Decimal | None = strawberry.field(
        description="Of ADD_ON: how many more. Of TOP_UP: how much, in the feature's unit or in credits. Else null."
    )
    subscription_id: strawberry.ID | None = strawberry.field(
        description="Of PAY_INVOICE: the subscription whose invoice is open; else null."
    )
    at: DateTime | None = strawberry.field(description="Of WAIT_UNTIL: from when on it works by itself; else null.")

    @classmethod
    def from_domain(cls, remedy: DomainRemedy) -> "Remedy":
        """Translate."""
        plan = remedy.plan
        is_add_on = plan is not None and plan.kind is PlanKind.ADD_ON
        return cls(
            kind=remedy.kind,
            plan=Plan.from_domain(plan) if plan is not None and not is_add_on else None,
            add_on=AddOn.from_domain(plan) if plan is not None and is_add_on else None,
            quantity=remedy.quantity,
            subscription_id=None if remedy.subscription_id is None else strawberry.ID(remedy.subscription_id),
            at=instant(remedy.at),
        )
