"""Workspaces and the billing subscriptions that serve them."""

from collections import Counter
from collections.abc import Awaitable

import strawberry

from app.domain import subscription as billing
from app.domain import workspace as domain
from app.domain.coverage import holdings
from app.domain.plan import PlanKind
from app.domain.workspace_state import WorkspaceState
from app.graphql.context import Info
from app.graphql.pagination import Connection, connection_of, page_size
from app.graphql.permissions import SEES_WORKSPACE, requires
from app.graphql.scalars import DateTime, Json
from app.graphql.types.billing_details import BillingDetails, WorkspaceTrial
from app.graphql.types.catalogue import AddOn, Plan
from app.graphql.types.decision import entitlement_set
from app.graphql.types.entitlement import EntitlementSet
from app.graphql.types.grants import instant
from app.graphql.types.node import Node
from app.ports.store import Page


@strawberry.type(directives=requires(*SEES_WORKSPACE), description="One priced line of a subscription.")
class SubscriptionItem:
    id: strawberry.ID = strawberry.field(description="Stripe's id.")
    price_id: strawberry.ID = strawberry.field(description="Stripe's id of the price.")
    lookup_key: str | None = strawberry.field(description="The price's lookup key, where it has one.")
    quantity: int = strawberry.field(description="How many are paid for.")
    current_period_start_at: DateTime = strawberry.field(description="Since when the period paid for runs.")
    current_period_end_at: DateTime = strawberry.field(description="When it ends and renews.")
    plan: Plan | None = strawberry.field(
        description="The plan version it buys; null for an add-on, and where no plan names the price."
    )
    add_on: AddOn | None = strawberry.field(
        description="The add-on version it buys; null for a plan, and where no add-on names the price."
    )


@strawberry.type(directives=requires(*SEES_WORKSPACE), description="An add-on that a subscription has.")
class SubscriptionAddOn:
    add_on: AddOn = strawberry.field(description="The version it has.")
    quantity: int = strawberry.field(description="How many; its limits are multiplied by it.")


@strawberry.type(directives=requires(*SEES_WORKSPACE), description="A billing subscription; `id` is Stripe's.")
class Subscription(Node):
    record: strawberry.Private[billing.Subscription]
    status: billing.SubscriptionStatus = strawberry.field(description="Stripe's word.")
    started_at: DateTime = strawberry.field(description="When it began.")
    current_period_start_at: DateTime = strawberry.field(description="The latest start among the items.")
    current_period_end_at: DateTime | None = strawberry.field(
        description="When it next renews: the earliest end among the items; null without items."
    )
    trial_ends_at: DateTime | None = strawberry.field(
        description="When Stripe's trial ends or ended; null without one."
    )
    cancel_at_period_end: bool = strawberry.field(
        description="It is canceled when the period ends; access stays till then."
    )
    cancel_at: DateTime | None = strawberry.field(description="When it will be canceled; null where no date is set.")
    canceled_at: DateTime | None = strawberry.field(description="When the cancellation was asked for.")
    ended_at: DateTime | None = strawberry.field(description="When it ended; null while it lives.")
    stripe_customer_id: strawberry.ID = strawberry.field(description="Stripe's customer who pays.")
    workspace_id: strawberry.ID = strawberry.field(description="Our id of the workspace it serves.")
    provisional: bool = strawberry.field(description="Told by an event alone, not yet confirmed by Stripe's API.")
    version: str = strawberry.field(description="Rises by one with every change of our record.")

    @classmethod
    def from_domain(cls, sub: billing.Subscription) -> "Subscription":
        """Translate."""
        return cls(
            id=strawberry.ID(sub.id),
            record=sub,
            status=sub.status,
            started_at=DateTime(sub.started_at),
            current_period_start_at=DateTime(sub.current_period_start_at),
            current_period_end_at=instant(sub.renews_at),
            trial_ends_at=instant(sub.trial_end_at),
            cancel_at_period_end=sub.cancel_at_period_end,
            cancel_at=instant(sub.cancel_at),
            canceled_at=instant(sub.canceled_at),
            ended_at=instant(sub.ended_at),
            stripe_customer_id=strawberry.ID(sub.stripe_customer_id),
            workspace_id=strawberry.ID(sub.workspace_id),
            provisional=sub.provisional,
            version=str(sub.version),
        )

    @strawberry.field(description="The first plan that its items buy; null where no plan names a price of it.")
    def plan(self, info: Info) -> Plan | None:
        return next((item.plan for item in _items(self.record, info) if item.plan), None)

    @strawberry.field(description="Every plan that its items buy.")
    def plans(self, info: Info) -> list[Plan]:
        return [item.plan for item in _items(self.record, info) if item.plan]

    @strawberry.field(description="Every add-on that its items buy, each version once.")
    def add_ons(self, info: Info) -> list[SubscriptionAddOn]:
        found: dict[str, AddOn] = {}
        quantities: Counter[str] = Counter()
        for item in _items(self.record, info):
            if item.add_on is not None:
                found[item.add_on.id] = item.add_on
                quantities[item.add_on.id] += item.quantity
        return [SubscriptionAddOn(add_on=add_on, quantity=quantities[key]) for key, add_on in found.items()]

    @strawberry.field(description="The priced lines.")
    def items(self, info: Info) -> list[SubscriptionItem]:
        return _items(self.record, info)

    @strawberry.field(
        graphql_type=DateTime | None,
        description="While it is past due: when grace ends or ended, after which nothing is given. Null without grace.",
    )
    def grace_ends_at(self, info: Info) -> DateTime | Awaitable[DateTime | None] | None:
        def grace(state: WorkspaceState | None) -> DateTime | None:
            catalogue = info.context.rt.cache.catalogue()
            found = holdings(state.workspace, (self.record,), catalogue, info.context.at) if state else ()
            of_this = [h.grace_ends_at for h in found if h.subscription_id == self.id and h.grace_ends_at is not None]
            return instant(max(of_this, default=None))

        return info.context.from_state(self.workspace_id, grace)

    @strawberry.field(
        graphql_type="Workspace | None",
        description="The workspace it serves; null where that was deleted from the database.",
    )
    def workspace(self, info: Info) -> "Workspace | Awaitable[Workspace | None] | None":
        return info.context.from_state(self.workspace_id, workspace_of)


@strawberry.type(
    directives=requires(*SEES_WORKSPACE),
    description="Who pays and who is limited: an organisation, a team or one person.",
)
class Workspace(Node):
    record: strawberry.Private[domain.Workspace]
    external_id: str | None = strawberry.field(
        description="Your own id of it; accepted wherever a workspaceId is. Unique."
    )
    name: str | None = strawberry.field(description="For people.")
    email: str | None = strawberry.field(description="Where billing mail goes.")
    stripe_customer_id: strawberry.ID | None = strawberry.field(
        description="Stripe's record of it; null until Stripe's events linked one."
    )
    metadata: Json = strawberry.field(description="Your own strings by your own keys.")
    billing: BillingDetails = strawberry.field(description="What stands on an invoice.")
    trial: WorkspaceTrial | None = strawberry.field(description="Its trial without Stripe, also when it is over.")
    created_at: DateTime = strawberry.field(description="When it was created.")
    updated_at: DateTime = strawberry.field(description="When its own record last changed.")
    archived_at: DateTime | None = strawberry.field(description="When it was archived; null while it lives.")
    version: str = strawberry.field(description="Of its own record: +1 with every change. Give it as `ifVersion`.")

    @classmethod
    def from_domain(cls, workspace: domain.Workspace) -> "Workspace":
        """Translate."""
        trial = workspace.trial
        customer = workspace.stripe_customer_id
        return cls(
            id=strawberry.ID(workspace.id),
            record=workspace,
            external_id=workspace.external_id,
            name=workspace.name,
            email=workspace.email,
            stripe_customer_id=None if customer is None else strawberry.ID(customer),
            metadata=Json(workspace.metadata),
            billing=BillingDetails.from_domain(workspace.billing),
            trial=None
            if trial is None
            else WorkspaceTrial(
                plan_id=strawberry.ID(trial.plan_id),
                started_at=DateTime(trial.started_at),
                ends_at=DateTime(trial.ends_at),
            ),
            created_at=DateTime(workspace.created_at),
            updated_at=DateTime(workspace.updated_at),
            archived_at=instant(workspace.archived_at),
            version=str(workspace.version),
        )

    @strawberry.field(
        graphql_type=Connection[Subscription],
        description="Its billing subscriptions by id, ended ones too. `first` at most 100.",
    )
    def subscriptions(
        self, info: Info, first: int | None = 50, after: str | None = None
    ) -> Connection[Subscription] | Awaitable[Connection[Subscription]]:
        size = page_size(first)
        listing = f"workspace.subscriptions:{self.id}"
        start = info.context.cursors.read(listing, after) or ""

        def page(state: WorkspaceState | None) -> Connection[Subscription]:
            held = sorted(state.subscriptions if state else (), key=lambda sub: sub.id)
            found = [sub for sub in held if sub.id > start]
            return connection_of(
                Page(tuple(found[:size]), len(found) > size),
                after=after,
                cursor=lambda sub: info.context.cursors.write(listing, sub.id),
                translate=Subscription.from_domain,
                count=lambda: _known(len(held)),
            )

        return info.context.from_state(self.id, page)

    @strawberry.field(graphql_type=EntitlementSet, description="All that it may use now.")
    def entitlements(self, info: Info) -> EntitlementSet | Awaitable[EntitlementSet]:
        context = info.context
        return context.from_state(
            self.id, lambda state: entitlement_set(self.id, state, context.rt.cache.catalogue(), context.at)
        )


def workspace_of(state: WorkspaceState | None) -> Workspace | None:
    """Translate the workspace of a state."""
    return Workspace.from_domain(state.workspace) if state else None


async def _known(count: int) -> int:
    return count


def _items(sub: billing.Subscription, info: Info) -> list[SubscriptionItem]:
    catalogue = info.context.loaded().cache.catalogue()
    plans = (catalogue.plan_for_price(item.price_id, item.lookup_key, item.price_since_at) for item in sub.items)
    return [
        SubscriptionItem(
            id=strawberry.ID(item.id),
            price_id=strawberry.ID(item.price_id),
            lookup_key=item.lookup_key,
            quantity=item.quantity,
            current_period_start_at=DateTime(item.current_period_start_at),
            current_period_end_at=DateTime(item.current_period_end_at),
            plan=Plan.from_domain(plan) if plan and plan.kind is PlanKind.PLAN else None,
            add_on=AddOn.from_domain(plan) if plan and plan.kind is PlanKind.ADD_ON else None,
        )
        for item, plan in zip(sub.items, plans, strict=True)
    ]
