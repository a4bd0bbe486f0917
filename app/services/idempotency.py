"""Once per idempotency key: the same request again gets the same answer and writes nothing."""

import hashlib
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from app.domain.api_key import Principal
from app.domain.audit import Actor, ActorKind
from app.domain.change import Kind, Record, Source
from app.domain.errors import ConflictError, IdempotencyConflictError
from app.domain.faults import idempotency_key_faults, refuse
from app.ports.store import ResultExistsError, StoredResult
from app.runtime import Runtime
from app.services.commit import commit


class Once(msgspec.Struct, frozen=True):
    """What was written under a key, and what else was answered; `replayed` where it was written before."""

    records: tuple[Record, ...]
    replayed: bool
    answer: str = ""


async def once(
    rt: Runtime,
    principal: Principal,
    operation: str,
    key: str,
    input: object,
    decide: Callable[[], Awaitable[Sequence[Record]]],
    *,
    answer: Callable[[], str] = str,
) -> Once:
    """Decide and commit, unless the principal has sent this key for this operation before.

    `input` is anything that msgspec can write as JSON. Raises `IdempotencyConflictError` where the key came with
    another input, `ValidationError` for a key that cannot be one, and whatever `decide` and `commit` raise.
    """
    refuse(idempotency_key_faults(key))
    id = f"{principal.id}:{operation}:{key}"  # noqa: A001 - the API's word
    digest = hashlib.sha256(msgspec.json.encode(input, order="sorted")).hexdigest()
    if stored := await rt.store.result(id):
        return await _replay(rt, stored, digest)
    try:
        records = await decide()
        result = StoredResult(id=id, input_digest=digest, created_at=rt.clock.now_at(), answer=answer())
        written = await commit(rt, Actor(ActorKind.API_KEY, principal.id), operation, records, result=result)
    except (ResultExistsError, ConflictError):
        # A twin may have come first: then this one conflicts with what the twin wrote.
        if stored := await rt.store.result(id):
            return await _replay(rt, stored, digest)
        raise
    return Once(written, replayed=False, answer=result.answer)


async def _replay(rt: Runtime, stored: StoredResult, digest: str) -> Once:
    """Return the stored answer once RAM is at least as new: another replica may have written it."""
    if stored.input_digest != digest:
        raise IdempotencyConflictError(stored.created_at)
    written: dict[Kind, list[str]] = {}
    for record in stored.records:
        written.setdefault(record.KIND, []).append(record.id)
    for kind, some in written.items():
        for current in (await rt.store.read(kind, some)).values():
            rt.cache.apply(current, source=Source.LOOKUP)
    return Once(stored.records, replayed=True, answer=stored.answer)
