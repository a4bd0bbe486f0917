"""The catalogue as a file, from RAM."""

import strawberry

from app.graphql.context import Info
from app.graphql.permissions import READS_CATALOG, requires
from app.services.catalogue.export import export_catalogue


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
