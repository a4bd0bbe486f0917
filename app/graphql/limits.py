"""What an operation may cost at most: counted in one pass before validation, each fragment once."""

from collections.abc import Iterator
from typing import Any, Final

import msgspec
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
)
from graphql.language.ast import ExecutableDefinitionNode

from app.graphql.errors import LIMIT_EXCEEDED, coded

BODY_LIMIT_BYTES: Final = 256 * 1024
CHECKS_LIMIT: Final = 1_000


class Limits(msgspec.Struct, frozen=True):
    """The ceilings; fragments count each time they are spread.

    `written` bounds the nodes of the document as it stands, because validation compares them pairwise;
    `cost` multiplies what stands in a connection by its `first`.
    """

    tokens: int = 3_000
    depth: int = 16
    aliases: int = 60
    directives: int = 60
    definitions: int = 40
    written: int = 400
    cost: int = 50_000


class SocketLimits(msgspec.Struct, frozen=True):
    """The ceilings of a WebSocket; `sockets` counts open ones per API key."""

    init_timeout_s: float = 3.0
    message_bytes: int = 64 * 1024
    operations: int = 100
    sockets: int = 100


class _Weight(msgspec.Struct):
    """What a selection set weighs, its fragments in it."""

    depth: int = 0
    aliases: int = 0
    directives: int = 0
    cost: int = 0

    def add(self, other: "_Weight", *, levels: int = 0, times: int = 1) -> None:
        self.depth = max(self.depth, other.depth + levels)
        self.aliases += other.aliases
        self.directives += other.directives
        self.cost += other.cost * times


_NAMES: Final = (
    ("depth", "is nested {} levels deep"),
    ("aliases", "has {} aliases"),
    ("directives", "has {} directives"),
    ("cost", "would read about {} fields"),
)


def check_limits(document: DocumentNode, limits: Limits) -> list[GraphQLError]:
    """Return the first ceiling that the document breaks, in a list; empty where it breaks none."""
    return [error] if (error := next(_broken(document, limits), None)) else []


def _broken(document: DocumentNode, limits: Limits) -> Iterator[GraphQLError]:
    definitions = [node for node in document.definitions if isinstance(node, ExecutableDefinitionNode)]
    if len(definitions) > limits.definitions:
        yield _error(f"the document has {len(definitions)} definitions", limits.definitions)
    fragments = {node.name.value: node for node in definitions if isinstance(node, FragmentDefinitionNode)}
    scale = _Scale(fragments)
    weights = [
        (node, scale.weigh(node.selection_set)) for node in definitions if isinstance(node, OperationDefinitionNode)
    ]
    for name in fragments:
        scale.fragment(name)
    if scale.cyclic is not None:
        yield coded(LIMIT_EXCEEDED, f"fragment {scale.cyclic} spreads itself")
    if scale.written > limits.written:
        yield _error(f"the document has {scale.written} fields and spreads", limits.written)
    for node, weight in weights:
        weight.directives += len(node.directives or ())
        for name, text in _NAMES:
            if (found := getattr(weight, name)) > (allowed := getattr(limits, name)):
                yield _error(f"the operation {text.format(found if found < _COUNTABLE else 'countless')}", allowed)


def _error(found: str, allowed: int) -> GraphQLError:
    return coded(LIMIT_EXCEEDED, f"{found}; at most {allowed} are allowed")


class _Scale:
    """Weighs selection sets; fragments are weighed once and remembered."""

    def __init__(self, fragments: dict[str, FragmentDefinitionNode]) -> None:
        self.written = 0
        self.cyclic: str | None = None
        self._fragments = fragments
        self._weights: dict[str, _Weight | None] = {}

    def weigh(self, selection_set: SelectionSetNode | None) -> _Weight:
        weight = _Weight()
        for node in selection_set.selections if selection_set else ():
            self.written += 1
            weight.directives += len(node.directives or ())
            if isinstance(node, FieldNode):
                self._field(node, weight)
            elif isinstance(node, FragmentSpreadNode):
                weight.add(self.fragment(node.name.value))
            else:
                weight.add(self.weigh(getattr(node, "selection_set", None)))
        return weight

    def fragment(self, name: str) -> _Weight:
        if name in self._weights:
            weight = self._weights[name]
            if weight is None:
                self.cyclic = name
            return weight or _Weight()
        node = self._fragments.get(name)
        self._weights[name] = None
        weight = self.weigh(node.selection_set) if node else _Weight()
        self._weights[name] = weight
        return weight

    def _field(self, node: FieldNode, weight: _Weight) -> None:
        below = self.weigh(node.selection_set)
        weight.aliases += node.alias is not None
        weight.cost += 1
        weight.add(below, levels=1, times=_times(node))
        weight.depth = max(weight.depth, 1)


def _times(node: FieldNode) -> int:
    """Return how often what stands below the field is read: its `first`, or a list's length; the most if unknown."""
    name = node.name.value
    usual, most = _LISTS.get(name, (1, 100))
    argument: Any = next((a.value for a in node.arguments or () if a.name.value in {"first", "inputs"}), None)
    if argument is None:
        return usual
    if isinstance(argument, ListValueNode):
        return len(argument.values)
    known = isinstance(argument, IntValueNode) and len(argument.value) <= _SHORT
    return max(1, min(int(argument.value), most)) if known else most


_COUNTABLE: Final = 10**9
_SHORT: Final = 6
_LISTS: Final = {
    "workspaces": (50, 100),
    "subscriptions": (50, 100),
    "invoices": (50, 100),
    "coupons": (50, 100),
    "stripeEvents": (50, 100),
    "usageEvents": (50, 100),
    "auditLog": (50, 100),
    "migrations": (50, 100),
    "entitlements": (5, 5),
    "checkEntitlements": (CHECKS_LIMIT, CHECKS_LIMIT),
}
"""Lists that grow: how long where nothing is said, and how long at most."""
