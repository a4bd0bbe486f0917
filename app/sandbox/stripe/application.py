"""The sandbox as an ASGI application: the API, the controls and, while it runs, the deliveries."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from starlette.applications import Starlette

from app.sandbox.stripe import api, control
from app.sandbox.stripe.sandbox import Sandbox


def make_application(sandbox: Sandbox) -> Starlette:
    @asynccontextmanager
    async def deliver_events(_: Starlette) -> AsyncGenerator[None]:
        async with asyncio.TaskGroup() as tasks:
            deliveries = tasks.create_task(sandbox.deliveries.run())
            yield
            deliveries.cancel()

    return Starlette(routes=[*control.routes(sandbox), *api.routes(sandbox)], lifespan=deliver_events)
