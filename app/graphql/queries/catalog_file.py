"""The catalogue as a file, from RAM."""

import strawberry

from app.graphql.context import Info
from app.graphql.permissions import READS_CATALOG, WRITES_CATALOG, requires
from app.services.catalogue.export import export_catalogue
from app.services.catalogue.stripe_file import import_from_stripe


@strawberry.type
class CatalogFileQueries:
    @strawberry.field(
        directives=requires(*READS_CATALOG),
        description="The catalogue as a `catalog.toml` that changes nothing where it is applied: the latest version "
        "of everything, archived parts too. The same catalogue gives the same text; comments of a file that was "
        "applied are not kept.",
    )
    def catalog_file(self, info: Info) -> str:
        return export_catalogue(info.context.loaded().cache.catalogue())

    @strawberry.field(
        directives=requires(*WRITES_CATALOG),
        description="A first `catalog.toml` from what is sold at Stripe and not in the catalogue yet, read now: a plan "
        "per product with recurring prices, keyed by its metadata `plan_key`, its lookup keys or its name; a BOOLEAN "
        "feature per entitlement feature. What cannot be expressed stands in comments. A large account takes minutes. "
        "Fails with STRIPE_REFUSED where the service has no key for Stripe, or one that may not read these.",
    )
    async def stripe_catalog_file(self, info: Info) -> str:
        return await import_from_stripe(info.context.loaded())
