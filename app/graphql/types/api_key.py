"""API keys, without their secrets."""

import strawberry

from app.domain import api_key as domain
from app.graphql.permissions import SEES_KEYS, requires
from app.graphql.scalars import DateTime
from app.graphql.types.grants import instant
from app.graphql.types.node import Node


@strawberry.type(directives=requires(*SEES_KEYS), description="A service's credential; its secret is shown only once.")
class ApiKey(Node):
    name: str = strawberry.field(description="For people: who uses it.")
    scopes: list[domain.Scope] = strawberry.field(description="What it may do.")
    created_at: DateTime = strawberry.field(description="When it was created.")
    expires_at: DateTime | None = strawberry.field(description="When it stops working; null is never.")
    revoked_at: DateTime | None = strawberry.field(description="When it was revoked; null while it works.")

    @classmethod
    def from_domain(cls, key: domain.ApiKey) -> "ApiKey":
        """Translate."""
        return cls(
            id=strawberry.ID(key.id),
            name=key.name,
            scopes=list(key.scopes),
            created_at=DateTime(key.created_at),
            expires_at=instant(key.expires_at),
            revoked_at=instant(key.revoked_at),
        )
