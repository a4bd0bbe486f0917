"""API keys: create, revoke, verify; the first one from the command line."""

import hashlib
import hmac
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

import msgspec

from app.domain import ids
from app.domain.api_key import ApiKey, Principal, Scope
from app.domain.audit import Actor, ActorKind, AuditEntry
from app.domain.change import Kind, Record
from app.domain.errors import ConflictError, FieldError
from app.domain.faults import INPUT, expiry_faults, fault, idempotency_key_faults, refuse, repeated, text_faults
from app.ports.store import RecordStore, ResultExistsError, StoredResult
from app.ports.system import Clock, Ids
from app.runtime import Runtime
from app.services.commit import audited
from app.services.loading import load_record
from app.services.result import Written, until_settled, written, written_or_current

_PREFIX: Final = "ent_"
_CREDENTIAL_MAX: Final = 512
_NO_HASH: Final = "0" * 64


class CreateApiKeyInput(msgspec.Struct, frozen=True, kw_only=True):
    idempotency_key: str
    name: str
    scopes: tuple[Scope, ...]
    expires_at: int | None = None


class RevokeApiKeyInput(msgspec.Struct, frozen=True, kw_only=True):
    idempotency_key: str
    api_key_id: str


class CreatedKey(msgspec.Struct, frozen=True):
    """The key and its credential, which is shown once: None where the answer is a replay."""

    key: ApiKey
    credential: str | None
    replayed: bool


async def create_api_key(rt: Runtime, principal: Principal, input: CreateApiKeyInput) -> CreatedKey:
    """Create a key. Only a hash of its secret is kept."""
    refuse(idempotency_key_faults(input.idempotency_key))
    secret = rt.ids.secret()
    new_id = rt.ids.new(ids.API_KEY)

    async def decide(_conflicts: int) -> Sequence[Record]:
        refuse(_key_faults(input, rt.clock.now_at()))
        return (_key(new_id, secret, name=input.name, scopes=input.scopes, expires_at=input.expires_at),)

    done = written(await until_settled(rt, principal, "createApiKey", input, decide), ApiKey)
    return CreatedKey(done.record, None if done.replayed else _credential(new_id, secret), done.replayed)


async def revoke_api_key(rt: Runtime, principal: Principal, input: RevokeApiKeyInput) -> Written[ApiKey]:
    """End a key now. Revoking a revoked one changes nothing.

    The last ADMIN key that never expires refuses, so that nobody is locked out.
    """
    refuse(idempotency_key_faults(input.idempotency_key))
    load = partial(load_record, rt, ApiKey, input.api_key_id, "API key")

    async def decide(_conflicts: int) -> Sequence[Record]:
        key = await load()
        if key.revoked_at is not None:
            return ()
        _refuse_last(rt, key)
        return (msgspec.structs.replace(key, revoked_at=rt.clock.now_at()),)

    return await written_or_current(await until_settled(rt, principal, "revokeApiKey", input, decide), ApiKey, load)


def verify(rt: Runtime, credential: str | None) -> Principal | None:
    """Return who presents this credential; None where it is unknown, wrong, expired or revoked. RAM only.

    An unknown id costs the same hash and comparison as a known one, so that time tells nothing.
    """
    key_id, secret = _parts(credential)
    key = rt.cache.api_key(key_id)
    matches = hmac.compare_digest(_hash(secret), key.secret_hash if key else _NO_HASH)
    if not matches or key is None or key.revoked_at is not None:
        return None
    if key.expires_at is not None and key.expires_at <= rt.clock.now_at():
        return None
    return Principal(id=key.id, scopes=frozenset(key.scopes), expires_at=key.expires_at)


async def bootstrap_key(store: RecordStore, new_ids: Ids, clock: Clock, name: str) -> tuple[ApiKey, str]:
    """Create the first ADMIN key, straight in the store; refuse while one exists. Returns it and its credential."""
    refuse(text_faults(("name",), name))
    seen = sum([len(batch) async for batch in store.scan(Kind.API_KEY)])
    if await store.has_admin_key():
        raise ConflictError("an ADMIN key exists already; create others with it")
    secret, now = new_ids.secret(), clock.now_at()
    key = msgspec.structs.replace(
        _key(new_ids.new(ids.API_KEY), secret, name=name, scopes=(Scope.ADMIN,), expires_at=None),
        version=1,
        incarnation=new_ids.secret(),
        created_at=now,
        updated_at=now,
    )
    entry = AuditEntry(
        id=new_ids.new(ids.AUDIT_ENTRY),
        recorded_at=now,
        actor=Actor(ActorKind.SYSTEM, "keys bootstrap"),
        operation="bootstrapKey",
        kind=Kind.API_KEY,
        record_id=key.id,
        before=None,
        after=audited(key),
    )
    # Of several at a time, each of which has seen the same keys, the store takes one.
    only_one = StoredResult(id=f"system:bootstrapKey:{seen}", input_digest="", created_at=now)
    try:
        await store.write((key,), (entry,), only_one)
    except ResultExistsError as error:
        raise ConflictError("another bootstrap has just made an ADMIN key; create others with it") from error
    return key, _credential(key.id, secret)


def _key(id: str, secret: str, *, name: str, scopes: tuple[Scope, ...], expires_at: int | None) -> ApiKey:
    return ApiKey(id=id, name=name, secret_hash=_hash(secret), scopes=scopes, expires_at=expires_at)


def _key_faults(input: CreateApiKeyInput, now: int) -> Iterator[FieldError]:
    yield from text_faults((*INPUT, "name"), input.name)
    if not input.scopes:
        yield fault((*INPUT, "scopes"), "REQUIRED", "needs at least one scope")
    for position in repeated(input.scopes):
        yield fault((*INPUT, "scopes", str(position)), "DUPLICATE", f"repeats {input.scopes[position]}")
    yield from expiry_faults((*INPUT, "expiresAt"), input.expires_at, after=now, now=now)


def _refuse_last(rt: Runtime, key: ApiKey) -> None:
    if not _is_lasting_admin(key):
        return
    others = (rt.cache.api_key(other) for other in rt.cache.ids(Kind.API_KEY) if other != key.id)
    if not any(other is not None and _is_lasting_admin(other) for other in others):
        problem = f"{key.id!r} is the last ADMIN key that never expires; create another one first"
        raise ConflictError(problem, current_version=key.version)


def _is_lasting_admin(key: ApiKey) -> bool:
    return Scope.ADMIN in key.scopes and key.revoked_at is None and key.expires_at is None


def _credential(id: str, secret: str) -> str:
    return f"{_PREFIX}{id}_{secret}"


def _parts(credential: str | None) -> tuple[str, str]:
    if credential is None or len(credential) > _CREDENTIAL_MAX or not credential.startswith(_PREFIX):
        return "", ""
    prefix, _, rest = credential.removeprefix(_PREFIX).partition("_")
    name, _, secret = rest.partition("_")
    return f"{prefix}_{name}", secret


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
