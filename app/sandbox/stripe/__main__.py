"""Run the Stripe sandbox as a process of its own; its address goes to stdout as one line of JSON."""

import argparse
import asyncio
import json
import os
import socket
import sys
import time

import uvicorn

from app.sandbox.parent_death import end_with_parent
from app.sandbox.stripe.application import make_application
from app.sandbox.stripe.delivery import Endpoint
from app.sandbox.stripe.sandbox import API_VERSION, Config, Sandbox

_PARENT_POLL_S = 1


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
    with listen(port) as listening:
        config = uvicorn.Config(
            make_application(sandbox),
            log_level="warning",
            access_log=False,
            ws="none",
            timeout_keep_alive=75,  # longer than callers pool their connections
            timeout_graceful_shutdown=2,
        )
        server = uvicorn.Server(config)
        sys.stdout.write(json.dumps({"url": f"http://127.0.0.1:{listening.getsockname()[1]}"}) + "\n")
        sys.stdout.flush()
        async with asyncio.TaskGroup() as tasks:
            watch = tasks.create_task(_end_with(server, parent_pid))
            await server.serve(sockets=[listening])
            watch.cancel()


def listen(port: int) -> socket.socket:
    """Return a socket that listens there, on a free port for 0; whoever connects does not wait for acknowledgements."""
    listening = socket.create_server(("127.0.0.1", port), backlog=512)
    # asyncio sets it only on sockets of its own making; without it a response waits 40 ms for an acknowledgement.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


async def _end_with(server: uvicorn.Server, parent_pid: int | None) -> None:
    """Stop the server when the parent is gone, where the kernel does not tell us."""
    while parent_pid is None or os.getppid() == parent_pid:  # noqa: ASYNC110 - the kernel sets no asyncio.Event
        await asyncio.sleep(_PARENT_POLL_S)
    server.should_exit = True


if __name__ == "__main__":
    main()
