"""The interface of everything that has an id of its own."""

import strawberry


@strawberry.interface(description="Anything that `node(id)` finds. Ids are unique across types.")
class Node:
    id: strawberry.ID = strawberry.field(
        description="A typed prefix and a unique part: `ws_0190…`; Stripe's own id for its objects."
    )


def id_or_null(id: str | None) -> strawberry.ID | None:
    """Translate what may not be known."""
    return None if id is None else strawberry.ID(id)
