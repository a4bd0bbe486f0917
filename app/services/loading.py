"""What several use cases load first: a workspace's state by either id, one record as RAM or the store has it."""

import inspect
from collections.abc import Collection
from typing import TypeVar

from app.domain.change import Kind, Record, Source
from app.domain.errors import ConflictError, NotFoundError
from app.domain.faults import NAME_MAX, is_storable
from app.domain.plan import Feature
from app.domain.workspace import Workspace
from app.domain.workspace_state import WorkspaceState
from app.runtime import Runtime

R = TypeVar("R", bound=Record)


async def load_state(rt: Runtime, ref: str, *, fresh: bool = False) -> WorkspaceState:
    """Return the state of the workspace with this id or external id, brought from the store first where `fresh`."""
    if not 1 <= len(ref) <= NAME_MAX or not is_storable(ref):
        raise NotFoundError("workspace", ref)
    if fresh:
        for record in await rt.store.read_workspace(ref):
            rt.cache.apply(record, source=Source.LOOKUP)
    found = rt.lookup.state(ref)
    state = await found if inspect.isawaitable(found) else found
    if state is None:
        raise NotFoundError("workspace", ref)
    return state


async def load_workspace(rt: Runtime, ref: str, *, fresh: bool = False) -> Workspace:
    """Return the workspace with this id or external id, as the store has it where `fresh`."""
    return (await load_state(rt, ref, fresh=fresh)).workspace


async def find_workspaces(rt: Runtime, refs: Collection[str]) -> dict[str, str]:
    """Return our ids of the workspaces that exist under these ids or external ids: from RAM, else from the store."""
    found: dict[str, str] = {}
    for ref in refs:
        workspace_id = rt.cache.workspace_id(ref)
        if workspace_id is None:
            records = await rt.store.read_workspace(ref)
            workspace_id = next((r.id for r in records if isinstance(r, Workspace) and r.deleted_at is None), None)
        if workspace_id is not None:
            found[ref] = workspace_id
    return found


async def load_record(rt: Runtime, type: type[R], id: str, resource: str) -> R:
    """Return the record as a majority of the store has it, soft-deleted too, and let RAM have it."""
    if not 1 <= len(id) <= NAME_MAX or not is_storable(id):
        raise NotFoundError(resource, id)
    record = (await rt.store.read(type.KIND, (id,))).get(id)
    if not isinstance(record, type):
        raise NotFoundError(resource, id)
    rt.cache.apply(record, source=Source.LOOKUP)
    return record


async def refresh_catalogue(rt: Runtime) -> None:
    """Bring every feature and plan of the store to RAM: another replica may just have written one.

    Features come last, so that none is missing that a plan names, whatever is written meanwhile.
    """
    for kind in (Kind.PLAN, Kind.FEATURE):
        async for batch in rt.store.scan(kind):
            for record in batch:
                rt.cache.apply(record, source=Source.SCAN)


async def load_feature(rt: Runtime, key: str) -> Feature:
    """Return the feature with this key; where RAM has none, the store is asked."""
    if key not in rt.cache.catalogue().features:
        await refresh_catalogue(rt)
    feature = rt.cache.catalogue().features.get(key)
    if feature is None:
        raise NotFoundError("feature", key)
    return feature


def refuse_archived(workspace: Workspace) -> None:
    """Raise `ConflictError` for a workspace that is archived: it can be read and no longer changed."""
    if workspace.archived_at is not None:
        raise ConflictError(f"workspace {workspace.id!r} is archived", current_version=workspace.version)


def refuse_other_version(record: Record, if_version: int | None) -> None:
    """Raise `ConflictError` with the current version where the caller has seen another."""
    if if_version is not None and record.version != if_version:
        problem = f"{record.id!r} is at version {record.version}, not {if_version}"
        raise ConflictError(problem, current_version=record.version)
