"""What the edges of one process ask, over a sync whose workers a test runs, or nobody."""

from typing import Any

from support.stripe import Sync

from sync.control import SyncControl
from sync.stripe.backoff import PatientProcessor
from sync.supervisor import SyncService


def control_of(sync: Sync, processor: Any, *, works: bool, accepts_payloads: bool = True) -> SyncControl:
    """Build it; nothing of it runs."""
    rt, backoff = sync.rt, sync.backoff()
    control = SyncControl(rt.cache, rt.inbox, rt.jobs, rt.clock, backoff, works=works)
    control.service = SyncService(
        mongo=sync.mongo, store=rt.store, cache=rt.cache, metrics=rt.metrics, clock=rt.clock, reconcile_interval_s=3600
    )
    control.compose(
        rt,
        sync.inbox,
        PatientProcessor(processor, backoff) if processor else None,
        read_event=lambda _body, _at: None,
        accepts_payloads=accepts_payloads,
        concurrency=1,
        poll_s=1,
        reconcile_interval_s=300,
        relist_hour=3,
        jitter=lambda: 0.5,
    )
    return control
