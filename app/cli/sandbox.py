"""`entitled sandbox`: Stripe on this machine, alone."""

import asyncio
import errno
import re
import socket
import time
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli import output
from app.cli.failure import CommandError, ExitCode

if TYPE_CHECKING:
    from app.sandbox.stripe.delivery import Endpoint
    from app.sandbox.stripe.sandbox import Sandbox

_PORT = 12111


def sandbox(
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = _PORT,
    host: Annotated[
        str, typer.Option(help="Address to listen on. Whoever reaches it may do everything.")
    ] = "127.0.0.1",
    webhook_url: Annotated[
        str | None, typer.Option(help="Where events go, besides the endpoints made at /v1/webhook_endpoints.")
    ] = None,
    webhook_secret: Annotated[
        str | None, typer.Option(help="What signs them, whsec_... Default: a new one, which is printed.")
    ] = None,
    thin: Annotated[
        bool, typer.Option("--thin", help="Send there thin events (API v2): to which object something happened.")
    ] = False,
    api_version: Annotated[
        str | None, typer.Option(help="The account's: of requests that name none, and of events. Default: the newest.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the chaos dial: the same seed and events meet the same chances.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON once it listens.")] = False,
) -> None:
    """Play Stripe's API until SIGTERM or Ctrl-C, for tests of anything that speaks to Stripe.

    Keeps all in memory, moves no money, and takes any API key. Open its address in a browser to watch it. README tells
    what it plays, and how to set objects and turn its dials.
    """
    from app.sandbox.stripe.server import serve, url_of
    from app.sandbox.stripe.wire import new_id

    if webhook_secret is not None and webhook_url is None:
        raise CommandError("--webhook-secret goes with --webhook-url", ExitCode.USAGE)
    if thin and webhook_url is None:
        raise CommandError("--thin goes with --webhook-url", ExitCode.USAGE)
    secret = webhook_secret or new_id("whsec", 32)
    played = _make(_endpoint(webhook_url, secret, thin=thin), api_version, seed)
    with _listen(host, port) as listening:
        facts: dict[str, object] = {
            "url": url_of(listening),
            "apiVersion": played.config.api_version,
            "seed": seed,
            "webhookUrl": webhook_url,
            "webhookSecret": secret if webhook_url else None,
        }

        def announce() -> None:
            output.answer(facts, _describe(facts), as_json=as_json)

        asyncio.run(serve(played, listening, announce=announce))
    output.note("the sandbox has ended")


def _endpoint(url: str | None, secret: str, *, thin: bool) -> "Endpoint | None":
    from app.sandbox.stripe.delivery import Endpoint

    if url is not None and not re.match(r"https?://[^/?#\s]", url):
        raise CommandError(
            f"--webhook-url {url!r} must begin with http:// or https://, and name a host", ExitCode.USAGE
        )
    return Endpoint(url, secret, payload="thin" if thin else "snapshot") if url else None


def _make(endpoint: "Endpoint | None", version: str | None, seed: int) -> "Sandbox":
    from app.sandbox.stripe.chaos import Chaos
    from app.sandbox.stripe.errors import StripeError
    from app.sandbox.stripe.forms import api_version
    from app.sandbox.stripe.sandbox import API_VERSION, Config, Sandbox

    try:
        config = Config(api_version=api_version("--api-version", version or API_VERSION))
    except StripeError as error:
        raise CommandError(f"--api-version: {error}", ExitCode.USAGE) from None
    played = Sandbox(config, now=lambda: time.time_ns() // 1_000_000_000, endpoint=endpoint)
    played.deliveries.turn(Chaos(seed=seed))
    return played


def _listen(host: str, port: int) -> socket.socket:
    from app.sandbox.stripe.server import listen

    try:
        return listen(host, port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            what = f"port {port} on {host} is taken by another process; end that one, or take a free one with --port 0"
        else:
            what = f"cannot listen on {host} port {port}: {error.strerror}; --host and --port name the place"
        raise CommandError(what, ExitCode.CONFIGURATION) from None


def _describe(facts: dict[str, object]) -> str:
    url, events = facts["url"], "to the endpoints made at /v1/webhook_endpoints; --webhook-url names one to begin with"
    if facts["webhookUrl"]:
        events = f"to {facts['webhookUrl']}, signed with {facts['webhookSecret']}"
    return f"""\
Stripe sandbox   {url}
API version      {facts["apiVersion"]}
events           {events}
chaos seed       {facts["seed"]}

in a browser     {url}  shows what happens, and advances its time
in Python        stripe.StripeClient("sk_test_any", base_addresses={{"api": "{url}", "files": "{url}", \
"meter_events": "{url}"}})
in a shell       curl {url}/v1/customers -u sk_test_any: -d name=Ann

Ctrl-C ends it, and forgets everything."""
