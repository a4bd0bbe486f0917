"""Relay connections over keysets: signed opaque cursors, page sizes, and the shape of a page."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

import strawberry

from app.graphql.errors import bad_input
from app.graphql.permissions import follows
from app.ports.store import Page

T = TypeVar("T")
R = TypeVar("R")

DEFAULT_PAGE: Final = 50
MAX_PAGE: Final = 100
_SIGNATURE_BYTES: Final = 16
_MAX_CURSOR: Final = 512


class Cursors:
    """Writes and reads cursors. The listing's name is signed too, so that a cursor serves only where it was given."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def write(self, listing: str, key: str) -> str:
        """Return the cursor that stands after the record with this key."""
        return base64.urlsafe_b64encode(self._sign(listing, key) + key.encode()).decode().rstrip("=")

    def read(self, listing: str, cursor: str | None) -> str | None:
        """Return the key in a cursor of ours; None for no cursor. A forged one is bad input."""
        if cursor is None:
            return None
        try:
            raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)) if len(cursor) <= _MAX_CURSOR else b""
            key = raw[_SIGNATURE_BYTES:].decode()
        except (binascii.Error, ValueError) as error:
            raise bad_input("`after` is no cursor of this service") from error
        if not hmac.compare_digest(raw[:_SIGNATURE_BYTES], self._sign(listing, key)):
            raise bad_input("`after` is no cursor of this listing")
        return key

    def _sign(self, listing: str, key: str) -> bytes:
        return hmac.digest(self._secret, f"{listing}\0{key}".encode(), hashlib.sha256)[:_SIGNATURE_BYTES]


def page_size(first: int | None) -> int:
    """Return how many to read. Beyond 100, or below 0, is bad input; null is the default."""
    if first is None:
        return DEFAULT_PAGE
    if not 0 <= first <= MAX_PAGE:
        raise bad_input(f"`first` is between 0 and {MAX_PAGE}")
    return first


def timed_key(at: int, id: str) -> str:
    """Return the key of what is listed by an instant, and by id where instants are equal."""
    return f"{at}:{id}"


def read_timed_key(key: str | None) -> tuple[int, str] | None:
    """Return instant and id of such a key, which has come in a cursor of ours."""
    if key is None:
        return None
    at, _, id = key.partition(":")  # noqa: A001 - the API's word
    return int(at), id


@strawberry.type(directives=follows(), description="Where a page stands in its listing.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether more follows; ask with `after: endCursor`.")
    has_previous_page: bool = strawberry.field(description="Whether the page was asked for with `after`.")
    start_cursor: str | None = strawberry.field(description="The first edge's cursor; null on an empty page.")
    end_cursor: str | None = strawberry.field(description="The last edge's cursor; null on an empty page.")


@strawberry.type(directives=follows(), description="One record of a listing and its cursor.")
class Edge(Generic[T]):
    cursor: str = strawberry.field(description="Opaque; give it as `after` to read on behind this record.")
    node: T = strawberry.field(description="The record.")


@strawberry.type(directives=follows(), description="One page of a listing.")
class Connection(Generic[T]):
    count: strawberry.Private[Callable[[], Awaitable[int]] | None] = None
    edges: list[Edge[T]] = strawberry.field(description="The page's records with their cursors.")
    nodes: list[T] = strawberry.field(description="The page's records, without cursors.")
    page_info: PageInfo = strawberry.field(description="Where the page stands.")

    @strawberry.field(
        description="How many there are on all pages; counted only when selected. Null where a listing is not counted."
    )
    async def total_count(self) -> int | None:
        return await self.count() if self.count else None


def connection_of(
    page: Page[R],
    *,
    after: str | None,
    cursor: Callable[[R], str],
    translate: Callable[[R], T],
    count: Callable[[], Awaitable[int]] | None = None,
) -> Connection[T]:
    """Return a page that was asked for with `after`; `count` counts all pages."""
    nodes = [translate(item) for item in page.items]
    edges = [Edge(cursor=cursor(item), node=node) for item, node in zip(page.items, nodes, strict=True)]
    info = PageInfo(
        has_next_page=page.has_next,
        has_previous_page=after is not None,
        start_cursor=edges[0].cursor if edges else None,
        end_cursor=edges[-1].cursor if edges else None,
    )
    return Connection(edges=edges, nodes=nodes, page_info=info, count=count)
