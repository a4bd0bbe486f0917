"""Why an answer is what it is: the rules in their order, what each saw, and what it said."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from app.domain.config_value import allows
from app.domain.denial import AccessDeniedReason
from app.domain.entitlement import MOST_SPECIFIC, assess, findings_of
from app.domain.findings import Findings
from app.domain.offer import read_only_for
from app.domain.plan import Catalogue, ConfigValue, Feature, FeatureType, LimitBehavior, ValueType
from app.domain.supply import Supply
from app.domain.usage import charge_of
from app.domain.workspace_state import WorkspaceState

PASSED: Final = "PASSED"

Facts = dict[str, Any]
"""What a rule saw, in JSON: amounts are strings, instants epoch milliseconds."""

_Reason = AccessDeniedReason
_ZERO: Final = Decimal(0)


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A check, with everything that it was decided on."""

    feature_key: str
    state: WorkspaceState | None
    catalogue: Catalogue
    at: int
    requested_usage: Decimal | None = None
    requested_values: tuple[str, ...] | None = None


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One rule: `outcome` is PASSED or the reason for denial; the `decisive` step is the one that settled it."""

    rule: str
    input: Facts
    outcome: str
    decisive: bool = False


def explain(question: Question) -> tuple[Step, ...]:
    """Return the rules that were asked, in their order, up to the one that settled the answer.

    The first rule that does not pass gives the reason; where all pass, the last one is decisive.
    """
    steps: list[Step] = []
    for rule, facts in _facts(question):
        steps.append(Step(rule=rule, input=facts, outcome=RULES[rule](facts)))
        if steps[-1].outcome != PASSED:
            break
    return (*steps[:-1], msgspec.structs.replace(steps[-1], decisive=True))


def _facts(question: Question) -> Sequence[tuple[str, Facts]]:
    """Gather what each rule sees; rules that nothing can be said to are left out."""
    state, feature = question.state, question.catalogue.features.get(question.feature_key)
    found: list[tuple[str, Facts]] = [("WORKSPACE_KNOWN", {"found": state is not None})]
    if state is None:
        return found
    found.append(("WORKSPACE_ACTIVE", {"archivedAt": state.workspace.archived_at}))
    found.append(("FEATURE_KNOWN", {"featureKey": question.feature_key, "found": feature is not None}))
    if feature is None:
        return found
    asked = {
        "asksForUsage": question.requested_usage is not None,
        "asksForValues": question.requested_values is not None,
    }
    found.append(("QUESTION_FITS", {"type": feature.type.value, **asked}))
    answer, supply = assess(question.feature_key, state, question.catalogue, question.at)
    findings = findings_of(feature, state, question.catalogue, question.at)
    found.append(("GIVEN", _sources(findings)))
    if supply is not None:
        amount = Decimal(1) if question.requested_usage is None else question.requested_usage
        charge = charge_of(feature, amount)
        found.append(("MAY_WRITE", {"charge": str(charge), "readOnlyFor": _value_of(read_only_for(findings))}))
        found.append(("WITHIN_LIMITS", {**_limits(supply, feature), "charge": str(charge)}))
    elif feature.type is FeatureType.CONFIG and (findings.parts or findings.grants):
        found.append(("VALUE_ALLOWED", _value(feature, answer.value, question.requested_values)))
    return found


def _sources(found: Findings) -> Facts:
    return {
        "plans": [
            {
                "id": part.id,
                "source": part.source.value,
                "plan": part.holding.plan.key if part.holding.plan else None,
                "access": part.holding.level.value,
            }
            for part in found.parts
        ],
        "grants": [{"id": grant.id, "source": grant.source.value} for grant in found.grants],
        "reasons": [reason.value for reason in found.reasons],
    }


def _value_of(reason: AccessDeniedReason | None) -> str | None:
    return None if reason is None else reason.value


def _limits(supply: Supply, feature: Feature) -> Facts:
    return {
        "isCredit": feature.type is FeatureType.CREDIT,
        "ways": [
            [
                {
                    "resetPeriod": window.reset_period.value,
                    "limit": _text(window.capacity),
                    "limitBehavior": window.behavior.value,
                    "used": str(window.used),
                    "reserved": str(window.reserved),
                }
                for window in way
            ]
            for way in supply.alternatives
        ],
        "pots": [
            {
                "id": bucket.id,
                "source": bucket.source.value,
                "amount": _text(bucket.amount),
                "used": str(bucket.used),
                "reserved": str(bucket.reserved),
            }
            for bucket in supply.buckets
        ],
    }


def _value(feature: Feature, value: ConfigValue | None, requested: tuple[str, ...] | None) -> Facts:
    return {
        "valueType": feature.value_type.value if feature.value_type else None,
        "value": list(value) if isinstance(value, tuple) else value,
        "requested": list(requested or ()),
    }


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)


def _workspace_known(facts: Facts) -> str:
    return PASSED if facts["found"] else _Reason.WORKSPACE_NOT_FOUND


def _workspace_active(facts: Facts) -> str:
    return PASSED if facts["archivedAt"] is None else _Reason.WORKSPACE_ARCHIVED


def _feature_known(facts: Facts) -> str:
    return PASSED if facts["found"] else _Reason.FEATURE_NOT_FOUND


def _question_fits(facts: Facts) -> str:
    asks_wrongly = (facts["asksForUsage"] and facts["type"] not in (FeatureType.METERED, FeatureType.CREDIT)) or (
        facts["asksForValues"] and facts["type"] != FeatureType.CONFIG
    )
    return _Reason.FEATURE_TYPE_MISMATCH if asks_wrongly else PASSED


def _given(facts: Facts) -> str:
    if facts["plans"] or facts["grants"]:
        return PASSED
    return next((reason for reason in MOST_SPECIFIC if reason in facts["reasons"]), _Reason.NO_ACTIVE_SUBSCRIPTION)


def _may_write(facts: Facts) -> str:
    return facts["readOnlyFor"] if facts["readOnlyFor"] and Decimal(facts["charge"]) > 0 else PASSED


def _within_limits(facts: Facts) -> str:
    charge = Decimal(facts["charge"])
    beside = sum((_left(pot["amount"], pot) for pot in facts["pots"]), _ZERO)
    ways = [
        min((_left(w["limit"], w) for w in way if w["limitBehavior"] == LimitBehavior.HARD), default=_left(None, {}))
        for way in facts["ways"]
    ]
    if charge <= 0 or charge <= max(ways, default=_ZERO) + beside:
        return PASSED
    return _Reason.INSUFFICIENT_CREDITS if facts["isCredit"] else _Reason.USAGE_LIMIT_EXCEEDED


def _left(amount: str | None, of: Mapping[str, str]) -> Decimal:
    if amount is None:
        return Decimal("Infinity")
    return max(_ZERO, Decimal(amount) - Decimal(of["used"]) - Decimal(of["reserved"]))


def _value_allowed(facts: Facts) -> str:
    value: int | str | list[str] | None = facts["value"]
    value_type = None if facts["valueType"] is None else ValueType(facts["valueType"])
    held = tuple(value) if isinstance(value, list) else value
    return PASSED if allows(value_type, held, facts["requested"]) else _Reason.REQUESTED_VALUE_NOT_ALLOWED


RULES: Final[Mapping[str, Callable[[Facts], str]]] = {
    "WORKSPACE_KNOWN": _workspace_known,
    "WORKSPACE_ACTIVE": _workspace_active,
    "FEATURE_KNOWN": _feature_known,
    "QUESTION_FITS": _question_fits,
    "GIVEN": _given,
    "MAY_WRITE": _may_write,
    "WITHIN_LIMITS": _within_limits,
    "VALUE_ALLOWED": _value_allowed,
}
"""What each rule says of what it saw; whoever has the steps can ask again."""
