"""What a catalogue's file would change."""

import strawberry

from app.domain.plan import Catalogue
from app.graphql.permissions import follows
from app.graphql.types.catalogue import Plan
from app.services.catalogue import difference as domain


@strawberry.type(directives=follows(), description="A part of the catalogue by its name.")
class CatalogPart:
    kind: domain.ChangeKind = strawberry.field(description="What it is.")
    key: str = strawberry.field(description="Its key.")

    @classmethod
    def from_domain(cls, part: domain.Part) -> "CatalogPart":
        """Translate."""
        return cls(kind=part.kind, key=part.key)


@strawberry.type(directives=follows(), description="One key of a table of the file, before and after.")
class CatalogFieldChange:
    path: str = strawberry.field(description="Below the part's table: `name`, `prices`, `features.api_calls`.")
    before: str | None = strawberry.field(description="As TOML; null where there was nothing.")
    after: str | None = strawberry.field(description="As TOML; null where there is nothing any more.")


@strawberry.type(directives=follows(), description="What becomes of one part of the catalogue.")
class CatalogChange:
    kind: domain.ChangeKind = strawberry.field(description="What it is.")
    key: str = strawberry.field(description="Its key.")
    action: domain.ChangeAction = strawberry.field(description="What is done to it.")
    fields: list[CatalogFieldChange] = strawberry.field(description="What differs; of something new, all it says.")
    version: int | None = strawberry.field(description="Of a plan or add-on: the version it then has. Else null.")
    moves: int | None = strawberry.field(
        description="Subscriptions with an earlier version, which are moved to this one. Null unless the file says "
        "`migrate = true` and a new version is published: then who has a version keeps it."
    )
    plan: Plan | None = strawberry.field(
        description="The version that was written; null for features, and in a dry run where nothing is written."
    )

    @classmethod
    def from_domain(cls, change: domain.Change, catalogue: Catalogue) -> "CatalogChange":
        """Translate; the catalogue has the plan once it is written."""
        plan = catalogue.plan_by_id(change.record_id) if change.version is not None else None
        return cls(
            kind=change.part.kind,
            key=change.part.key,
            action=change.action,
            fields=[CatalogFieldChange(path=f.path, before=f.before, after=f.after) for f in change.fields],
            version=change.version,
            moves=change.moves,
            plan=Plan.from_domain(plan) if plan else None,
        )
