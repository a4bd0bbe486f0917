"""A denial as the service would send it to the clients."""

from typing import Any


def denied(reason: str) -> dict[str, Any]:
    """Return the answer to checkEntitlement."""
    entitlement = {
        "featureKey": "sso",
        "hasAccess": False,
        "accessDeniedReason": reason,
        "limitBehavior": "HARD",
        "readOnly": False,
        "inGrace": False,
        "graceEndsAt": None,
        "isTrial": False,
        "trialEndsAt": None,
        "value": None,
        "usage": None,
        "validUntil": None,
        "version": "0",
    }
    return {"data": {"checkEntitlement": {"entitlement": entitlement}}}
