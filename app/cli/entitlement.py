"""An entitlement as commands show it: what is asked for, a sentence, a table's columns."""

from collections.abc import Mapping
from typing import Any, Final, cast

from app.cli.output import Column

SELECTION: Final = """
  featureKey hasAccess accessDeniedReason limitBehavior readOnly inGrace graceEndsAt isTrial trialEndsAt value
  validUntil version usage { used limit remaining overage periodStart resetsAt }
  grants { id featureKey source sourceId limitBehavior amount remaining value expiresAt reason }
"""


def _usage(answer: dict[str, Any], name: str) -> object:
    return answer["usage"] and answer["usage"][name]


def _limit(answer: dict[str, Any]) -> object:
    if answer["limitBehavior"] == "UNLIMITED":
        return "unlimited"
    return _usage(answer, "limit")


COLUMNS: Final[Mapping[str, Column]] = {
    "FEATURE": "featureKey",
    "ACCESS": "hasAccess",
    "WHY NOT": "accessDeniedReason",
    "USED": lambda answer: _usage(answer, "used"),
    "LIMIT": _limit,
    "RESETS": lambda answer: _usage(answer, "resetsAt"),
    "VALUE": "value",
    "FROM": lambda answer: list(dict.fromkeys(grant["source"] for grant in answer["grants"])),
    "VALID UNTIL": "validUntil",
}


def sentence(workspace: str, answer: dict[str, Any]) -> str:
    """Say whether the workspace may use the feature, and how much of it."""
    if not answer["hasAccess"]:
        verdict = f"{workspace} may not use {answer['featureKey']}: {answer['accessDeniedReason']}"
    else:
        verdict = f"{workspace} may use {answer['featureKey']}{', read only' if answer['readOnly'] else ''}"
    return "; ".join([verdict, *_details(answer)])


def _value(value: object) -> str:
    return ", ".join(map(str, cast("list[object]", value))) if isinstance(value, list) else str(value)


def _details(answer: dict[str, Any]) -> list[str]:
    found: list[str] = []
    if usage := answer["usage"]:
        limit = "unlimited" if usage["limit"] is None else f"of {usage['limit']}"
        resets = f", resets at {usage['resetsAt']}" if usage["resetsAt"] else ""
        found.append(f"used {usage['used']} {limit}{resets}")
    if answer["value"] is not None:
        found.append(f"value {_value(answer['value'])}")
    if answer["isTrial"]:
        found.append(f"trial until {answer['trialEndsAt']}")
    if answer["inGrace"]:
        found.append(f"payment overdue, grace until {answer['graceEndsAt']}")
    return found
