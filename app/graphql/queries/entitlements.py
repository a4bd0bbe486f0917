"""Checks and entitlements: answered from RAM, awaiting only where RAM misses."""

import asyncio
import inspect
from collections.abc import Awaitable, Mapping, Sequence
from decimal import Decimal

import strawberry

from app.domain.errors import UnavailableError
from app.domain.workspace_state import WorkspaceState
from app.graphql.context import Context, Info, find_state
from app.graphql.errors import bad_input
from app.graphql.limits import CHECKS_LIMIT
from app.graphql.permissions import READS_ENTITLEMENTS, requires
from app.graphql.types.decision import Check, answers, decision, to_set, unknown_answers, unknown_decision
from app.graphql.types.entitlement import EntitlementDecision, EntitlementSet

Found = WorkspaceState | UnavailableError | None
"""What a look-up came to; the error means that nobody can tell now."""


@strawberry.input(description="One question: may this workspace use this feature?")
class CheckInput:
    workspace_id: strawberry.ID = strawberry.field(description="Our id, or your externalId.")
    feature_key: str = strawberry.field(description="The feature's key. An unknown one is answered, not refused.")
    requested_usage: Decimal | None = strawberry.field(
        default=None,
        description="METERED and CREDIT only: how much is about to be used. 1 unless given; 0: is it there at all?",
    )
    requested_values: list[str] | None = strawberry.field(
        default=None, description="CONFIG only: values that must all be allowed."
    )

    def to_check(self) -> Check:
        """Translate."""
        values = None if self.requested_values is None else tuple(self.requested_values)
        return Check(self.workspace_id, self.feature_key, self.requested_usage, values)


@strawberry.type
class EntitlementQueries:
    @strawberry.field(
        graphql_type=EntitlementDecision,
        directives=requires(*READS_ENTITLEMENTS),
        description="Whether a workspace may use a feature now. Always answers: what is unknown is a reason.",
    )
    def check_entitlement(self, info: Info, input: CheckInput) -> EntitlementDecision | Awaitable[EntitlementDecision]:
        context, check = info.context, input.to_check()
        found = _found(context, [check.ref])
        if inspect.isawaitable(found):
            return _later_decision(context, check, found)
        return _decide(context, [check], found)[0]

    @strawberry.field(
        graphql_type=list[EntitlementDecision],
        directives=requires(*READS_ENTITLEMENTS),
        description="Up to 1,000 checks, all at one instant, answered in the order of the inputs.",
    )
    def check_entitlements(
        self, info: Info, inputs: list[CheckInput]
    ) -> list[EntitlementDecision] | Awaitable[list[EntitlementDecision]]:
        if len(inputs) > CHECKS_LIMIT:
            raise bad_input(f"{len(inputs)} inputs; at most {CHECKS_LIMIT} are allowed")
        context, checks = info.context, [one.to_check() for one in inputs]
        found = _found(context, dict.fromkeys(check.ref for check in checks))
        if inspect.isawaitable(found):
            return _later_decisions(context, checks, found)
        return _decide(context, checks, found)

    @strawberry.field(
        graphql_type=EntitlementSet,
        directives=requires(*READS_ENTITLEMENTS),
        description="What a workspace may use now: of every feature, or of up to 1,000 named ones.",
    )
    def entitlements(
        self, info: Info, workspace_id: strawberry.ID, feature_keys: list[str] | None = None
    ) -> EntitlementSet | Awaitable[EntitlementSet]:
        if feature_keys is not None and len(feature_keys) > CHECKS_LIMIT:
            raise bad_input(f"{len(feature_keys)} featureKeys; at most {CHECKS_LIMIT} are allowed")
        found = _found(info.context, [workspace_id])
        if inspect.isawaitable(found):
            return _later_set(info.context, workspace_id, feature_keys, found)
        return _to_set(info.context, workspace_id, feature_keys, found)


def _found(
    context: Context, refs: Sequence[str] | Mapping[str, None]
) -> dict[str, Found] | Awaitable[dict[str, Found]]:
    """Look up each workspace once: at once where RAM has all, else in one wait for every miss."""
    if not context.rt.cache.ready:
        return dict.fromkeys(refs, UnavailableError("loading"))
    states = {ref: find_state(context.rt, ref) for ref in refs}
    known: dict[str, Found] = {}
    misses: dict[str, Awaitable[WorkspaceState | None]] = {}
    for ref, state in states.items():
        if inspect.isawaitable(state):
            misses[ref] = state
        else:
            known[ref] = state
    return _with_misses(context, known, misses) if misses else known


async def _with_misses(
    context: Context, known: dict[str, Found], misses: Mapping[str, Awaitable[WorkspaceState | None]]
) -> dict[str, Found]:
    found = await asyncio.gather(*(_or_unavailable(miss) for miss in misses.values()))
    # While we waited, records may have changed: one snapshot answers all.
    return {ref: _now(context, ref, state) for ref, state in (*known.items(), *zip(misses, found, strict=True))}


def _now(context: Context, ref: str, found: Found) -> Found:
    workspace_id = context.rt.cache.workspace_id(ref)
    return context.rt.cache.state(workspace_id) if workspace_id is not None else found


async def _or_unavailable(miss: Awaitable[WorkspaceState | None]) -> Found:
    try:
        return await miss
    except UnavailableError as error:
        return error


def _decide(context: Context, checks: Sequence[Check], found: Mapping[str, Found]) -> list[EntitlementDecision]:
    catalogue = context.rt.cache.catalogue()
    decisions: list[EntitlementDecision] = []
    for check in checks:
        state = found[check.ref]
        if isinstance(state, UnavailableError):
            decisions.append(unknown_decision(check))
        else:
            decisions.append(decision(check, state, catalogue, context.at))
    return decisions


def _to_set(
    context: Context, ref: str, feature_keys: Sequence[str] | None, found: Mapping[str, Found]
) -> EntitlementSet:
    state = found[ref]
    if isinstance(state, UnavailableError):
        return to_set(unknown_answers(ref, feature_keys))
    return to_set(answers(ref, state, context.rt.cache.catalogue(), context.at, feature_keys))


async def _later_decision(context: Context, check: Check, found: Awaitable[dict[str, Found]]) -> EntitlementDecision:
    return _decide(context, [check], await found)[0]


async def _later_decisions(
    context: Context, checks: Sequence[Check], found: Awaitable[dict[str, Found]]
) -> list[EntitlementDecision]:
    return _decide(context, checks, await found)


async def _later_set(
    context: Context, ref: str, feature_keys: Sequence[str] | None, found: Awaitable[dict[str, Found]]
) -> EntitlementSet:
    return _to_set(context, ref, feature_keys, await found)
