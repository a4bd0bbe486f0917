"""The Authorization header: from `Bearer KEY` to the principal."""

from typing import Final

from app.domain.api_key import Principal
from app.runtime import Runtime
from app.services.api_keys import verify

_SCHEME: Final = "bearer"


def authenticate(rt: Runtime, authorization: str | None) -> Principal | None:
    """Return who presents this header value; None where there is none, or no good key in it. RAM only.

    A missing key costs the same as a wrong one, so that time tells nothing.
    """
    scheme, _, credential = (authorization or "").strip().partition(" ")
    return verify(rt, credential.strip() if scheme.lower() == _SCHEME else None)
