"""The job that seals the audit: what was committed joins the chain some seconds later, whoever committed it."""

from functools import partial
from typing import Final

from app.domain.errors import UnavailableError
from app.runtime import Runtime
from app.services.audit import seal_entries
from app.telemetry import logger
from sync.jobs.schedule import Job

log = logger(__name__)

_EVERY_S: Final = 5


def audit_seal_job(rt: Runtime) -> Job:
    """Return the job for the schedule; every replica may run it."""
    return Job("audit_seal", _EVERY_S, partial(seal_audit, rt), lambda _: None)


async def seal_audit(rt: Runtime) -> None:
    """Seal what waits. While the database does not answer, leave it to the next turn."""
    try:
        await seal_entries(rt)
    except UnavailableError as error:
        log.warning("audit not sealed", reason=error.message)
