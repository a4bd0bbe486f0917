"""The sandbox as an ASGI application: the API, the controls and, while it runs, the deliveries and the time."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from starlette.applications import Starlette

from app.sandbox.stripe import (
    api,
    authentication_pages,
    checkout_pages,
    clock_control,
    control,
    home,
    portal_pages,
    settings_page,
)
from app.sandbox.stripe.sandbox import Sandbox

_ROOMS = (control, home, settings_page, checkout_pages, portal_pages, authentication_pages, api)


def make_application(sandbox: Sandbox) -> Starlette:
    @asynccontextmanager
    async def run(_: Starlette) -> AsyncGenerator[None]:
        async with asyncio.TaskGroup() as tasks:
            work = [tasks.create_task(sandbox.deliveries.run()), tasks.create_task(clock_control.follow(sandbox))]
            yield
            for task in work:
                task.cancel()

    return Starlette(routes=[route for room in _ROOMS for route in room.routes(sandbox)], lifespan=run)
