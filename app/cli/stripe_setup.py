"""`entitled stripe setup`: our webhook endpoint at Stripe."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Final

import typer

from app.cli import options, output
from app.cli.client import Client
from app.cli.failure import CommandError, ExitCode

_SETUP: Final = """... on SetUpStripePayload { dryRun livemode apiVersion replayed secret
  endpoint { id url enabled enabledEvents apiVersion createdAt }
  changes { action endpointId added removed } findings { code message endpointId } }"""
_BLOCKING: Final = frozenset({"MISSING_PERMISSION", "OTHER_MODE"})
_TIMEOUT_S: Final = 120

_Fields = dict[str, Any]


def setup(
    url: Annotated[
        str, typer.Argument(metavar="URL", help="Where Stripe reaches this service: https://…/webhooks/stripe.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing, tell what would be.")] = False,
    yes: options.Yes = False,
    idempotency_key: options.IdempotencyKey = None,
    as_json: options.Json = False,
) -> None:
    """Make or update the endpoint that sends the events used here, and check what the service's key may read.

    Shows what it will do and asks. Never deletes; exit code 1 where something at Stripe must be put right first. A new
    endpoint's signing secret is printed once. Needs the scope OPERATOR and a server with STRIPE_SECRET_KEY.
    """
    client = Client.from_environment()
    sent = {"idempotencyKey": "dry run", "url": url, "dryRun": True}
    told = client.mutate("setUpStripe", "SetUpStripeInput", _SETUP, sent, timeout_s=_TIMEOUT_S)
    if not as_json or (told["changes"] and not dry_run):
        (output.note if as_json else output.result)(_describe(told))
    if told["changes"] and not dry_run:
        output.confirm("Do it at Stripe?", yes=yes)
        told = client.change("setUpStripe", _SETUP, idempotency_key, url=url, dryRun=False)
        if not as_json:
            output.result(_done(told))
    if as_json:
        output.result_json(told)
    if blocking := [finding for finding in told["findings"] if finding["code"] in _BLOCKING]:
        several = "s" if len(blocking) > 1 else ""
        raise CommandError(f"{len(blocking)} problem{several} to put right first; nothing was changed", ExitCode.NO)


def _describe(told: _Fields) -> str:
    mode = "live" if told["livemode"] else "test"
    lines = [f"the key is of the {mode} mode, the API version {told['apiVersion']}"]
    if endpoint := told["endpoint"]:
        state = "enabled" if endpoint["enabled"] else "disabled"
        lines.append(
            f"{endpoint['id']} is there: {state}, {len(endpoint['enabledEvents'])} types of events, "
            f"{endpoint['apiVersion'] or 'the account default version'}"
        )
    lines += [line for change in told["changes"] for line in _lines(change)]
    lines += [f"! {_named(finding['endpointId'])}{finding['message']}" for finding in told["findings"]]
    if endpoint and not told["changes"]:
        lines.append("nothing to change")
    return output.printable("\n".join(lines))


def _lines(change: _Fields) -> Iterator[str]:
    match change["action"]:
        case "CREATE":
            yield f"+ an endpoint with {len(change['added'])} types of events"
        case "ENABLE":
            yield f"~ {change['endpointId']} is enabled"
        case _:
            yield f"~ {change['endpointId']} is sent other events"
    yield from _events("+", change["added"])
    yield from _events("-", change["removed"])


def _events(sign: str, types: Sequence[str]) -> Iterator[str]:
    yield from (f"    {sign} {name}" for name in types)


def _named(endpoint_id: str | None) -> str:
    return f"{endpoint_id}: " if endpoint_id else ""


def _done(told: _Fields) -> str:
    id, secret = told["endpoint"]["id"], told["secret"]  # noqa: A001 - the API's word
    if secret is None:
        return f"{id} is set up"
    return (
        f"{id} is set up; it signs with\n{secret}\n"
        "This is shown once. Set it as STRIPE_WEBHOOK_SECRET where the service runs (several go in a comma list), "
        "and start it again."
    )
