"""The sandbox as an ASGI application: the API, the controls and, while it runs, the deliveries and the time."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from starlette.applications import Starlette

from app.sandbox.stripe import api, checkout_pages, clock_control, control, portal_pages
from app.sandbox.stripe.sandbox import Sandbox


def make_application(sandbox: Sandbox) -> Starlette:
    @asynccontextmanager
    async def run(_: Starlette) -> AsyncGenerator[None]:
        async with asyncio.TaskGroup() as tasks:
            work = [tasks.create_task(sandbox.deliveries.run()), tasks.create_task(clock_control.follow(sandbox))]
            yield
            for task in work:
                task.cancel()

    pages = [*checkout_pages.routes(sandbox), *portal_pages.routes(sandbox)]
    return Starlette(routes=[*control.routes(sandbox), *pages, *api.routes(sandbox)], lifespan=run)
