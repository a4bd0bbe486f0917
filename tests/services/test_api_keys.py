"""API keys: who gets in, who does not, and that nobody is locked out."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from support.clock import FrozenClock, SequentialIds
from support.records import DAY, NOW
from support.runtime import ADMIN, fakes_of, put, running

from app.domain.api_key import ApiKey, Scope
from app.domain.change import Kind, Source
from app.domain.errors import ConflictError, NotFoundError, ValidationError
from app.gateways.clock import Uuid7Ids
from app.runtime import Runtime
from app.services.api_keys import (
    CreateApiKeyInput,
    CreatedKey,
    RevokeApiKeyInput,
    bootstrap_key,
    create_api_key,
    revoke_api_key,
    verify,
)


@pytest.fixture
async def rt(mongodb_uri: str, database: str) -> AsyncIterator[Runtime]:
    async with running(mongodb_uri, database) as rt:
        yield rt


async def create(rt: Runtime, key: str = "k", **fields: Any) -> CreatedKey:
    fields = {"name": "CI", "scopes": (Scope.ENTITLEMENTS_READ,), **fields}
    return await create_api_key(rt, ADMIN, CreateApiKeyInput(idempotency_key=key, **fields))


async def revoke(rt: Runtime, id: str, key: str = "r") -> None:
    await revoke_api_key(rt, ADMIN, RevokeApiKeyInput(idempotency_key=key, api_key_id=id))


async def test_a_credential_opens_what_its_key_allows(rt: Runtime) -> None:
    created = await create(rt, scopes=(Scope.USAGE_WRITE, Scope.OPERATOR), expires_at=NOW + DAY)

    principal = verify(rt, created.credential)

    assert principal is not None
    assert (principal.id, principal.expires_at) == (created.key.id, NOW + DAY)
    assert principal.scopes == {Scope.USAGE_WRITE, Scope.OPERATOR}


async def test_a_secret_with_underscores_is_read_whole(rt: Runtime) -> None:
    hashed = hashlib.sha256(b"a_b_-c").hexdigest()
    await put(rt, ApiKey(id="key_0a", version=1, incarnation="i", name="odd", secret_hash=hashed, scopes=()))

    assert verify(rt, "ent_key_0a_a_b_-c") is not None
    assert verify(rt, "ent_key_0a_a") is None


async def test_only_a_hash_of_the_secret_is_kept(rt: Runtime) -> None:
    created = await create(rt)

    assert created.credential is not None
    secret = created.credential.rsplit("_", 1)[1]
    assert created.key.secret_hash == hashlib.sha256(secret.encode()).hexdigest()
    assert secret not in repr(await rt.store.read(Kind.API_KEY, (created.key.id,)))


async def test_a_credential_is_shown_once(rt: Runtime) -> None:
    first = await create(rt)

    again = await create(rt)

    assert again == CreatedKey(first.key, None, replayed=True)


async def test_what_is_no_credential_opens_nothing(rt: Runtime) -> None:
    await create(rt)
    odd = (None, "", "ent_", "ent_key_", "ent_key_00_secret", "Bearer x", "ent_key_é_\ud800", "x" * 100_000)

    assert [credential for credential in odd if verify(rt, credential) is not None] == []


async def test_wrong_expired_and_revoked_credentials_open_nothing(rt: Runtime) -> None:
    short = await create(rt, "1", expires_at=NOW + 1000)
    lasting = await create(rt, "2")
    assert lasting.credential is not None

    assert verify(rt, f"{lasting.credential}x") is None
    fakes_of(rt).clock.advance(1000)
    assert verify(rt, short.credential) is None
    assert verify(rt, lasting.credential) is not None
    await revoke(rt, lasting.key.id)
    assert verify(rt, lasting.credential) is None


async def test_revoking_twice_changes_nothing(rt: Runtime) -> None:
    created = await create(rt)
    await revoke(rt, created.key.id, "1")
    fakes_of(rt).clock.advance(DAY)

    await revoke(rt, created.key.id, "2")

    key = rt.cache.api_key(created.key.id)
    assert key is not None
    assert (key.revoked_at, key.version) == (NOW, 2)


async def test_the_last_lasting_admin_key_stays(rt: Runtime) -> None:
    first = await create(rt, "1", scopes=(Scope.ADMIN,))
    await create(rt, "2", scopes=(Scope.ADMIN,), expires_at=NOW + DAY)

    with pytest.raises(ConflictError, match="last"):
        await revoke(rt, first.key.id)
    await create(rt, "3", scopes=(Scope.ADMIN,))
    await revoke(rt, first.key.id)

    assert verify(rt, first.credential) is None


async def test_an_unknown_key_is_not_found(rt: Runtime) -> None:
    with pytest.raises(NotFoundError):
        await revoke(rt, "key_0")


async def test_every_fault_of_a_key_is_told_at_once(rt: Runtime) -> None:
    with pytest.raises(ValidationError) as caught:
        await create(rt, name="", scopes=(Scope.ADMIN, Scope.ADMIN), expires_at=NOW)

    assert {".".join(field.path) for field in caught.value.fields} == {
        "input.name",
        "input.scopes.1",
        "input.expiresAt",
    }


async def test_a_key_needs_a_scope(rt: Runtime) -> None:
    with pytest.raises(ValidationError, match="scope"):
        await create(rt, scopes=())


async def test_of_several_first_keys_at_a_time_one_is_made(rt: Runtime) -> None:
    calls = (bootstrap_key(rt.store, Uuid7Ids(), FrozenClock(), f"key {n}") for n in range(5))

    made = await asyncio.gather(*calls, return_exceptions=True)

    assert sum(isinstance(one, tuple) for one in made) == 1
    assert sum(isinstance(one, ConflictError) for one in made) == 4


async def test_the_first_admin_key_is_made_without_one_and_only_once(rt: Runtime) -> None:
    key, credential = await bootstrap_key(rt.store, SequentialIds(), FrozenClock(), "first")

    stored = (await rt.store.read(Kind.API_KEY, (key.id,)))[key.id]
    assert stored == key
    rt.cache.apply(stored, source=Source.STREAM)
    principal = verify(rt, credential)
    assert principal is not None
    assert principal.scopes == {Scope.ADMIN}
    with pytest.raises(ConflictError):
        await bootstrap_key(rt.store, SequentialIds(), FrozenClock(), "second")
