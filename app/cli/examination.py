"""What `entitled doctor` looks at, one function per part; each yields its findings."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Final

import httpx
import msgspec

from app.cli.failure import CommandError
from app.cli.service import listen
from app.domain.errors import UnavailableError
from app.gateways.stripe import is_livemode
from app.sandbox.mongod import MongodUnavailableError, find_mongod
from app.settings import Settings, SettingsError, load_settings, near_misses
from app.store import probe
from app.store.mongo import Mongo, SetupError

_WARN_SKEW_S: Final = 5
_FAIL_SKEW_S: Final = 300  # Stripe's signatures are refused from there
_TIMEOUT_S: Final = 10


class Verdict(StrEnum):
    """WARN works, and somebody should know; FAIL does not."""

    OK = "OK"
    WARN = "WARN"
    FAIL = "FAIL"


class Finding(msgspec.Struct, frozen=True):
    """One line: what was looked at, and what to do where it is not OK."""

    check: str
    verdict: Verdict
    message: str


def examine(*, embedded: bool) -> list[Finding]:
    """Return all findings, in the order in which they should be mended."""
    return asyncio.run(_examine(embedded=embedded))


async def _examine(*, embedded: bool) -> list[Finding]:
    findings = [Finding("settings", Verdict.WARN, warning) for warning in near_misses(os.environ)]
    try:
        settings = load_settings()
    except SettingsError as error:
        return findings + [Finding("settings", Verdict.FAIL, problem) for problem in error.problems]
    findings.append(Finding("settings", Verdict.OK, "every value can be used"))
    findings += _examine_embedded() if embedded else [finding async for finding in _examine_mongodb(settings)]
    findings += [finding async for finding in _examine_stripe(settings)]
    findings += _examine_secrets(settings)
    findings.append(await _examine_port(settings))
    return findings


def _examine_embedded() -> Iterator[Finding]:
    try:
        yield Finding("mongodb", Verdict.OK, f"{find_mongod()} runs here; for development only")
    except MongodUnavailableError as error:
        yield Finding("mongodb", Verdict.FAIL, str(error))


async def _examine_mongodb(settings: Settings) -> AsyncIterator[Finding]:
    if settings.mongodb_uri is None:
        message = "MONGODB_URI is not set; name a replica set, or try `entitled doctor --embedded`"
        yield Finding("mongodb", Verdict.FAIL, message)
        return
    mongo = Mongo(
        settings.mongodb_uri.get_secret_value(), settings.mongodb_database, timeout_s=settings.mongodb_timeout_s
    )
    try:
        await mongo.open(with_indexes=False)
        seen = await probe.look(mongo)
        skew_s = abs(_now_s() - seen.clock_at / 1000)
        yield Finding("mongodb", Verdict.OK, f"version {seen.version}, replica set {seen.replica_set}")
        yield _judge_skew("mongodb clock", skew_s)
        await probe.write(mongo)
        yield Finding("mongodb write", Verdict.OK, f"a majority confirmed one in {settings.mongodb_database}")
        if settings.default_plan and not await probe.offers(mongo, settings.default_plan):
            message = (
                f"DEFAULT_PLAN names {settings.default_plan!r}, and there is no such plan: workspaces without a "
                "subscription get nothing; name another, or unset it for the catalogue's own"
            )
            yield Finding("default plan", Verdict.WARN, message)
    except SetupError as error:
        yield Finding("mongodb", Verdict.FAIL, str(error))
    except UnavailableError as error:
        yield Finding("mongodb", Verdict.FAIL, f"{error}; check MONGODB_URI, the network and that it has a primary")
    finally:
        await mongo.close()


async def _examine_stripe(settings: Settings) -> AsyncIterator[Finding]:
    if settings.stripe_secret_key is None:
        message = "STRIPE_SECRET_KEY is not set: what events say is applied as provisional, unconfirmed by Stripe"
        yield Finding("stripe key", Verdict.WARN, message)
        return
    key = settings.stripe_secret_key.get_secret_value()
    try:
        async with httpx.AsyncClient(timeout=_TIMEOUT_S) as client:
            answer = await client.get(
                f"{settings.stripe_api_base}/v1/subscriptions?limit=1", headers={"Authorization": f"Bearer {key}"}
            )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        where = settings.stripe_api_base
        message = f"{where} does not answer ({type(error).__name__}); check the network and STRIPE_API_BASE"
        yield Finding("stripe key", Verdict.FAIL, message)
        return
    yield _judge_key(key, settings.stripe_api_base, answer.status_code)
    if date := answer.headers.get("date"):
        yield _judge_skew("stripe clock", abs(_now_s() - parsedate_to_datetime(date).timestamp()))


def _judge_key(key: str, base: str, status: int) -> Finding:
    match status:
        case httpx.codes.OK:
            mode = "live" if is_livemode(key) else "test"
            return Finding("stripe key", Verdict.OK, f"{base} takes it, {mode} mode")
        case httpx.codes.UNAUTHORIZED:
            message = "Stripe does not know STRIPE_SECRET_KEY; take one from the dashboard, Developers, API keys"
        case httpx.codes.FORBIDDEN:
            message = "STRIPE_SECRET_KEY may not read subscriptions; allow it customers, products, prices and those"
        case _:
            message = f"{base} answered {status} to a read of one subscription; check STRIPE_API_BASE"
    return Finding("stripe key", Verdict.FAIL, message)


def _judge_skew(check: str, skew_s: float) -> Finding:
    # The Date header counts whole seconds, and an answer takes its time.
    if skew_s < _WARN_SKEW_S:
        return Finding(check, Verdict.OK, f"within {_WARN_SKEW_S} s of ours")
    verdict = Verdict.WARN if skew_s < _FAIL_SKEW_S else Verdict.FAIL
    return Finding(
        check, verdict, f"{skew_s:.0f} s from ours; set this machine's clock (NTP): access ends by the clock"
    )


def _examine_secrets(settings: Settings) -> Iterator[Finding]:
    if secrets := settings.stripe_webhook_secrets:
        yield Finding("webhook secret", Verdict.OK, f"{len(secrets)} of the right shape")
    else:
        message = "STRIPE_WEBHOOK_SECRET is not set: no Stripe event will be taken; set the endpoint's whsec_ secret"
        yield Finding("webhook secret", Verdict.WARN, message)
    if settings.cursor_secret is None:
        message = "CURSOR_SECRET is not set: page cursors end with the process and hold on one replica only"
        yield Finding("cursor secret", Verdict.WARN, message)


async def _examine_port(settings: Settings) -> Finding:
    try:
        listen(settings.host, settings.port).close()
    except CommandError as error:
        if await _is_serving(settings):
            message = f"{settings.port} on {settings.host} is taken by a running entitled"
            return Finding("port", Verdict.WARN, message)
        return Finding("port", Verdict.FAIL, str(error))
    return Finding("port", Verdict.OK, f"{settings.port} on {settings.host} is free")


async def _is_serving(settings: Settings) -> bool:
    try:
        async with httpx.AsyncClient(timeout=2, trust_env=False) as client:
            return (await client.get(f"http://{settings.host}:{settings.port}/livez")).is_success
    except (httpx.HTTPError, httpx.InvalidURL):
        return False


def _now_s() -> float:
    return time.time_ns() / 1e9
