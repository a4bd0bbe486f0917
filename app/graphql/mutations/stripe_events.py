"""What operators do with Stripe's events: replay them, give dead ones up."""

from typing import Annotated, Final

import msgspec
import strawberry

from app.domain import stripe_event as domain
from app.graphql.context import Info
from app.graphql.mutations.inputs import KEY, REPLAYED
from app.graphql.permissions import OPERATES, follows, requires
from app.graphql.scalars import DateTime
from app.graphql.types.errors import ConflictError, IdempotencyConflictError, NotFoundError, ValidationError
from app.graphql.types.stripe_event import OBJECT_TYPE, StripeEvent, StripeObjectName, with_queue
from app.services import stripe_events

_SHOWN: Final = 100


@strawberry.input(description="Which event is to be replayed.")
class ReplayStripeEventInput:
    idempotency_key: str = strawberry.field(description=KEY)
    event_id: strawberry.ID = strawberry.field(description="Stripe's id of the event.")
    dry_run: bool = strawberry.field(default=False, description="Only find it, and mark nothing.")


@strawberry.input(description="One of Stripe's objects.")
class StripeObjectInput:
    type: str = strawberry.field(description=OBJECT_TYPE)
    id: strawberry.ID = strawberry.field(description="Stripe's id of it.")


@strawberry.input(
    description="What is to be replayed: one object, what was received in a time, or what failed since an instant. "
    "Exactly one of `object`, `receivedFromAt` and `failedSinceAt` is given."
)
class ReplayStripeEventsInput:
    idempotency_key: str = strawberry.field(description=KEY)
    object: StripeObjectInput | None = strawberry.field(default=None, description="This one, known here or not.")
    received_from_at: DateTime | None = strawberry.field(
        default=None, description="The objects of all events that were received then or later."
    )
    received_to_at: DateTime | None = strawberry.field(
        default=None, description="With `receivedFromAt`: received before then. Default: now."
    )
    failed_since_at: DateTime | None = strawberry.field(
        default=None,
        description="All objects whose last attempt failed then or later, and that wait or are dead.",
    )
    after: str | None = strawberry.field(
        default=None, description="The `endCursor` of an earlier answer to the same question: go on behind it."
    )
    dry_run: bool = strawberry.field(default=False, description="Only find and count them, and mark nothing.")


@strawberry.input(description="Which dead letters are given up: `eventIds`, or all of `objectId`.")
class DiscardStripeEventsInput:
    idempotency_key: str = strawberry.field(description=KEY)
    reason: str = strawberry.field(description="Why, for people; at most 500 characters.")
    event_ids: list[strawberry.ID] | None = strawberry.field(default=None, description="At most 100, all of them DEAD.")
    object_id: strawberry.ID | None = strawberry.field(
        default=None, description="Stripe's id of an object: all its dead events, and the object itself."
    )


@strawberry.type(directives=follows(), description="The event whose object is looked at anew.")
class ReplayStripeEventPayload:
    event: StripeEvent = strawberry.field(description="As it now stands; the worker takes it up at once.")
    replayed: bool = strawberry.field(
        description="Whether this request had been answered before; then nothing was done."
    )


@strawberry.type(
    directives=follows(),
    description="The objects that are looked at anew. One request looks through 5,000 events or objects.",
)
class ReplayStripeEventsPayload:
    marked: int = strawberry.field(
        description="How many objects were marked, or would be. One that has events in several requests' parts "
        "is marked by each."
    )
    events: int | None = strawberry.field(
        description="How many events they were found by; null unless asked for by `receivedFromAt`."
    )
    objects: list[StripeObjectName] = strawberry.field(description="The first hundred of them.")
    has_more: bool = strawberry.field(description="Whether more may follow; ask again with `after: endCursor`.")
    end_cursor: str | None = strawberry.field(description="Where to go on; null where `hasMore` is false.")
    dry_run: bool = strawberry.field(description="Whether nothing was marked.")
    replayed: bool = strawberry.field(description=REPLAYED)


@strawberry.type(directives=follows(), description="What was given up. Discarded events stay listed.")
class DiscardStripeEventsPayload:
    events: int = strawberry.field(description="How many events are DISCARDED by this.")
    objects: int = strawberry.field(description="How many dead objects are not counted as dead any more.")
    replayed: bool = strawberry.field(description=REPLAYED)


ReplayStripeEventResult = Annotated[
    ReplayStripeEventPayload | ValidationError | NotFoundError | ConflictError | IdempotencyConflictError,
    strawberry.union("ReplayStripeEventResult", description="The event, or why nothing was done."),
]
ReplayStripeEventsResult = Annotated[
    ReplayStripeEventsPayload | ValidationError | NotFoundError | ConflictError | IdempotencyConflictError,
    strawberry.union("ReplayStripeEventsResult", description="What was marked, or why nothing was."),
]
DiscardStripeEventsResult = Annotated[
    DiscardStripeEventsPayload | ValidationError | NotFoundError | ConflictError | IdempotencyConflictError,
    strawberry.union("DiscardStripeEventsResult", description="What was given up, or why nothing was."),
]


@strawberry.type
class StripeEventMutations:
    @strawberry.mutation(
        directives=requires(*OPERATES), description="Look at a Stripe event's object again, also when it was given up."
    )
    async def replay_stripe_event(self, info: Info, input: ReplayStripeEventInput) -> ReplayStripeEventResult:
        rt = info.context.rt
        command = stripe_events.ReplayInput(
            idempotency_key=input.idempotency_key, event_id=input.event_id, dry_run=input.dry_run
        )
        done = await stripe_events.replay(rt, info.context.principal, command)
        return ReplayStripeEventPayload(event=(await with_queue(rt.inbox, [done.event]))[0], replayed=done.replayed)

    @strawberry.mutation(
        directives=requires(*OPERATES),
        description="Look at many objects again. Their state is asked for anew; what events said is never applied "
        "again. Without an API key only events that still wait can be applied.",
    )
    async def replay_stripe_events(self, info: Info, input: ReplayStripeEventsInput) -> ReplayStripeEventsResult:
        cursors, listing = info.context.cursors, _listing(input)
        command = stripe_events.ReplayManyInput(
            idempotency_key=input.idempotency_key,
            object=domain.ObjectName(input.object.type, input.object.id) if input.object else None,
            from_at=input.received_from_at,
            to_at=input.received_to_at,
            failed_since_at=input.failed_since_at,
            after=cursors.read(listing, input.after),
            dry_run=input.dry_run,
        )
        done = await stripe_events.replay_many(info.context.rt, info.context.principal, command)
        chosen = done.chosen
        return ReplayStripeEventsPayload(
            marked=len(chosen.objects),
            events=chosen.events,
            objects=[StripeObjectName.from_domain(n) for n in chosen.objects[:_SHOWN]],
            has_more=chosen.end is not None,
            end_cursor=cursors.write(listing, chosen.end) if chosen.end else None,
            dry_run=input.dry_run,
            replayed=done.replayed,
        )

    @strawberry.mutation(
        directives=requires(*OPERATES),
        description="Give up dead letters that no replay will help. They stay listed as DISCARDED, with who and why, "
        "for INBOX_RETENTION_DAYS.",
    )
    async def discard_stripe_events(self, info: Info, input: DiscardStripeEventsInput) -> DiscardStripeEventsResult:
        command = stripe_events.DiscardInput(
            idempotency_key=input.idempotency_key,
            reason=input.reason,
            event_ids=tuple(input.event_ids or ()),
            object_id=input.object_id,
        )
        done = await stripe_events.discard(info.context.rt, info.context.principal, command)
        return DiscardStripeEventsPayload(
            events=done.discarded.events, objects=done.discarded.objects, replayed=done.replayed
        )


def _listing(input: ReplayStripeEventsInput) -> str:
    """Name what is asked for, so that a cursor leads on in that only."""
    bounds = (input.received_from_at, input.received_to_at, input.failed_since_at)
    return f"replayStripeEvents:{msgspec.json.encode(bounds).decode()}"
