"""A backfill from Stripe: how far it is, and what it found."""

from decimal import Decimal

import strawberry

from app.domain import stripe_backfill as domain
from app.graphql.permissions import OPERATES, requires
from app.graphql.scalars import DateTime
from app.graphql.types.grants import instant
from app.graphql.types.stripe_event import StripeObjectName


@strawberry.type(directives=requires(*OPERATES), description="What a backfill found of one type.")
class StripeBackfillCount:
    type: str = strawberry.field(description="The type, in Stripe's word: `customer`.")
    listed: int = strawberry.field(description="Objects read. A list that had to be begun again counts them again.")
    changed: int = strawberry.field(
        description="Those that were unknown here or different; in a dry run, those that would be stored."
    )
    parked: int = strawberry.field(
        description="Those that wait for a customer or workspace unknown here. In a dry run also those whose customer "
        "a real one would bring."
    )
    failed: int = strawberry.field(
        description="Those that could not be stored; the worker tries again, and lists what stays so as dead."
    )

    @classmethod
    def from_domain(cls, count: domain.TypeCount) -> "StripeBackfillCount":
        """Translate."""
        return cls(
            type=count.type, listed=count.listed, changed=count.changed, parked=count.parked, failed=count.failed
        )


@strawberry.type(
    directives=requires(*OPERATES),
    description="Reads every product, price, customer and subscription at Stripe, in this order, of every status, and "
    "stores what differs. It goes on by itself after a crash, and webhooks may come meanwhile.",
)
class StripeBackfill:
    id: strawberry.ID = strawberry.field(description="Its id, backfill_….")
    status: domain.BackfillStatus = strawberry.field(description="Whether it goes on, and else how it ended.")
    dry_run: bool = strawberry.field(description="Whether it only tells what would change.")
    counts: list[StripeBackfillCount] = strawberry.field(
        description="By type, in the order in which they are read; types not yet reached are left out."
    )
    listed: int = strawberry.field(description="Objects of all types read so far.")
    objects_per_second: Decimal | None = strawberry.field(
        description="How fast they were read, to one place; null before the first page."
    )
    seconds_left: int | None = strawberry.field(
        description="An estimate for the type that is read now, by how much of the account's life its list has "
        "passed. Null where that is unknown: before the catalogue was read, and when it has ended."
    )
    changed: list[StripeObjectName] = strawberry.field(description="The first hundred that changed, or would.")
    trouble: str | None = strawberry.field(
        description="Why Stripe cannot be asked now; it is tried again. Null while it answers."
    )
    failure: str | None = strawberry.field(description="Why it is FAILED; else null.")
    started_at: DateTime = strawberry.field(description="When it was asked for.")
    finished_at: DateTime | None = strawberry.field(description="When it ended, however it did; null while RUNNING.")

    @classmethod
    def from_domain(cls, run: domain.Backfill) -> "StripeBackfill":
        """Translate."""
        return cls(
            id=strawberry.ID(run.id),
            status=run.status,
            dry_run=run.dry_run,
            counts=[StripeBackfillCount.from_domain(count) for count in run.counts],
            listed=run.listed,
            objects_per_second=run.objects_per_second,
            seconds_left=run.seconds_left,
            changed=[StripeObjectName.from_domain(name) for name in run.changed],
            trouble=run.trouble,
            failure=run.failure,
            started_at=DateTime(run.started_at),
            finished_at=instant(run.finished_at),
        )
