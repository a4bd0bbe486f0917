"""The schema: one base per concept, the scalars, and what happens to errors."""

from collections.abc import Iterator
from typing import Any, Final

import strawberry
from graphql import (
    GraphQLArgument,
    GraphQLError,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLSchema,
    Undefined,
)
from strawberry.extensions import SchemaExtension
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext

from app.graphql.context import Context
from app.graphql.errors import log_errors
from app.graphql.live import Live
from app.graphql.mutations.api_keys import ApiKeyMutations
from app.graphql.mutations.catalog_file import CatalogFileMutations
from app.graphql.mutations.catalogue import CatalogueMutations
from app.graphql.mutations.grants import GrantMutations
from app.graphql.mutations.migrations import MigrationMutations
from app.graphql.mutations.stripe_backfill import StripeBackfillMutations
from app.graphql.mutations.stripe_emails import StripeEmailMutations
from app.graphql.mutations.stripe_events import StripeEventMutations
from app.graphql.mutations.stripe_links import StripeLinkMutations
from app.graphql.mutations.stripe_reconcile import StripeReconcileMutations
from app.graphql.mutations.stripe_setup import StripeSetupMutations
from app.graphql.mutations.stripe_sync import StripeSyncMutations
from app.graphql.mutations.sync import SyncMutations
from app.graphql.mutations.usage import UsageMutations
from app.graphql.mutations.workspaces import WorkspaceMutations
from app.graphql.queries.api_keys import ApiKeyQueries
from app.graphql.queries.audit import AuditQueries
from app.graphql.queries.billing_events import BillingEventQueries
from app.graphql.queries.catalog_file import CatalogFileQueries
from app.graphql.queries.catalogue import CatalogueQueries
from app.graphql.queries.coupons import CouponQueries
from app.graphql.queries.entitlements import EntitlementQueries
from app.graphql.queries.invoices import InvoiceQueries
from app.graphql.queries.migrations import MigrationQueries
from app.graphql.queries.node import NodeQueries
from app.graphql.queries.payments import PaymentQueries
from app.graphql.queries.stripe_adoption import StripeAdoptionQueries
from app.graphql.queries.stripe_backfill import StripeBackfillQueries
from app.graphql.queries.stripe_reconcile import StripeReconcileQueries
from app.graphql.queries.subscriptions import SubscriptionQueries
from app.graphql.queries.sync import SyncQueries
from app.graphql.queries.usage import UsageQueries
from app.graphql.queries.workspaces import WorkspaceQueries
from app.graphql.scalars import SCALARS
from app.graphql.types.api_key import ApiKey
from app.graphql.types.errors import HANDLERS
from app.graphql.types.grants import EntitlementOverride


@strawberry.type(
    description="Everything that can be asked. Denial is data: a check never fails because of what it asks."
)
class Query(
    EntitlementQueries,
    WorkspaceQueries,
    SubscriptionQueries,
    InvoiceQueries,
    PaymentQueries,
    CouponQueries,
    BillingEventQueries,
    CatalogueQueries,
    SyncQueries,
    StripeBackfillQueries,
    StripeReconcileQueries,
    StripeAdoptionQueries,
    NodeQueries,
    ApiKeyQueries,
    UsageQueries,
    MigrationQueries,
    AuditQueries,
    CatalogFileQueries,
):
    pass


@strawberry.type(description="Everything that can be changed. Refusals that a caller can act on are union members.")
class Mutation(
    WorkspaceMutations,
    CatalogueMutations,
    GrantMutations,
    UsageMutations,
    SyncMutations,
    StripeEventMutations,
    StripeBackfillMutations,
    StripeReconcileMutations,
    StripeSyncMutations,
    StripeSetupMutations,
    StripeLinkMutations,
    StripeEmailMutations,
    ApiKeyMutations,
    MigrationMutations,
    CatalogFileMutations,
):
    pass


class _Prepared(SchemaExtension):
    """Hands over the document that was parsed, limited and validated before."""

    def on_parse(self) -> Iterator[None]:
        context: Context = self.execution_context.context
        self.execution_context.graphql_document = context.operation.document
        yield

    def on_validate(self) -> Iterator[None]:
        self.execution_context.pre_execution_errors = []
        yield


class EntitledSchema(strawberry.Schema):
    """Strawberry's schema, which logs bugs with the request's id and leaves clients' mistakes out of the log."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # pyright: ignore[reportUnknownMemberType]  Strawberry's signature
        for element in _with_defaults(self._schema):
            # Strawberry publishes `= null` for what may be left out; that says nothing.
            if element.default_value is None:
                element.default_value = Undefined

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        context: Any = execution_context.context if execution_context else None
        log_errors(errors, context.request_id if isinstance(context, Context) else "")

    @property
    def graphql(self) -> GraphQLSchema:
        """The schema as graphql-core has it."""
        return self._schema


def _with_defaults(schema: GraphQLSchema) -> Iterator[GraphQLArgument | GraphQLInputField]:
    for graphql_type in schema.type_map.values():
        if isinstance(graphql_type, GraphQLInputObjectType):
            yield from graphql_type.fields.values()
        elif isinstance(graphql_type, GraphQLObjectType):
            for field in graphql_type.fields.values():
                yield from field.args.values()


SCHEMA: Final = EntitledSchema(
    query=Query,
    mutation=Mutation,
    subscription=Live,
    types=[ApiKey, EntitlementOverride],
    extensions=[_Prepared],
    exception_handlers=HANDLERS,
    config=StrawberryConfig(scalar_map=SCALARS, disable_field_suggestions=True),
)


def sdl() -> str:
    """Return the schema in the schema definition language, the same text every time."""
    return SCHEMA.as_str() + "\n"
