"""`entitled resync`: clean and refresh now."""

from typing import Annotated

import typer

from app.cli import options, output
from app.cli.client import Client


def resync(
    workspace: Annotated[str | None, typer.Option(help="Only this workspace: its id, or your own external id.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only compare; change nothing.")] = False,
    as_json: options.Json = False,
) -> None:
    """Compare RAM with MongoDB and repair RAM. Nothing repaired and nothing dropped is the healthy answer."""
    found = Client.from_environment().mutate(
        "resync",
        "ResyncInput",
        "... on ResyncPayload { compared repaired dropped divergent }",
        {"scope": "WORKSPACE" if workspace else "ALL", "workspaceId": workspace, "dryRun": dry_run},
    )
    if as_json:
        output.result_json(found)
        return
    would = "would be " if dry_run else ""
    output.result(
        f"compared {found['compared']}, {would}repaired {found['repaired']}, {would}dropped {found['dropped']}"
    )
    for record_id in found["divergent"]:
        output.result(f"differed: {record_id}")
