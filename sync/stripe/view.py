"""The records that readings are decided on."""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TypeVar

import msgspec

from app.domain.change import Kind, Record
from app.domain.plan import Catalogue
from app.domain.stripe_object import StripeObject

_R = TypeVar("_R", bound=Record)
_F = TypeVar("_F", bound=msgspec.Struct)


class View:
    """The records a batch is decided on: as the store has them, under those already decided.

    `refs` finds workspace ids by our id and external id, `customers` by Stripe customer; `catalogue` is what is sold;
    `fresh_ids` are those of workspaces to be made, by Stripe customer, where customers without one are to get one.
    """

    def __init__(
        self,
        records: Iterable[Record],
        refs: Mapping[str, str],
        customers: Mapping[str, str],
        catalogue: Catalogue,
        fresh_ids: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.refs = dict(refs)
        self.fresh_ids = fresh_ids
        self.customers = customers
        self.catalogue = catalogue
        self._stored: dict[tuple[Kind, str], Record] = {(record.KIND, record.id): record for record in records}
        self._decided: dict[tuple[Kind, str], Record] = {}

    def get(self, type: type[_R], id: str) -> _R | None:
        """Return the record as it is after what was decided so far."""
        key = type.KIND, id
        record = self._decided.get(key) or self._stored.get(key)
        return record if isinstance(record, type) else None

    def mirrors(self, type: type[_F]) -> Iterator[tuple[StripeObject, _F]]:
        """Yield the mirrors of one type, as they are after what was decided so far, with their facts."""
        for record in {**self._stored, **self._decided}.values():
            if isinstance(record, StripeObject) and isinstance(record.facts, type) and not record.gone:
                yield record, record.facts

    def put(self, record: Record) -> None:
        """Decide that the record shall be so."""
        self._decided[record.KIND, record.id] = record

    def decided_customers(self) -> list[StripeObject]:
        """Return the customers that were decided on, as they are now."""
        decided = self._decided.values()
        return [record for record in decided if isinstance(record, StripeObject) and record.type == "customer"]

    def changes(self) -> list[Record]:
        """Return the records that differ from what is stored."""
        return [record for key, record in self._decided.items() if record != self._stored.get(key)]
