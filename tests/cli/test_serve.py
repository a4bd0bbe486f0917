"""What keeps `entitled serve` from starting is said in one line, at once."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.command import Command

from app.settings import setting_names


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in setting_names():
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def busy_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken.getsockname()[1]


def test_without_a_database_it_says_how_to_name_one(entitled: Command) -> None:
    ran = entitled("serve")

    assert ran.code == 78
    assert all(word in ran.err for word in ("MONGODB_URI", "--embedded", "entitled demo"))


def test_two_databases_are_one_too_many(entitled: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONGODB_URI", "mongodb://127.0.0.1/?replicaSet=rs0")

    ran = entitled("serve", "--embedded")

    assert ran.code == 78
    assert "MONGODB_URI" in ran.err


def test_every_invalid_setting_is_named(entitled: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONGODB_URI", "localhost")
    monkeypatch.setenv("LOG_FORMAT", "xml")

    ran = entitled("serve")

    assert ran.code == 78
    assert "MONGODB_URI" in ran.err
    assert "LOG_FORMAT" in ran.err


def test_a_near_miss_is_warned_of(entitled: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONGO_URI", "mongodb://127.0.0.1/?replicaSet=rs0")

    assert "warning: MONGO_URI is set, but not read; did you mean MONGODB_URI?" in entitled("serve").err


def test_a_busy_port_is_named(entitled: Command, monkeypatch: pytest.MonkeyPatch, busy_port: int) -> None:
    monkeypatch.setenv("MONGODB_URI", "mongodb://127.0.0.1/?replicaSet=rs0")

    ran = entitled("serve", "--port", str(busy_port))

    assert (ran.code, ran.out) == (78, "")
    assert f"port {busy_port}" in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
def test_an_address_that_is_not_ours_is_named(entitled: Command, monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("MONGODB_URI", "mongodb://127.0.0.1/?replicaSet=rs0")

    ran = entitled("serve", "--host", host, "--port", "0")

    assert ran.code == 78
    assert host in ran.err


def test_a_database_that_does_not_answer_is_exit_code_69(busy_port: int) -> None:
    uri = f"mongodb://127.0.0.1:{busy_port}/?replicaSet=rs0"
    environment = {**os.environ, "MONGODB_URI": uri, "MONGODB_TIMEOUT_S": "0.3", "PORT": "0"}

    ended = subprocess.run(
        [sys.executable, "-c", "from app.cli.main import main; main()", "serve"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert ended.returncode == 69
    assert ended.stderr.startswith("entitled: no MongoDB answered at")
    assert "Traceback" not in ended.stderr


def test_a_data_directory_that_cannot_be_made_is_named(entitled: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    ran = entitled("serve", "--embedded", "--data-dir", str(tmp_path / "file" / "db"), "--port", "0")

    assert ran.code == 78
    assert str(tmp_path) in ran.err
