"""What `entitled demo` runs, in order, and what it prints."""

import json
import os
import secrets
import shutil
import socket
import tempfile
import time
from collections.abc import Coroutine, Generator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, cast

import httpx
import msgspec

from app import main
from app.cli import output
from app.cli.bootstrap_key import make_key
from app.cli.failure import CommandError, ExitCode
from app.cli.service import embedded_mongodb, ignore_signals, listen, run_until_done
from app.domain.api_key import Scope
from app.sandbox.demo.activity import BUSY, go_on
from app.sandbox.demo.connections import Api, DemoError, Stripe
from app.sandbox.demo.fill import Filled, fill
from app.sandbox.demo.scenarios import SCENARIOS
from app.sandbox.file_lock import try_lock
from app.sandbox.process import StripeSandboxProcess
from app.settings import Settings, load_settings
from app.store.mongo import Mongo

_HOST: Final = "127.0.0.1"
_PORT: Final = 8080
_DATABASE: Final = "entitled_demo"
_PREFIX: Final = "entitled-demo-"
_ALIVE_S: Final = 2
_RATE: Final = 1000  # the sandbox has no limit of its own

QUESTION: Final = (
    '{ checkEntitlement(input: {workspaceId: "acme", featureKey: "api_calls"}) '
    "{ entitlement { hasAccess accessDeniedReason usage { used limit remaining } } } }"
)
WATCH: Final = (
    f'subscription {{ entitlementsChanged(workspaceId: "{BUSY[0]}") '
    "{ entitlements { featureKey hasAccess inGrace } } }"
)
ANSWER: Final[Mapping[str, Any]] = {
    "checkEntitlement": {
        "entitlement": {
            "hasAccess": True,
            "accessDeniedReason": None,
            "usage": {"used": "1234", "limit": "10000", "remaining": "8766"},
        }
    }
}


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The command line."""

    port: int | None
    data_dir: Path | None
    has_stripe_key: bool
    events_every_s: float
    as_json: bool


class Addresses(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What `--json` prints."""

    graphql: str
    live: str
    webhook: str
    webhook_secret: str
    api_key: str
    stripe_api: str
    mongodb_uri: str
    database: str


def demonstrate(options: Options) -> None:
    """Run the demo until a signal ends it."""
    with ExitStack() as started:
        _start(options, started)


def _start(options: Options, started: ExitStack) -> None:
    directory = options.data_dir or started.enter_context(_temporary_directory())
    listening = started.enter_context(_listen(options.port))
    base = f"{_HOST}:{listening.getsockname()[1]}"
    output.note("starting MongoDB and the Stripe sandbox")
    uri = started.enter_context(embedded_mongodb(directory, alone=True))
    secret = f"whsec_{secrets.token_hex(16)}"
    stripe = StripeSandboxProcess.start(webhook_url=None, webhook_secret=secret)
    started.callback(stripe.stop)
    addresses = Addresses(
        graphql=f"http://{base}/graphql",
        live=f"ws://{base}/graphql",
        webhook=f"http://{base}/webhooks/stripe",
        webhook_secret=secret,
        api_key="",
        stripe_api=stripe.url,
        mongodb_uri=uri,
        database=_DATABASE,
    )
    stripe_key = f"sk_test_{secrets.token_hex(12)}"
    settings = _settings(addresses, stripe_key if options.has_stripe_key else None)
    started.callback(ignore_signals)
    run_until_done(_serve(options, settings, listening, addresses, stripe_key))


@contextmanager
def _temporary_directory() -> Generator[Path]:
    """Give a new directory and remove it; also those of demos that were killed."""
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        _remove_if_dead(left)
    directory = Path(tempfile.mkdtemp(prefix=_PREFIX))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _remove_if_dead(directory: Path) -> None:
    """Remove it where it is ours and neither a demo nor its MongoDB holds it any more."""
    held = (directory / "owner.lock", directory / "data" / "mongod.lock")
    if directory.is_symlink() or directory.stat().st_uid != os.getuid() or not all(file.exists() for file in held):
        return
    with ExitStack() as locks:
        for file in held:
            lock = try_lock(file)
            if lock is None:
                return
            locks.enter_context(lock)
        shutil.rmtree(directory, ignore_errors=True)


def _listen(port: int | None) -> socket.socket:
    """Take the port that was asked for; else the default one, or any where that is taken."""
    if port is not None:
        return listen(_HOST, port)
    try:
        return listen(_HOST, _PORT)
    except CommandError:
        listening = listen(_HOST, 0)
        output.note(f"port {_PORT} is taken; using {listening.getsockname()[1]}")
        return listening


def _settings(addresses: Addresses, stripe_key: str | None) -> Settings:
    quiet = {} if os.environ.get("LOG_LEVEL") else {"log_level": "WARNING"}
    return load_settings(
        mongodb_uri=addresses.mongodb_uri,
        mongodb_database=addresses.database,
        stripe_secret_key=stripe_key,
        stripe_webhook_secret=addresses.webhook_secret,
        stripe_api_base=addresses.stripe_api,
        stripe_rate_per_s=_RATE,
        stripe_endpoint_rate_per_s=_RATE,
        host=_HOST,
        **quiet,
    )


async def _serve(
    options: Options, settings: Settings, listening: socket.socket, addresses: Addresses, stripe_key: str
) -> None:
    """Run the service; once it is ready, fill it and print where it is."""
    admin_key = await _start_afresh(addresses)
    failures: list[str] = []
    try:
        await main.run(
            settings,
            sockets=[listening],
            on_ready=lambda url: _unless_ending(url, _fill_and_print(options, addresses, admin_key, stripe_key)),
        )
    except* (DemoError, httpx.HTTPError) as group:
        failures.extend(map(repr, _leaves(group)))
    if failures:
        raise CommandError(f"the demo's data could not be brought in: {failures[0]}", ExitCode.BUG)


async def _unless_ending(url: str, filling: Coroutine[Any, Any, None]) -> None:
    """Fill; that a service which is being ended takes no more data is no error."""
    try:
        await filling
    except* (DemoError, httpx.HTTPError):
        if await _is_alive(url):
            raise


async def _is_alive(url: str) -> bool:
    try:
        async with httpx.AsyncClient(timeout=_ALIVE_S, trust_env=False) as client:
            return (await client.get(f"{url}/livez")).is_success
    except httpx.HTTPError:
        return False


def _leaves(error: BaseException) -> Generator[BaseException]:
    if not isinstance(error, BaseExceptionGroup):
        yield error
        return
    for inner in cast("BaseExceptionGroup[BaseException]", error).exceptions:  # isinstance leaves the parameter open
        yield from _leaves(inner)


async def _start_afresh(addresses: Addresses) -> str:
    """Drop what an earlier demo left in the directory; return the credential of a new ADMIN key."""
    mongo = Mongo(addresses.mongodb_uri, addresses.database)
    await mongo.client.drop_database(addresses.database)
    _, credential = await make_key(mongo, "demo bootstrap")
    return credential


async def _fill_and_print(options: Options, addresses: Addresses, admin_key: str, stripe_key: str) -> None:
    admin = Api(addresses.graphql, admin_key)
    made = await admin.mutate(
        "createApiKey",
        "... on CreateApiKeyPayload { credential }",
        idempotencyKey="demo:key",
        name="demo",
        scopes=[scope.value for scope in Scope],
    )
    await admin.close()
    addresses = msgspec.structs.replace(addresses, api_key=made["credential"])
    api, stripe = Api(addresses.graphql, addresses.api_key), Stripe(addresses.stripe_api, stripe_key)
    try:
        filled = await fill(
            api,
            stripe,
            webhook_url=addresses.webhook,
            webhook_secret=addresses.webhook_secret,
            now_s=time.time_ns() // 1_000_000_000,
            tell=output.note,
        )
        answer = await api.query(QUESTION)
        if answer != ANSWER:
            raise DemoError(f"{QUESTION} answered {answer}")
        _print(options, addresses, filled)
        if options.events_every_s:
            await go_on(api, stripe, filled.prices, every_s=options.events_every_s)
    finally:
        await api.close()
        await stripe.close()


def _print(options: Options, addresses: Addresses, filled: Filled) -> None:
    if options.as_json:
        output.result(msgspec.json.encode(addresses).decode())
    else:
        output.result(_describe(options, addresses, filled))


def _describe(options: Options, addresses: Addresses, filled: Filled) -> str:
    states = "\n".join(f"  {next(s.external_ids()):22} {s.count:3} x {s.about}" for s in SCENARIOS)
    subscription = filled.subscriptions["acme"]
    return f"""
GraphQL         {addresses.graphql}
live            {addresses.live} (graphql-transport-ws)
GraphiQL        {addresses.graphql.removesuffix("/graphql")}/graphiql
API key         {addresses.api_key}
webhook         {addresses.webhook}, secret {addresses.webhook_secret}
Stripe sandbox  {addresses.stripe_api}  open it in a browser: its time, what is due, subscriptions, events
MongoDB         {addresses.mongodb_uri}, database {addresses.database}

{filled.workspaces} workspaces; the first of each kind:
{states}

Ask:
  curl -s {addresses.graphql} -H 'Authorization: Bearer {addresses.api_key}' -H 'Content-Type: application/json' \\
    -d '{json.dumps({"query": QUESTION})}'
The answer:
  {json.dumps({"data": ANSWER}, separators=(",", ":"))}

The same from the command line, where `.venv/bin/entitled --help` names the rest:
  export ENTITLED_URL={addresses.graphql} ENTITLED_API_KEY={addresses.api_key}
  .venv/bin/entitled check acme api_calls

Let Stripe cancel acme's subscription, then ask again:
  curl -s {addresses.stripe_api}/_sandbox/objects/{subscription} -d '{{"set": {{"status": "canceled"}}}}'

{_activity(options)}Ctrl-C ends everything.
"""


def _activity(options: Options) -> str:
    if not options.events_every_s:
        return ""
    who = f"{BUSY[0]} ... {BUSY[-1]}"
    return f"""Something happens at Stripe every {options.events_every_s:g} s, to {who}. To have it pushed:
  {WATCH}

"""
