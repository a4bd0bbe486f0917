"""`entitled doctor`: can this machine run the service, and what to do where it cannot."""

import json
from typing import Annotated

import typer

from app.cli import output
from app.cli.failure import ExitCode


def doctor(
    embedded: Annotated[
        bool, typer.Option("--embedded", help="Check for `serve --embedded` instead of MONGODB_URI.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check settings, MongoDB, Stripe, the port and the clock. Exit code 1 where something would not work."""
    from app.cli.examination import Verdict, examine

    findings = examine(embedded=embedded)
    if as_json:
        output.result(json.dumps([{"check": f.check, "verdict": f.verdict, "message": f.message} for f in findings]))
    else:
        width = max(len(finding.check) for finding in findings)
        for finding in findings:
            output.result(f"{finding.verdict:4}  {finding.check:{width}}  {finding.message}")
    raise typer.Exit(ExitCode.NO if any(f.verdict is Verdict.FAIL for f in findings) else ExitCode.OK)
