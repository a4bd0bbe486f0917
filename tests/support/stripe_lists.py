"""Stripe's API with its lists, as a dict; a page is small, so that there are several."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from support.stripe import FakeProcessor, Json

from app.domain.stripe_event import FetchedObject
from app.ports.stripe import CursorGoneError, ListedPage, Listing

ENDED = ("canceled", "incomplete_expired")


class FakeLists(FakeProcessor):
    """Lists the newest first. `before_page` is called with the list and the cursor, `after_page` when it was read."""

    def __init__(self, *objects: Json, page_size: int = 3) -> None:
        super().__init__(*objects)
        self.page_size = page_size
        self.pages: list[tuple[Listing, str | None]] = []
        self.before_page: Callable[[Listing, str | None], Any] | None = None
        self.after_page: Callable[[Listing, str | None], Any] | None = None

    async def list_page(self, listing: Listing, *, after: str | None) -> ListedPage:
        self.pages.append((listing, after))
        await _call(self.before_page, listing, after)
        matching = [one for key, one in self.objects.items() if one["object"] == listing.type and one.get("id") == key]
        matching = [found for found in matching if not found.get("deleted") and _passes(found, dict(listing.filters))]
        matching.sort(key=lambda found: -found["created"])
        ids = [found["id"] for found in matching]
        if after is not None and after not in ids:
            raise CursorGoneError(after)
        start = 0 if after is None else ids.index(after) + 1
        chosen = matching[start : start + self.page_size]
        page = ListedPage(
            tuple(FetchedObject(one["id"], listing.type, json.dumps(one), "2026-10-28.endive") for one in chosen),
            chosen[-1]["id"] if start + self.page_size < len(matching) else None,
        )
        await _call(self.after_page, listing, after)
        return page


_FILTERS: dict[str, Callable[[Json, str], bool]] = {
    "status": lambda found, wanted: wanted in ("all", found["status"]),
    "active": lambda found, wanted: found.get("active", True) == (wanted == "true"),
    "created[gte]": lambda found, wanted: found["created"] >= int(wanted),
    "customer": lambda found, wanted: found["customer"] == wanted,
}
"""Those of Stripe's that we use; another one is a mistake."""


def _passes(found: Json, filters: dict[str, str]) -> bool:
    if found["object"] == "subscription" and "status" not in filters and found["status"] in ENDED:
        return False
    return all(_FILTERS[name](found, wanted) for name, wanted in filters.items())


async def _call(hook: Callable[[Listing, str | None], Any] | None, listing: Listing, after: str | None) -> None:
    given = hook(listing, after) if hook else None
    if asyncio.iscoroutine(given):
        await given
