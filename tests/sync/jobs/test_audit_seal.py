"""The job that seals: what was committed joins the chain by itself, also when the database was away."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from support.audit import append, entry
from support.runtime import running
from support.service import api, eventually_equal, make_workspace
from support.service import running as serving

from app.domain.errors import UnavailableError
from app.runtime import Runtime
from sync.jobs.audit_seal import audit_seal_job, seal_audit


@pytest.fixture
async def rt(mongodb_uri: str, database: str) -> AsyncIterator[Runtime]:
    async with running(mongodb_uri, database) as runtime:
        yield runtime


async def test_a_turn_seals_all_that_waits(rt: Runtime) -> None:
    await append(rt, *(entry(n) for n in range(1, 451)))

    await audit_seal_job(rt).run()

    assert (await rt.audit.unsealed(), await rt.audit.last_seal()) == (0, 3)
    assert rt.metrics.value("audit_sealed") == 450


class Away:
    """A trail whose database does not answer."""

    retention_ms = 0

    async def seal(self, **_options: Any) -> int:
        raise UnavailableError


async def test_a_database_that_is_away_is_left_to_the_next_turn_without_a_traceback(rt: Runtime) -> None:
    away: Any = Away()

    with capture_logs() as logged:
        await seal_audit(replace(rt, audit=away))

    assert [(line["event"], "exc_info" in line) for line in logged] == [("audit not sealed", False)]


async def test_the_service_seals_what_it_commits(mongodb_uri: str, database: str, tmp_path: Path) -> None:
    with serving(mongodb_uri, database, tmp_path / "log") as service:
        async with api(service) as client:
            await make_workspace(client, "acme")

            async def chain() -> tuple[bool, int, int]:
                found = (await client.query("{ auditChain { intact entries unsealed } }"))["auditChain"]
                return found["intact"], found["entries"], found["unsealed"]

            await eventually_equal(chain, (True, 3, 0))

            async def counted() -> bool:
                return "entitled_audit_sealed_total 3.0\n" in (await client.client.get("/metrics")).text

            await eventually_equal(counted, True)
