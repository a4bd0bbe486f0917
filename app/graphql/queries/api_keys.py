"""API keys, from RAM."""

import strawberry

from app.domain.change import Kind
from app.graphql.context import Info
from app.graphql.permissions import ADMINISTERS, requires
from app.graphql.types.api_key import ApiKey


@strawberry.type
class ApiKeyQueries:
    @strawberry.field(
        directives=requires(*ADMINISTERS),
        description="Every API key by id, so in the order of creation; revoked and expired ones too. Without secrets.",
    )
    def api_keys(self, info: Info) -> list[ApiKey]:
        cache = info.context.loaded().cache
        held = map(cache.api_key, sorted(cache.ids(Kind.API_KEY)))
        return [ApiKey.from_domain(key) for key in held if key is not None]
