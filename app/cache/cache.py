"""RAM: `apply`, the only way in, and the reads."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from app.cache.feed import Feed
from app.cache.table import Index, Table, judge, owner_of
from app.domain.api_key import ApiKey
from app.domain.change import Kind, Outcome, Record, Source, Tombstone
from app.domain.grant import Grant, Override
from app.domain.plan import Catalogue, Feature, Plan
from app.domain.subscription import TERMINAL, Subscription
from app.domain.sync_status import CacheStatus
from app.domain.usage import Balance
from app.domain.workspace import Workspace
from app.domain.workspace_state import WorkspaceState
from app.ports.system import Clock

HELD: Final = (
    Kind.FEATURE,
    Kind.PLAN,
    Kind.API_KEY,
    Kind.WORKSPACE,
    Kind.SUBSCRIPTION,
    Kind.GRANT,
    Kind.OVERRIDE,
    Kind.BALANCE,
)
"""The kinds that RAM holds, in the order in which they are loaded."""

_MALFORMED_SHOWN: Final = 100


class BillingCache:
    """All live records, by id and by what reads ask for.

    One event loop owns it and nothing here awaits, so no read sees half a change.
    """

    def __init__(self, *, feed: Feed, clock: Clock, default_plan_key: str | None) -> None:
        self.feed = feed
        self.ready = False
        self.counters: Counter[tuple[Kind, Source, Outcome]] = Counter()
        self._clock = clock
        self._default_plan_key = default_plan_key
        self._external_ids = Index[Workspace](lambda workspace: workspace.external_id)
        self._customers = Index[Workspace](lambda workspace: workspace.stripe_customer_id)
        self._subscriptions_of = Index[Subscription](owner_of)
        self._grants_of = Index[Grant](owner_of)
        self._overrides_of = Index[Override](owner_of)
        self._workspaces = Table[Workspace](self._external_ids, self._customers)
        self._subscriptions = Table[Subscription](self._subscriptions_of)
        self._balances = Table[Balance]()
        self._features = Table[Feature]()
        self._plans = Table[Plan]()
        self._api_keys = Table[ApiKey]()
        # Any: the kind that finds the table is the proof that it holds records of that kind.
        self._tables: Mapping[Kind, Table[Any]] = {
            Kind.WORKSPACE: self._workspaces,
            Kind.FEATURE: self._features,
            Kind.PLAN: self._plans,
            Kind.SUBSCRIPTION: self._subscriptions,
            Kind.GRANT: Table[Grant](self._grants_of),
            Kind.OVERRIDE: Table[Override](self._overrides_of),
            Kind.API_KEY: self._api_keys,
            Kind.BALANCE: self._balances,
        }
        self._catalogue: Catalogue | None = None
        self._states: dict[str, WorkspaceState] = {}
        self._versions: dict[str, int] = {}
        self._prices: Counter[tuple[str, str | None]] = Counter()
        self._malformed: dict[tuple[Kind, str], str] = {}
        self._last_applied_at: int | None = None

    def mark_ready(self) -> None:
        """Say that RAM is loaded and live."""
        self.ready = True

    def apply(self, record: Record | Tombstone, *, source: Source, authoritative: bool = False) -> Outcome:
        """Bring a record to RAM, unless it is older than what is held; see `judge`.

        `authoritative` replaces whatever is held: for what a majority read by id has confirmed.
        """
        kind = record.kind if isinstance(record, Tombstone) else record.KIND
        table = self._tables.get(kind)
        if table is None:
            return Outcome.UNCHANGED
        incoming = table.complete(record)
        held = table.held(incoming.id)
        verdict = judge(held, incoming, source, authoritative=authoritative, is_over=table.is_over(incoming))
        self.counters[kind, source, verdict.outcome] += 1
        if self._malformed:
            self._malformed.pop((kind, incoming.id), None)
        is_hard_delete = isinstance(record, Tombstone) and record.incarnation is None
        if verdict.stored:
            table.put(incoming, ended=is_hard_delete)
            self._follow(kind, held, incoming)
        elif is_hard_delete and held == incoming and (authoritative or source is Source.STREAM):
            table.put(incoming, ended=True)  # it was soft-deleted before: now its life is over too
        return verdict.outcome

    def _follow(self, kind: Kind, before: Record | Tombstone | None, after: Record | Tombstone) -> None:
        """Bring everything that is derived from the record up to date, and tell who listens."""
        self._last_applied_at = self._clock.now_at()
        if kind is Kind.API_KEY:
            self.feed.publish(after.id)
            return
        if kind in (Kind.FEATURE, Kind.PLAN):
            self._catalogue = None
            self.feed.publish_all()
            return
        if kind is Kind.SUBSCRIPTION:
            self._count_prices(before, -1)
            self._count_prices(after, 1)
        owner, previous = owner_of(after), owner_of(before) if before is not None else None
        if owner is not None:
            self._versions[owner] = self._versions.get(owner, 0) + _raised(before if previous == owner else None, after)
        for workspace_id in {owner, previous} - {None}:
            self._states.pop(str(workspace_id), None)
            self.feed.publish(str(workspace_id))
        # Who asks by an external id must learn when it comes to name a workspace, or no longer does.
        for named in (record for record in (before, after) if isinstance(record, Workspace) and record.external_id):
            self.feed.publish(str(named.external_id))

    def _count_prices(self, sub: Record | Tombstone | None, by: int) -> None:
        if not isinstance(sub, Subscription) or sub.status in TERMINAL:
            return
        for item in sub.items:
            price = item.price_id, item.lookup_key
            self._prices[price] += by
            if not self._prices[price]:
                del self._prices[price]

    def held(self, kind: Kind, id: str) -> Record | Tombstone | None:
        """Return what RAM knows of this id: the live record, its tombstone, or nothing."""
        table = self._tables.get(kind)
        return None if table is None else table.held(id)

    def ids(self, kind: Kind) -> list[str]:
        """Return the ids of the live records of a kind, as they are now."""
        return list(self._tables[kind].live)

    def workspace_id(self, ref: str) -> str | None:
        """Return our id of the workspace with this id or external id."""
        if ref in self._workspaces.live:
            return ref
        found = self._external_ids.find(ref)
        return found[-1].id if found else None

    def state(self, workspace_id: str) -> WorkspaceState | None:
        """Return all that decides for a workspace; the same object until one of its records changes."""
        state = self._states.get(workspace_id)
        if state is not None:
            return state
        workspace = self._workspaces.live.get(workspace_id)
        if workspace is None:
            return None
        state = self._states[workspace_id] = WorkspaceState(
            workspace=workspace,
            subscriptions=self._subscriptions_of.find(workspace_id),
            grants=self._grants_of.find(workspace_id),
            overrides=self._overrides_of.find(workspace_id),
            balance=self._balances.live.get(workspace_id),
            version=self._versions.get(workspace_id, 0),
        )
        return state

    def catalogue(self) -> Catalogue:
        """Return all features and plans; the same object until one of them changes."""
        if self._catalogue is None:
            self._catalogue = Catalogue(self._features, self._plans, default_plan_key=self._default_plan_key)
        return self._catalogue

    def subscription(self, id: str) -> Subscription | None:
        """Return the subscription with Stripe's id."""
        return self._subscriptions.live.get(id)

    def workspace_of_customer(self, stripe_customer_id: str) -> str | None:
        """Return the id of the workspace that claims this Stripe customer."""
        found = self._customers.find(stripe_customer_id)
        return found[-1].id if found else None

    def api_key(self, id: str) -> ApiKey | None:
        """Return the key, also an expired or revoked one."""
        return self._api_keys.live.get(id)

    def unmapped_prices(self) -> tuple[str, ...]:
        """Return the prices that subscriptions hold, that are not over, and that no plan names."""
        catalogue = self.catalogue()
        return tuple(
            sorted(
                {
                    price_id
                    for price_id, lookup_key in self._prices
                    if catalogue.plan_for_price(price_id, lookup_key, 0) is None
                }
            )
        )

    def status(self) -> CacheStatus:
        """Return what RAM holds, in numbers; `malformed` is cut at a hundred."""
        names = [f"{kind}/{name}: {problem}" for (kind, name), problem in self._malformed.items()]
        return CacheStatus(
            ready=self.ready,
            records=sum(len(table.live) for table in self._tables.values()),
            workspaces=len(self._workspaces.live),
            last_applied_at=self._last_applied_at,
            malformed=tuple(names[:_MALFORMED_SHOWN]),
        )

    def note_malformed(self, kind: Kind, id: str, problem: str) -> None:
        """Remember that the stored document cannot be read; RAM keeps its last good state."""
        if kind in self._tables:
            self._malformed[kind, id] = problem

    def is_malformed(self, kind: Kind, id: str) -> bool:
        """Tell whether the stored document was last found unreadable."""
        return (kind, id) in self._malformed

    def note_readable(self, kind: Kind, id: str) -> None:
        """Forget that it was malformed."""
        self._malformed.pop((kind, id), None)


def _raised(before: Record | Tombstone | None, after: Record | Tombstone) -> int:
    """Return by how much the workspace's version grows: never less than nothing, in full for a new life of an id."""
    if before is None or before.incarnation != after.incarnation:
        return after.version
    return max(0, after.version - before.version)
