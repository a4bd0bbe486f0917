"""The frozen bag of collaborators that every use case and edge is given."""

import asyncio
from dataclasses import dataclass, field

from app.cache.cache import BillingCache
from app.ports.audit import AuditTrail
from app.ports.billing_events import BillingEvents
from app.ports.jobs import JobStates
from app.ports.mirrors import Mirrors
from app.ports.store import RecordStore, WorkspaceLookup
from app.ports.stripe import Inbox, StripeAccount
from app.ports.sync import Sync
from app.ports.system import Clock, Ids
from app.ports.usage import UsageLedger, UsageWriter
from app.telemetry import Metrics


@dataclass(frozen=True, slots=True)
class Runtime:
    """One process's collaborators. Nothing in it is replaced after start-up."""

    clock: Clock
    ids: Ids
    store: RecordStore
    mirrors: Mirrors
    audit: AuditTrail
    billing_events: BillingEvents
    ledger: UsageLedger
    usage: UsageWriter
    cache: BillingCache
    inbox: Inbox
    jobs: JobStates
    lookup: WorkspaceLookup
    sync: Sync
    metrics: Metrics
    backdate_ms: int
    """How long ago usage that is reported may have happened."""
    stripe: StripeAccount | None = None
    """None without a key to ask Stripe with."""
    creates_workspaces: bool = False
    """Whether a customer of Stripe that no workspace is known for gets one; else it waits."""
    catalogue_turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by whoever writes the catalogue; see `services.catalogue.edition`."""
