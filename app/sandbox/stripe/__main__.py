"""Run the Stripe sandbox as a process of its own; its address goes to stdout as one line of JSON."""

import argparse
import asyncio
import json
import os
import sys
import time

from app.sandbox.parent_death import end_with_parent
from app.sandbox.stripe.delivery import Endpoint
from app.sandbox.stripe.sandbox import API_VERSION, Config, Sandbox
from app.sandbox.stripe.server import listen, serve, url_of


def main() -> None:
    options = _parse(sys.argv[1:])
    if options.parent_pid:
        end_with_parent(options.parent_pid)()
    config = Config(api_version=options.api_version)
    if options.retry_delays:
        config = Config(
            api_version=options.api_version,
            retry_delays_s=tuple(float(delay) for delay in options.retry_delays.split(",")),
        )
    endpoint = Endpoint(options.webhook_url, options.webhook_secret) if options.webhook_url else None
    sandbox = Sandbox(config, now=lambda: time.time_ns() // 1_000_000_000, endpoint=endpoint)
    asyncio.run(_serve(sandbox, options.port, options.parent_pid))


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m app.sandbox.stripe", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--webhook-url", help="where events go; none are sent without it")
    parser.add_argument("--webhook-secret", default="", help="what signs them (whsec_…)")
    parser.add_argument("--parent-pid", type=int, help="end when this process does")
    parser.add_argument(
        "--api-version", default=API_VERSION, help="of the account: default of requests, shape of events"
    )
    parser.add_argument("--retry-delays", help="seconds between the attempts to deliver an event, comma-separated")
    return parser.parse_args(arguments)


async def _serve(sandbox: Sandbox, port: int, parent_pid: int | None) -> None:
    def announce() -> None:
        sys.stdout.write(json.dumps({"url": url_of(listening)}) + "\n")
        sys.stdout.flush()

    def is_orphan() -> bool:
        """Say what the kernel does not tell everywhere."""
        return parent_pid not in (None, os.getppid())

    with listen("127.0.0.1", port) as listening:
        await serve(sandbox, listening, announce=announce, is_over=is_orphan)


if __name__ == "__main__":
    main()
