"""Dockerfile and compose.yaml, as far as reading them tells: CI has nothing that could run them."""

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from starlette.applications import Starlette
from support.api import Api, served
from support.service import free_port

from app.settings import setting_names

ROOT = Path(__file__).parents[1]
STEPS = re.findall(r"^([A-Z]+) (.+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
IMAGES = [image.split()[0] for step, image in STEPS if step == "FROM"]
IMAGES += [service["image"] for service in SERVICES.values() if "image" in service]


def steps(name: str) -> list[str]:
    return [text for step, text in STEPS if step == name]


def is_healthy(port: int) -> bool:
    """Run the health check as Docker would."""
    (check,) = steps("HEALTHCHECK")
    python, *arguments = json.loads(check.partition(" CMD ")[2])
    assert python == "python"
    environment = {**os.environ, "PORT": str(port)}
    return (
        subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, check=False).returncode == 0
    )


@pytest.mark.parametrize("image", IMAGES)
def test_every_image_has_a_version(image: str) -> None:
    assert re.search(r":\d", image)


def test_the_image_is_built_in_one_stage_and_run_in_another() -> None:
    first, last = steps("FROM")

    assert first.endswith(" AS build")
    assert " AS " not in last


def test_the_last_word_on_the_user_is_a_number_that_is_not_root() -> None:
    user, group = (int(number) for number in steps("USER")[-1].split(":"))

    assert user > 0
    assert group > 0


def test_what_is_copied_is_not_ignored() -> None:
    let_through = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = [name for text in steps("COPY") if not text.startswith("--from") for name in text.split()[:-1]]

    assert set(copied) == let_through
    assert all((ROOT / name).exists() for name in copied)


def test_every_setting_that_is_given_exists() -> None:
    ours = {
        name for name in re.findall(r"([A-Z_]+)=", " ".join(steps("ENV"))) if not name.startswith(("PATH", "PYTHON"))
    }

    assert ours | set(SERVICES["service"]["environment"]) <= set(setting_names())
    assert ours == {"HOST", "PORT"}


def test_the_service_may_write_nowhere_and_nothing_is_open_to_the_network() -> None:
    service = SERVICES["service"]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:") for each in SERVICES.values() for port in each.get("ports", ()))


async def test_the_health_check_tells_life() -> None:
    async with served(Api().app) as alive, served(Starlette()) as another:
        found = [await asyncio.to_thread(is_healthy, int(host.split(":")[1])) for host in (alive, another)]

    assert found == [True, False]
    assert not is_healthy(free_port())
