"""Who may see what: declared on root fields and types as `@auth`, enforced once before an operation runs."""

from collections.abc import Iterable
from typing import Any, Final, cast

import strawberry
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
)
from strawberry.schema_directive import Location

from app.domain.api_key import Principal, Scope
from app.domain.errors import ForbiddenError


@strawberry.schema_directive(
    name="auth",
    locations=[Location.FIELD_DEFINITION, Location.OBJECT],
    description="The API key needs one of these scopes; with none named, any valid key will do.",
)
class Auth:
    any_of: list[Scope] = strawberry.directive_field(name="anyOf")


READS_ENTITLEMENTS: Final = (Scope.ENTITLEMENTS_READ,)
READS_BILLING: Final = (Scope.BILLING_READ, Scope.ENTITLEMENTS_READ)
READS_EVENTS: Final = (Scope.BILLING_READ, Scope.OPERATOR)
READS_MONEY: Final = (Scope.BILLING_READ,)
READS_USAGE: Final = (Scope.ENTITLEMENTS_READ, Scope.BILLING_READ, Scope.USAGE_WRITE)
READS_CATALOG: Final = (Scope.ENTITLEMENTS_READ, Scope.BILLING_READ, Scope.CATALOG_WRITE)
WRITES_BILLING: Final = (Scope.BILLING_WRITE,)
WRITES_CATALOG: Final = (Scope.CATALOG_WRITE,)
WRITES_USAGE: Final = (Scope.USAGE_WRITE,)
OPERATES: Final = (Scope.OPERATOR,)
ADMINISTERS: Final = (Scope.ADMIN,)

SEES_WORKSPACE: Final = (Scope.ENTITLEMENTS_READ, Scope.BILLING_READ, Scope.BILLING_WRITE)
SEES_ENTITLEMENT: Final = (*SEES_WORKSPACE, Scope.USAGE_WRITE)
SEES_CATALOG: Final = (*SEES_ENTITLEMENT, Scope.CATALOG_WRITE)
SEES_MIGRATIONS: Final = (Scope.CATALOG_WRITE, Scope.OPERATOR, Scope.BILLING_READ)
SYNCS_CUSTOMER: Final = (Scope.OPERATOR, Scope.BILLING_WRITE)
SYNCS_CATALOG: Final = (Scope.OPERATOR, Scope.CATALOG_WRITE)
SEES_KEYS: Final = (Scope.ADMIN, Scope.OPERATOR)

Needs = frozenset[frozenset[Scope]]
"""All of these must be met, each by any one of its scopes."""

INTROSPECTION: Final[Needs] = frozenset({frozenset(Scope) - {Scope.USAGE_WRITE}})
"""Who may introspect: any key but one that only writes usage, which lies about in many places and asks nothing."""


def requires(*any_of: Scope) -> list[Any]:
    """Declare that a root field or a type needs one of these scopes; give it as `directives`."""
    return [Auth(any_of=list(any_of))]


def follows() -> list[Any]:
    """Declare that a type holds nothing of its own: whoever may use the field that leads to it may see it."""
    return [Auth(any_of=[])]


def declared(element: object) -> frozenset[Scope] | None:
    """Return the scopes that a field or type of the built schema declares; None where it declares nothing."""
    return _in_directives(getattr(element, "extensions", {}).get("strawberry-definition"))


def _in_directives(definition: object) -> frozenset[Scope] | None:
    for directive in getattr(definition, "directives", ()):
        if isinstance(directive, Auth):
            return frozenset(directive.any_of)
    return None


def check(principal: Principal, needs: Needs) -> None:
    """Raise `ForbiddenError` where the principal lacks a scope."""
    for any_of in needs:
        if not any_of & principal.scopes:
            raise ForbiddenError(tuple(sorted(any_of)))


def check_type(principal: Principal, type: type) -> None:
    """Raise `ForbiddenError` where the principal may not see the type: for fields that learn it only at run time."""
    if any_of := _in_directives(getattr(type, "__strawberry_definition__", None)):
        check(principal, frozenset({any_of}))


def needs_of(schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode) -> Needs:
    """Collect what the fields and types that a valid operation names declare. Each fragment is read once."""
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    root = schema.get_root_type(operation.operation)
    walk = _Walk(schema, fragments)
    if root is not None:
        walk.selections(operation.selection_set, root)
    return frozenset(need for need in walk.found if need)


class _Walk:
    """One pass over an operation, gathering declarations."""

    def __init__(self, schema: GraphQLSchema, fragments: dict[str, FragmentDefinitionNode]) -> None:
        self.found: set[frozenset[Scope]] = set()
        self._schema = schema
        self._fragments = fragments
        self._seen: set[str] = set()

    def selections(self, selection_set: SelectionSetNode, parent: GraphQLNamedType) -> None:
        self._note(parent)
        for node in selection_set.selections:
            match node:
                case FieldNode():
                    self._field(node, parent)
                case InlineFragmentNode():
                    condition = node.type_condition
                    self.selections(
                        node.selection_set, self._schema.type_map[condition.name.value] if condition else parent
                    )
                case FragmentSpreadNode() if node.name.value not in self._seen:
                    self._seen.add(node.name.value)
                    fragment = self._fragments[node.name.value]
                    self.selections(fragment.selection_set, self._schema.type_map[fragment.type_condition.name.value])
                case _:
                    pass

    def _field(self, node: FieldNode, parent: GraphQLNamedType) -> None:
        if not isinstance(parent, (GraphQLObjectType, GraphQLInterfaceType)):
            return
        field = parent.fields.get(node.name.value)
        if field is None:  # __typename, __schema, __type
            self.found.update(frozenset() if node.name.value == "__typename" else INTROSPECTION)
            return
        self._note(field)
        if node.selection_set is not None:
            self.selections(node.selection_set, cast("GraphQLNamedType", get_named_type(field.type)))  # untyped there

    def _note(self, element: object) -> None:
        if any_of := declared(element):
            self.found.add(any_of)


def undeclared(schema: GraphQLSchema) -> Iterable[str]:
    """Yield the root fields and object types that do not say who may see them."""
    roots = [root for root in (schema.query_type, schema.mutation_type, schema.subscription_type) if root]
    for root in roots:
        yield from (f"{root.name}.{name}" for name, field in root.fields.items() if declared(field) is None)
    for name, graphql_type in schema.type_map.items():
        if name.startswith("__") or graphql_type in roots or isinstance(graphql_type, GraphQLUnionType):
            continue
        if isinstance(graphql_type, GraphQLObjectType) and declared(graphql_type) is None:
            yield name
