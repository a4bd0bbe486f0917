"""`entitled audit`: who changed what, and whether anybody has meddled with the record of it."""

from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from app.cli import options, output
from app.cli.client import Client
from app.cli.failure import ExitCode

app = typer.Typer(help="The audit: who changed what, in a chain that shows any meddling.", no_args_is_help=True)

_QUERY: Final = """
query($actor: String, $resource: ID, $kind: RecordKind, $action: String, $from: DateTime, $to: DateTime,
      $first: Int!, $after: String) {
  auditLog(actor: $actor, resource: $resource, kind: $kind, action: $action, from: $from, to: $to,
           first: $first, after: $after) {
    nodes { id recordedAt actorKind actorId operation kind recordId before after sealed }
    pageInfo { hasNextPage endCursor }
  }
}
"""
_VERIFY: Final = """
query($expect: String, $expiredBefore: DateTime) {
  auditChain(expect: $expect, expiredBeforeAt: $expiredBefore) {
    intact seals entries expired unsealed head { number hash sealedAt } expiredBeforeAt
    faultCount faults { code message seal entryId }
  }
}
"""
_VERIFY_TIMEOUT_S: Final = 3600  # all of the audit is read
_TOUCHED_BY_EVERY_WRITE: Final = ("version", "updatedAt")
_SHOWN: Final = 50


class Kind(StrEnum):
    """What was changed."""

    WORKSPACE = "WORKSPACE"
    FEATURE = "FEATURE"
    PLAN = "PLAN"
    SUBSCRIPTION = "SUBSCRIPTION"
    GRANT = "GRANT"
    OVERRIDE = "OVERRIDE"
    API_KEY = "API_KEY"
    BALANCE = "BALANCE"
    STRIPE_OBJECT = "STRIPE_OBJECT"
    MIGRATION = "MIGRATION"
    EDITION = "EDITION"


def _changed(entry: dict[str, Any]) -> object:
    """Return the names of the fields that differ."""
    before, after = entry["before"], entry["after"]
    if before is None:
        return "created"
    names = dict.fromkeys([*before, *after])
    return [n for n in names if before.get(n) != after.get(n) and n not in _TOUCHED_BY_EVERY_WRITE]


_COLUMNS: Final[dict[str, output.Column]] = {
    "RECORDED": "recordedAt",
    "ACTOR": "actorId",
    "OPERATION": "operation",
    "KIND": "kind",
    "RECORD": "recordId",
    "CHANGED": _changed,
    "SEAL": "sealed",
}


@app.command("query")
def query(
    *,
    actor: Annotated[
        str | None, typer.Option(help="Only changes by this actor: an API key's id, a job's name.")
    ] = None,
    resource: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Only changes of the record with this id; ws_…, not your own external id."),
    ] = None,
    kind: Annotated[
        Kind | None, typer.Option(case_sensitive=False, help="Only changes of records of this kind.")
    ] = None,
    action: Annotated[
        str | None, typer.Option(metavar="OPERATION", help="Only changes by this operation: grantEntitlement.")
    ] = None,
    from_: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="Only changes since then: 2027-01-31T00:00:00Z.")
    ] = None,
    to: Annotated[str | None, typer.Option(metavar="TIME", help="Only changes before then.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = _SHOWN,
    as_json: options.Json = False,
) -> None:
    """List changes, the newest first. With --json they come with the records before and after. Needs OPERATOR."""
    wanted = {"actor": actor, "resource": resource, "kind": kind, "action": action}
    times = {"from": from_, "to": to}
    found = Client.from_environment().collect(_QUERY, "auditLog", {**wanted, **times}, limit=limit)
    output.records(found, _COLUMNS, as_json=as_json)


@app.command("verify")
def verify(
    expect: Annotated[
        str | None,
        typer.Option(metavar="NUMBER:HASH", help="A head noted earlier: shows also that nothing was cut off since."),
    ] = None,
    expired_before: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="What was recorded before may be gone: needed after AUDIT_RETENTION_DAYS was raised, "
            "for what had expired by then.",
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Verify that no sealed entry was edited or removed. Exit code 1 where one was, or a seal. Needs OPERATOR.

    Note the head that is printed where nobody can change it, and give it as --expect next time.
    """
    variables = {"expect": expect, "expiredBefore": expired_before}
    report = Client.from_environment().query(_VERIFY, variables, timeout_s=_VERIFY_TIMEOUT_S)["auditChain"]
    if as_json:
        output.result_json(report)
    else:
        _print(report)
    raise typer.Exit(ExitCode.OK if report["intact"] else ExitCode.NO)


def _print(report: dict[str, Any]) -> None:
    verdict = "intact" if report["intact"] else f"NOT INTACT, faults: {report['faultCount']}"
    output.result(
        f"{verdict}; {report['seals']} seals, {report['entries']} entries as they were sealed, "
        f"{report['expired']} expired, {report['unsealed']} not sealed yet"
    )
    if report["faults"]:
        output.records(report["faults"], {"FAULT": "code", "WHAT": "message"}, as_json=False)
    if further := report["faultCount"] - len(report["faults"]):
        output.result(f"and {further} more")
    if head := report["head"]:
        output.result(f"head {head['number']}:{head['hash']}")
