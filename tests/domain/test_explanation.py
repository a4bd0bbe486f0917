"""The steps of an explanation lead to the very answer, and each says what it saw."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.records import NOW, feature, grant, limit, override, plan, sub, workspace
from support.states import KEYS, amounts, states

from app.domain.entitlement import Entitlement, evaluate
from app.domain.explanation import PASSED, RULES, Question, Step, explain
from app.domain.plan import AccessLevel, Catalogue, FeatureType, GracePolicy, PlanFeature, ValueType
from app.domain.subscription import SubscriptionStatus
from app.domain.workspace_state import WorkspaceState

FEATURES = (
    feature("api_calls"),
    feature("sso", FeatureType.BOOLEAN),
    feature("regions", FeatureType.CONFIG, value_type=ValueType.ENUM, enum_values=("eu", "us")),
    feature("ai", FeatureType.CREDIT),
    feature("images", FeatureType.CREDIT, credit_key="ai", cost=Decimal(5)),
)
PRO = plan(
    "pro",
    limit(),
    limit("ai", 10),
    PlanFeature(feature_key="regions", value=("eu",)),
    grace=GracePolicy(days=30, access=AccessLevel.READ_ONLY),
)
CATALOGUE = Catalogue(FEATURES, [PRO])
STATE = WorkspaceState(workspace=workspace(), subscriptions=(sub(),), version=1)


def ask(question: Question) -> Entitlement:
    return evaluate(
        question.feature_key,
        question.state,
        question.catalogue,
        question.at,
        requested_usage=question.requested_usage,
        requested_values=question.requested_values,
    )


def replay(steps: tuple[Step, ...]) -> str:
    """Ask every rule again with nothing but what the step says it saw, and return what the first refusal said."""
    outcomes = [RULES[step.rule](json.loads(json.dumps(step.input))) for step in steps]
    assert outcomes == [step.outcome for step in steps]
    return next((outcome for outcome in outcomes if outcome != PASSED), PASSED)


@given(
    states(),
    st.sampled_from([*KEYS, "unknown"]),
    st.none() | amounts,
    st.none() | st.lists(st.sampled_from(["eu", "us", "5"]), max_size=2).map(tuple),
)
def test_replaying_the_steps_gives_the_decision(
    held: tuple[WorkspaceState, Catalogue],
    key: str,
    requested_usage: Decimal | None,
    requested_values: tuple[str, ...] | None,
) -> None:
    state, catalogue = held
    question = Question(
        feature_key=key,
        state=state,
        catalogue=catalogue,
        at=NOW,
        requested_usage=requested_usage,
        requested_values=requested_values,
    )

    steps = explain(question)

    assert replay(steps) == (ask(question).access_denied_reason or PASSED)
    assert [step.decisive for step in steps] == [False] * (len(steps) - 1) + [True]
    assert all(step.outcome == PASSED for step in steps[:-1])


@pytest.mark.parametrize(
    ("question", "rule"),
    [
        pytest.param({"state": None}, "WORKSPACE_KNOWN", id="no-workspace"),
        pytest.param(
            {"state": WorkspaceState(workspace=workspace(archived_at=NOW))}, "WORKSPACE_ACTIVE", id="archived"
        ),
        pytest.param({"feature_key": "none"}, "FEATURE_KNOWN", id="no-feature"),
        pytest.param({"feature_key": "sso", "requested_usage": Decimal(1)}, "QUESTION_FITS", id="mismatch"),
        pytest.param({"feature_key": "sso"}, "GIVEN", id="not-in-the-plan"),
        pytest.param({"feature_key": "regions", "requested_values": ("us",)}, "VALUE_ALLOWED", id="value"),
        pytest.param({"feature_key": "images", "requested_usage": Decimal(3)}, "WITHIN_LIMITS", id="credits"),
        pytest.param({"requested_usage": Decimal(101)}, "WITHIN_LIMITS", id="limit"),
        pytest.param({}, "WITHIN_LIMITS", id="access"),
        pytest.param(
            {"state": WorkspaceState(workspace=workspace(), subscriptions=(sub(status=SubscriptionStatus.PAST_DUE),))},
            "MAY_WRITE",
            id="read-only",
        ),
        pytest.param(
            {
                "feature_key": "images",
                "state": WorkspaceState(
                    workspace=workspace(),
                    subscriptions=(sub(),),
                    overrides=(override(key="images", revoked=True),),
                ),
            },
            "GIVEN",
            id="revoked-draw-on-credits",
        ),
    ],
)
def test_the_decisive_rule_is_named(question: dict[str, object], rule: str) -> None:
    asked = Question(**{"feature_key": "api_calls", "state": STATE, "catalogue": CATALOGUE, "at": NOW, **question})

    steps = explain(asked)

    assert steps[-1].rule == rule
    assert replay(steps) == (ask(asked).access_denied_reason or PASSED)


def test_the_limits_step_lists_every_source() -> None:
    state = WorkspaceState(workspace=workspace(), subscriptions=(sub(),), grants=(grant(amount=Decimal(5)),))

    (*_, step) = explain(Question(feature_key="api_calls", state=state, catalogue=CATALOGUE, at=NOW))

    assert step.input["ways"][0][0]["limit"] == "100"
    assert [pot["id"] for pot in step.input["pots"]] == ["grant_1"]
