"""Gate a feature in ten lines. Try it: ENTITLED_URL=… ENTITLED_API_KEY=… python gate.py WORKSPACE FEATURE."""

import asyncio
import os
import sys

from entitled_client import AccessDeniedReason, CheckInput, Entitled, UnavailableError

FAIL_OPEN = False  # the answer while the service cannot tell: False keeps everybody out, True lets everybody in


async def may_use(entitled: Entitled, workspace_id: str, feature_key: str) -> bool:
    question = CheckInput(workspace_id=workspace_id, feature_key=feature_key)
    try:
        entitlement = (await entitled.check_entitlement(question)).entitlement
    except UnavailableError:
        return FAIL_OPEN
    unknown = entitlement.access_denied_reason is AccessDeniedReason.STATE_UNKNOWN
    return FAIL_OPEN if unknown else entitlement.has_access


async def main() -> None:
    url = os.environ.get("ENTITLED_URL", "http://127.0.0.1:8080/graphql")
    async with Entitled(url, os.environ["ENTITLED_API_KEY"]) as entitled:
        print("allowed" if await may_use(entitled, *sys.argv[1:3]) else "denied")


if __name__ == "__main__":
    asyncio.run(main())
