"""Faults as a test compares them."""

from collections.abc import Iterable

from app.domain.errors import FieldError


def shown(faults: Iterable[FieldError]) -> set[tuple[str, str]]:
    """Give each fault's dotted path and code."""
    return {(".".join(fault.path), fault.code) for fault in faults}
