"""The ledger of usage and its sums."""

from decimal import Decimal

import strawberry

from app.domain import usage as domain
from app.domain import usage_summary as sums
from app.domain.plan import ResetPeriod
from app.domain.usage import UsageKind
from app.graphql.permissions import SEES_ENTITLEMENT, requires
from app.graphql.scalars import DateTime, Json
from app.graphql.types.entitlement import Entitlement
from app.graphql.types.grants import instant
from app.graphql.types.node import Node


@strawberry.type(
    directives=requires(*SEES_ENTITLEMENT),
    description="Where an amount was taken from: a grant, an add-on or a rollover, or else the plan.",
)
class UsageDraw:
    amount: Decimal = strawberry.field(description="In units of the balance; negative where it went back.")
    grant_id: strawberry.ID | None = strawberry.field(
        description="As in `Entitlement.grants`; null where the plan gave it."
    )
    reset_periods: list[ResetPeriod] = strawberry.field(description="The plan's windows in which it counts.")


@strawberry.type(directives=requires(*SEES_ENTITLEMENT), description="What an entry says of one feature.")
class UsageLine:
    feature_key: str = strawberry.field(description="The feature.")
    amount: Decimal = strawberry.field(
        description="In the feature's unit; of SET and CORRECT the difference, which may be negative."
    )
    charge: Decimal = strawberry.field(description="In units of the balance: credits where the feature has a cost.")
    draws: list[UsageDraw] = strawberry.field(description="Where the charge was taken from.")

    @classmethod
    def from_domain(cls, line: domain.UsageLine) -> "UsageLine":
        """Translate."""
        return cls(
            feature_key=line.feature_key,
            amount=line.amount,
            charge=line.charge,
            draws=[
                UsageDraw(
                    amount=draw.amount,
                    grant_id=None if draw.pot is None else strawberry.ID(draw.pot),
                    reset_periods=[window.reset_period for window in draw.windows],
                )
                for draw in line.draws
            ],
        )


@strawberry.type(
    directives=requires(*SEES_ENTITLEMENT),
    description="One entry of the ledger. It never changes.",
)
class UsageEvent(Node):
    workspace_id: strawberry.ID = strawberry.field(description="Our id of the workspace.")
    kind: UsageKind = strawberry.field(description="What it tells of.")
    lines: list[UsageLine] = strawberry.field(description="All that was accepted together.")
    occurred_at: DateTime = strawberry.field(description="When it happened.")
    recorded_at: DateTime = strawberry.field(description="When we were told.")
    api_key_id: strawberry.ID = strawberry.field(description="Who told us.")
    properties: Json = strawberry.field(description="What the caller added: an object of strings.")
    reservation_id: strawberry.ID | None = strawberry.field(description="Of RESERVE, SETTLE and RELEASE; else null.")
    expires_at: DateTime | None = strawberry.field(description="Of RESERVE: when it returns by itself; else null.")
    corrects_id: strawberry.ID | None = strawberry.field(description="Of CORRECT: the entry it corrects; else null.")
    reason: str = strawberry.field(description="Of CORRECT: why; else empty.")

    @classmethod
    def from_domain(cls, event: domain.UsageEvent) -> "UsageEvent":
        """Translate."""
        return cls(
            id=strawberry.ID(event.id),
            workspace_id=strawberry.ID(event.workspace_id),
            kind=event.kind,
            lines=[UsageLine.from_domain(line) for line in event.lines],
            occurred_at=DateTime(event.occurred_at),
            recorded_at=DateTime(event.recorded_at),
            api_key_id=strawberry.ID(event.principal),
            properties=Json(event.properties),
            reservation_id=None if event.reservation_id is None else strawberry.ID(event.reservation_id),
            expires_at=instant(event.expires_at),
            corrects_id=None if event.corrects is None else strawberry.ID(event.corrects),
            reason=event.reason,
        )


@strawberry.type(directives=requires(*SEES_ENTITLEMENT), description="What was used in one slice of time.")
class UsageSlice:
    start_at: DateTime = strawberry.field(description="Its first instant.")
    end_at: DateTime = strawberry.field(description="The first instant after it.")
    amount: Decimal = strawberry.field(
        description="In the feature's unit; of a FLUCTUATING feature, by how much its level changed."
    )
    charge: Decimal = strawberry.field(description="In units of the balance: credits where the feature has a cost.")
    events: int = strawberry.field(description="How many entries of the ledger it adds up.")


@strawberry.type(
    directives=requires(*SEES_ENTITLEMENT), description="Usage of one feature over time, corrections included."
)
class UsageSummary:
    workspace_id: strawberry.ID = strawberry.field(description="Our id of the workspace.")
    feature_key: str = strawberry.field(description="The feature.")
    amount: Decimal = strawberry.field(description="All slices together, in the feature's unit.")
    charge: Decimal = strawberry.field(description="All slices together, in units of the balance.")
    slices: list[UsageSlice] = strawberry.field(
        description="In UTC, in their order, empty ones too. The first and the last count only what is in the range."
    )

    @classmethod
    def from_domain(cls, workspace_id: str, feature_key: str, slices: tuple[sums.Slice, ...]) -> "UsageSummary":
        """Translate."""
        return cls(
            workspace_id=strawberry.ID(workspace_id),
            feature_key=feature_key,
            amount=sum((part.amount for part in slices), Decimal(0)),
            charge=sum((part.charge for part in slices), Decimal(0)),
            slices=[
                UsageSlice(
                    start_at=DateTime(part.start_at),
                    end_at=DateTime(part.end_at),
                    amount=part.amount,
                    charge=part.charge,
                    events=part.events,
                )
                for part in slices
            ],
        )


@strawberry.type(
    directives=requires(*SEES_ENTITLEMENT),
    description="That usage has reached a threshold of the plan: once per period of the feature.",
)
class UsageThreshold:
    threshold: int = strawberry.field(description="In percent of the limit, as the plan sets it.")
    reset_period: ResetPeriod = strawberry.field(description="Of the limit: a plan may have several.")
    entitlement: Entitlement = strawberry.field(description="As it is now: a check for one more unit.")
