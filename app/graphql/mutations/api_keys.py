"""Create and revoke API keys."""

from typing import Annotated

import strawberry

from app.domain import api_key as domain
from app.graphql.context import Info
from app.graphql.mutations.inputs import KEY, REPLAYED
from app.graphql.permissions import ADMINISTERS, follows, requires
from app.graphql.scalars import DateTime
from app.graphql.types.api_key import ApiKey
from app.graphql.types.errors import ConflictError, IdempotencyConflictError, NotFoundError, ValidationError
from app.services import api_keys


@strawberry.input(description="A new API key.")
class CreateApiKeyInput:
    idempotency_key: str = strawberry.field(description=KEY)
    name: str = strawberry.field(description="For people: who will use it.")
    scopes: list[domain.Scope] = strawberry.field(
        description="What it may do; at least one. An ADMIN may give scopes that its own key lacks."
    )
    expires_at: DateTime | None = strawberry.field(
        default=None, description="When it stops working; never unless given."
    )


@strawberry.input(description="Which key is to be revoked.")
class RevokeApiKeyInput:
    idempotency_key: str = strawberry.field(description=KEY)
    api_key_id: strawberry.ID = strawberry.field(description="The key's id: the `key_…` part of the credential.")


@strawberry.type(directives=follows(), description="The new key.")
class CreateApiKeyPayload:
    api_key: ApiKey = strawberry.field(description="As written.")
    credential: str | None = strawberry.field(
        description="What to send as `Authorization: Bearer …`. Shown once: null where the answer is replayed."
    )
    replayed: bool = strawberry.field(description=REPLAYED)


@strawberry.type(directives=follows(), description="The key as it now stands.")
class RevokeApiKeyPayload:
    api_key: ApiKey = strawberry.field(description="As written.")
    replayed: bool = strawberry.field(description=REPLAYED)


CreateApiKeyResult = Annotated[
    CreateApiKeyPayload | ValidationError | NotFoundError | ConflictError | IdempotencyConflictError,
    strawberry.union("CreateApiKeyResult", description="The key, or why none was created."),
]
RevokeApiKeyResult = Annotated[
    RevokeApiKeyPayload | ValidationError | NotFoundError | ConflictError | IdempotencyConflictError,
    strawberry.union("RevokeApiKeyResult", description="The key, or why nothing was changed."),
]


@strawberry.type
class ApiKeyMutations:
    @strawberry.mutation(
        directives=requires(*ADMINISTERS), description="Create an API key; its secret is shown this once."
    )
    async def create_api_key(self, info: Info, input: CreateApiKeyInput) -> CreateApiKeyResult:
        command = api_keys.CreateApiKeyInput(
            idempotency_key=input.idempotency_key,
            name=input.name,
            scopes=tuple(input.scopes),
            expires_at=input.expires_at,
        )
        done = await api_keys.create_api_key(info.context.loaded(), info.context.principal, command)
        return CreateApiKeyPayload(
            api_key=ApiKey.from_domain(done.key), credential=done.credential, replayed=done.replayed
        )

    @strawberry.mutation(
        directives=requires(*ADMINISTERS),
        description="Revoke an API key at once: its requests are refused and its open sockets are closed.",
    )
    async def revoke_api_key(self, info: Info, input: RevokeApiKeyInput) -> RevokeApiKeyResult:
        command = api_keys.RevokeApiKeyInput(idempotency_key=input.idempotency_key, api_key_id=input.api_key_id)
        done = await api_keys.revoke_api_key(info.context.loaded(), info.context.principal, command)
        return RevokeApiKeyPayload(api_key=ApiKey.from_domain(done.record), replayed=done.replayed)
