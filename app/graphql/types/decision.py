"""Checks and sets: from a workspace's state to the GraphQL answer, through `evaluate` alone."""

from collections.abc import Sequence
from decimal import Decimal

import msgspec
import strawberry

from app.domain import entitlement as domain
from app.domain.entitlement import AccessDeniedReason, denied, evaluate
from app.domain.explanation import Question
from app.domain.plan import Catalogue
from app.domain.workspace_state import WorkspaceState
from app.graphql.errors import bad_input
from app.graphql.types.entitlement import Entitlement, EntitlementDecision, EntitlementSet


class Check(msgspec.Struct, frozen=True):
    """One question, as asked."""

    ref: str
    feature_key: str
    requested_usage: Decimal | None = None
    requested_values: tuple[str, ...] | None = None


class Answers(msgspec.Struct, frozen=True):
    """The answers for one workspace at one instant; two are equal where a client would see no difference."""

    workspace_id: str
    version: int
    entitlements: tuple[domain.Entitlement, ...]
    denied_reason: AccessDeniedReason | None = None

    @property
    def is_unknown(self) -> bool:
        """Whether nobody can tell now."""
        return self.denied_reason is AccessDeniedReason.STATE_UNKNOWN

    @property
    def valid_until_at(self) -> int | None:
        """The next instant at which the clock alone can change one of them."""
        instants = (answer.valid_until_at for answer in self.entitlements)
        return min((at for at in instants if at is not None), default=None)


def decision(check: Check, state: WorkspaceState | None, catalogue: Catalogue, at: int) -> EntitlementDecision:
    """Answer a check. A negative amount is bad input, unless it frees a level such as seats."""
    amount = check.requested_usage
    if amount is not None and amount < 0:
        feature = catalogue.features.get(check.feature_key)
        if feature and feature.is_counted and not feature.is_level:
            raise bad_input(f"requestedUsage must not be negative: {check.feature_key} only counts up")
    answer = evaluate(
        check.feature_key, state, catalogue, at, requested_usage=amount, requested_values=check.requested_values
    )
    question = Question(
        feature_key=check.feature_key,
        state=state,
        catalogue=catalogue,
        at=at,
        requested_usage=amount,
        requested_values=check.requested_values,
    )
    return EntitlementDecision.of(answer, question)


def unknown_decision(check: Check) -> EntitlementDecision:
    """Answer a check while the state cannot be known."""
    answer = denied(check.feature_key, AccessDeniedReason.STATE_UNKNOWN)
    return EntitlementDecision.of(answer, None)


def answers(
    ref: str, state: WorkspaceState | None, catalogue: Catalogue, at: int, feature_keys: Sequence[str] | None = None
) -> Answers:
    """Evaluate the features asked for, or all; an unknown workspace has none but those asked for."""
    if feature_keys is None:
        keys: Sequence[str] = list(catalogue.features) if state else ()
    else:
        keys = list(dict.fromkeys(feature_keys))
    evaluated = tuple(evaluate(key, state, catalogue, at) for key in keys)
    if state is None:
        return Answers(ref, 0, evaluated, AccessDeniedReason.WORKSPACE_NOT_FOUND)
    archived = AccessDeniedReason.WORKSPACE_ARCHIVED if state.workspace.archived_at is not None else None
    return Answers(state.workspace.id, state.version, evaluated, archived)


def unknown_answers(ref: str, feature_keys: Sequence[str] | None = None) -> Answers:
    """Return the set while the state cannot be known."""
    keys = dict.fromkeys(feature_keys or ())
    unknown = tuple(denied(key, AccessDeniedReason.STATE_UNKNOWN) for key in keys)
    return Answers(ref, 0, unknown, AccessDeniedReason.STATE_UNKNOWN)


def to_set(found: Answers) -> EntitlementSet:
    """Translate."""
    return EntitlementSet(
        workspace_id=strawberry.ID(found.workspace_id),
        version=str(found.version),
        entitlements=[Entitlement.from_domain(answer) for answer in found.entitlements],
        access_denied_reason=found.denied_reason,
    )


def entitlement_set(ref: str, state: WorkspaceState | None, catalogue: Catalogue, at: int) -> EntitlementSet:
    """Evaluate every feature and translate."""
    return to_set(answers(ref, state, catalogue, at))
