"""The audit: what is asked of it, the sealing, and the verification of its chain."""

import re
from collections.abc import Iterator
from typing import Final

from app.domain.audit import AuditFilter
from app.domain.audit_chain import ChainReport, Verification
from app.domain.errors import FieldError, ValidationError
from app.domain.faults import fault, refuse, text_faults
from app.runtime import Runtime

_CLOCKS_DIFFER_MS: Final = 300_000  # MongoDB removes what is old by a clock of its own
_BATCH: Final = 200  # a larger one would hold up the event loop for longer than answers may wait
_LONGEST: Final = 4096  # a batch of Stripe's objects is one actor, named by all their ids
_HEAD: Final = re.compile(r"([1-9]\d{0,15}):([0-9a-f]{64})", re.ASCII)


def check_filter(wanted: AuditFilter) -> None:
    """Raise `ValidationError` for a filter that nothing can match."""
    refuse(_filter_faults(wanted))


async def seal_entries(rt: Runtime) -> int:
    """Seal what no seal lists yet, remove seals past retention, and return how many entries were sealed.

    Any number of replicas may do so at once: of two that take the same number the later stops. Raises
    `UnavailableError`.
    """
    sealed = 0
    while count := await rt.audit.seal(at=rt.clock.now_at(), most=_BATCH):
        rt.metrics.count("audit_sealed", by=count)
        sealed += count
        if count < _BATCH:
            break
    await rt.audit.prune(before_at=rt.clock.now_at() - rt.audit.retention_ms)
    rt.metrics.set("audit_unsealed", await rt.audit.unsealed())
    return sealed


async def verify_chain(rt: Runtime, *, expect: str | None = None, expired_before_at: int | None = None) -> ChainReport:
    """Compare every seal and every sealed entry with what the chain says of them.

    `expect` is a head noted earlier, `NUMBER:HASH`. What is past retention may be gone, and so may what was recorded
    before `expired_before_at`, for a retention that was shorter once. Raises `ValidationError`, `UnavailableError`.
    """
    kept_since = rt.clock.now_at() - rt.audit.retention_ms + _CLOCKS_DIFFER_MS
    verification = Verification(expected=_noted(expect), expired_before_at=max(kept_since, expired_before_at or 0))
    verified = 0
    async for seals in rt.audit.seals(upto=await rt.audit.last_seal()):
        verification.open(seals)
        async for claims in rt.audit.claims(after=verified, upto=seals[-1].number):
            verification.see(claims)
        verification.close(await rt.audit.claims_of(verification.unseen()))
        verified = seals[-1].number
    async for claims in rt.audit.claims(after=verified, upto=None):
        meanwhile = range(verified + 1, await rt.audit.last_seal() + 1)
        verification.see(claim for claim in claims if claim.seal not in meanwhile)
    return verification.report(unsealed=await rt.audit.unsealed())


def _noted(head: str | None) -> tuple[int, str] | None:
    if head is None:
        return None
    found = _HEAD.fullmatch(head)
    if found is None:
        problem = "expect is NUMBER:HASH, as a verification told the head: the number, a colon, 64 hexadecimal digits"
        raise ValidationError.of("expect", "INVALID_FORMAT", problem)
    return int(found[1]), found[2]


def _filter_faults(wanted: AuditFilter) -> Iterator[FieldError]:
    for name, text in (("actor", wanted.actor), ("resource", wanted.record_id), ("action", wanted.operation)):
        yield from text_faults((name,), text, longest=_LONGEST)
    if wanted.from_at is not None and wanted.to_at is not None and wanted.to_at <= wanted.from_at:
        yield fault(("to",), "OUT_OF_RANGE", "must be later than `from`")
