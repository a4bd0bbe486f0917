"""Probes: alive, fit, and why not."""

import asyncio
from typing import Any

import msgspec
import pytest
from support.api import Api

from app.domain.errors import UnavailableError
from app.domain.sync_status import WorkerState, WorkerStatus


async def test_the_process_is_alive_whatever_else() -> None:
    api = Api()
    api.sync.ready = False

    assert (await api.http.get("/livez")).status_code == 200


async def test_fit_once_loaded_and_live() -> None:
    response = await Api().http.get("/readyz")

    assert (response.status_code, response.json()) == (200, {"ready": True, "reasons": []})


async def test_unfit_with_the_reasons_and_without_secrets() -> None:
    api = Api()
    api.sync.ready = False
    status = await api.sync.status()
    broken = WorkerStatus("change_stream", WorkerState.INTERRUPTED, 0, "mongodb://me:hunter2@db failed", 0)
    fine = WorkerStatus("stripe", WorkerState.OFF, 0)
    _answers(api, msgspec.structs.replace(status, workers=(broken, fine)))

    response = await api.http.get("/readyz")

    assert response.status_code == 503
    assert response.headers["retry-after"] == "1"
    assert response.json()["ready"] is False
    loading, worker = response.json()["reasons"]
    assert loading == "RAM is loading: 0 records so far"
    assert worker.startswith("change_stream is INTERRUPTED: mongodb://")
    assert "hunter2" not in worker


@pytest.mark.parametrize("error", [UnavailableError(), TimeoutError()])
async def test_unfit_with_the_database_away(error: Exception) -> None:
    api = Api()
    api.sync.ready = False
    _answers(api, error)

    assert (await api.http.get("/readyz")).json()["reasons"] == ["the database does not answer"]


def _answers(api: Api, status: Any) -> None:
    async def answer() -> Any:
        await asyncio.sleep(0)
        if isinstance(status, Exception):
            raise status
        return status

    api.sync.status = answer  # type: ignore[method-assign]
