"""The records that decide what one workspace may use."""

import msgspec

from app.domain.grant import Grant, Override
from app.domain.subscription import Subscription
from app.domain.usage import Balance
from app.domain.workspace import Workspace


class WorkspaceState(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """All that decides what one workspace may use, beside the catalogue. The order within the tuples does not matter.

    `version` is the sum of the versions of the workspace's records, dead ones too, so that it never falls.
    """

    workspace: Workspace
    subscriptions: tuple[Subscription, ...] = ()
    grants: tuple[Grant, ...] = ()
    overrides: tuple[Override, ...] = ()
    balance: Balance | None = None
    version: int = 0
