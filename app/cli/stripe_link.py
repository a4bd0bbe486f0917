"""`entitled stripe link` and `unlink`: which customer pays for which workspace."""

import itertools
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from app.cli import options, output
from app.cli.client import Client, patiently
from app.cli.failure import CommandError, ExitCode
from app.cli.mapping_file import Line, Seen, read_lines

_LINKING: Final = "customerId outcome workspaceId message"
_ONE: Final = f"... on LinkStripeCustomerPayload {{ replayed linking {{ {_LINKING} }} }}"
_MANY: Final = f"... on LinkStripeCustomersPayload {{ linkings {{ {_LINKING} }} }}"
_BY_EMAIL: Final = f"""... on LinkStripeCustomersByEmailPayload {{ linked left ambiguous unmatched
  ambiguities {{ email customerIds workspaceIds message }} refused {{ {_LINKING} }} }}"""
_AMBIGUITIES: Final[dict[str, output.Column]] = {
    "E-MAIL": "email",
    "CUSTOMERS": "customerIds",
    "WORKSPACES": "workspaceIds",
    "WHY": "message",
}
_BATCH: Final = 100
_TOLD_EVERY: Final = 5_000
_RIGHT: Final = ("LINKED", "UNCHANGED")

_Customer = Annotated[str, typer.Argument(metavar="CUSTOMER", help="Stripe's id of the customer, cus_….")]


def link(
    customer: Annotated[
        str | None, typer.Argument(metavar="[CUSTOMER]", help="Stripe's id of the customer, cus_….")
    ] = None,
    workspace: Annotated[
        str | None, typer.Argument(metavar="[WORKSPACE]", help="The workspace's id, ws_…, or your own external id.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="CSV", help="Many: a line each, customer and workspace; no other arguments."),
    ] = None,
    *,
    by_email: Annotated[
        bool,
        typer.Option(
            "--by-email", help="Every unlinked customer whose e-mail one workspace and no other customer has."
        ),
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Take both from whom they are linked to now; else that is a conflict.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="With --file or --by-email: change nothing, tell what would come.")
    ] = False,
    skip_wrong: Annotated[
        bool, typer.Option("--skip-wrong", help="With --file: link the right lines although others are wrong.")
    ] = False,
    idempotency_key: options.IdempotencyKey = None,
    as_json: options.Json = False,
) -> None:
    """Link a customer to a workspace for good, whatever metadata at Stripe says; its subscriptions move along.

    A file is looked at whole first: where a line is wrong, every wrong one is told and nothing is linked, unless
    --skip-wrong. Given again, it links what is left. Needs the scope OPERATOR.
    """
    if by_email:
        if file or customer or idempotency_key or replace or skip_wrong:
            raise CommandError("--by-email takes nothing but --dry-run and --json", ExitCode.USAGE)
        _link_by_email(dry_run=dry_run, as_json=as_json)
    elif file is None:
        if customer is None or workspace is None:
            raise CommandError("name a customer and a workspace, or a --file, or give --by-email", ExitCode.USAGE)
        if dry_run or skip_wrong:
            raise CommandError(
                "one customer is linked at once: --dry-run and --skip-wrong go with --file", ExitCode.USAGE
            )
        _link_one(customer, workspace, idempotency_key, replace=replace, as_json=as_json)
    elif customer is not None or idempotency_key is not None:
        raise CommandError("--file takes neither a customer nor a key", ExitCode.USAGE)
    else:
        _link_file(file, replace=replace, dry_run=dry_run, skip_wrong=skip_wrong, as_json=as_json)


def unlink(customer: _Customer, idempotency_key: options.IdempotencyKey = None, as_json: options.Json = False) -> None:
    """Take a link back; from then on metadata at Stripe decides.

    Subscriptions stay where they are until metadata or another link names another workspace. Needs the scope OPERATOR.
    """
    selection = "... on UnlinkStripeCustomerPayload { replayed customerId }"
    done = Client.from_environment().change("unlinkStripeCustomer", selection, idempotency_key, customerId=customer)
    output.answer(done, f"{customer} is unlinked", as_json=as_json)


def _link_one(customer: str, workspace: str, key: str | None, *, replace: bool, as_json: bool) -> None:
    client = Client.from_environment()
    sent = {"customerId": customer, "workspaceId": workspace, "replace": replace}
    done = client.change("linkStripeCustomer", _ONE, key, **sent)["linking"]
    how = "was linked to" if done["outcome"] == "UNCHANGED" else "is linked to"
    output.answer(done, f"{customer} {how} {done['workspaceId']}", as_json=as_json)


def _link_by_email(*, dry_run: bool, as_json: bool) -> None:
    client, linked = Client.from_environment(), 0
    while True:
        done = client.change("linkStripeCustomersByEmail", _BY_EMAIL, None, dryRun=dry_run)
        linked += done["linked"]
        if dry_run or not done["left"] or not done["linked"]:
            break
        output.note(f"{linked} linked, {done['left']} left")
    if as_json:
        output.result_json({**done, "linked": linked})
        return
    verb = "would be linked" if dry_run else "linked"
    output.result(
        f"{linked} {verb}, {done['ambiguous']} ambiguous addresses, {done['unmatched']} customers without a match"
    )
    for refused in done["refused"]:
        output.note(output.printable(f"{refused['customerId']}: {refused['message']}"))
    output.section("Ambiguous", done["ambiguities"], _AMBIGUITIES)


def _link_file(file: Path, *, replace: bool, dry_run: bool, skip_wrong: bool, as_json: bool) -> None:
    run = _Run(Client.from_environment(), file, replace=replace)
    looked = run.over(read_lines(file), dry_run=True)
    wrong = frozenset(run.wrong)
    is_applied = not dry_run and (skip_wrong or not wrong)
    if not is_applied:
        _report(run, looked, "would be linked", as_json=as_json)
    else:
        right = (line for line in read_lines(file) if line.number not in wrong)
        _report(run, run.over(right, dry_run=False), "linked", as_json=as_json)
    if run.wrong:
        done = "the others are linked" if is_applied else "nothing was linked"
        several = "s are" if len(run.wrong) > 1 else " is"
        raise CommandError(f"{len(run.wrong)} line{several} wrong; {done}", ExitCode.NO)


def _report(run: "_Run", counts: Counter[str], verb: str, *, as_json: bool) -> None:
    if as_json:
        faults = [{"line": number, "message": fault} for number, fault in sorted(run.wrong.items())]
        output.result_json({"linked": counts["LINKED"], "unchanged": counts["UNCHANGED"], "wrong": faults})
    else:
        output.result(f"{counts['LINKED']} {verb}, {counts['UNCHANGED']} were before, {len(run.wrong)} wrong")


class _Run:
    """One file's way to the server. `wrong` is what is wrong by the line's number; each was told when it was found."""

    def __init__(self, client: Client, file: Path, *, replace: bool) -> None:
        self.wrong: dict[int, str] = {}
        self._client = client
        self._file = file
        self._replace = replace

    def over(self, lines: Iterable[Line], *, dry_run: bool) -> Counter[str]:
        """Link the lines, or with `dry_run` only look at them; return how many came out how."""
        counts: Counter[str] = Counter()
        workspaces = Seen("workspace")
        done = 0
        for batch in _batches(lines):
            linkings = iter(self._send([line for line in batch if not line.fault], dry_run=dry_run))
            for line in batch:
                fault = line.fault
                if not fault:
                    linking = next(linkings)
                    fault = linking["message"]
                    if linking["outcome"] in _RIGHT:
                        fault = workspaces.fault(line.number, linking["workspaceId"], line.customer)
                    counts["WRONG" if fault else linking["outcome"]] += 1
                if fault:
                    self._tell(line.number, fault)
            done += len(batch)
            if done % _TOLD_EVERY == 0:
                output.note(f"{done} lines {'looked at' if dry_run else 'done'}")
        return counts

    def _send(self, lines: Sequence[Line], *, dry_run: bool) -> list[dict[str, Any]]:
        if not lines:
            return []
        links = [{"customerId": line.customer, "workspaceId": line.workspace} for line in lines]
        key = str(uuid.uuid4())  # the same for every attempt
        sent = {"idempotencyKey": key, "links": links, "replace": self._replace, "dryRun": dry_run}
        answer = patiently(lambda: self._client.mutate("linkStripeCustomers", "LinkStripeCustomersInput", _MANY, sent))
        return answer["linkings"]

    def _tell(self, number: int, fault: str) -> None:
        self.wrong[number] = fault
        output.note(output.printable(f"{self._file}:{number}: {fault}"))


def _batches(lines: Iterable[Line]) -> Iterator[list[Line]]:
    rest = iter(lines)
    while batch := list(itertools.islice(rest, _BATCH)):
        yield batch
