"""The Stripe sandbox as a child process."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Self

_ROOT = Path(__file__).parents[2]
_START_S = 20
_STOP_S = 5


class StripeSandboxProcess:
    """A running sandbox; it ends with `stop`, or when the process that started it ends."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        self.url = url
        self.pid = process.pid
        self._process = process

    @classmethod
    def start(
        cls, *, webhook_url: str | None, webhook_secret: str, port: int = 0, extra_args: Sequence[str] = ()
    ) -> Self:
        """Start it and wait until it listens; call from the main thread, with whose end Linux ends the child."""
        command = [sys.executable, "-m", "app.sandbox.stripe", "--port", str(port), "--webhook-secret", webhook_secret]
        if sys.platform != "win32":  # where a virtual environment's interpreter is the child of a launcher
            command += ["--parent-pid", str(os.getpid())]
        if webhook_url:
            command += ["--webhook-url", webhook_url]
        path = os.pathsep.join(part for part in (str(_ROOT), os.environ.get("PYTHONPATH")) if part)
        process = subprocess.Popen(  # noqa: S603 - ourselves
            [*command, *extra_args],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
            start_new_session=True,  # Ctrl-C reaches the service first
        )
        return cls(process, _read_url(process))

    def stop(self) -> None:
        """End the process; again: do nothing."""
        _end(self._process)


def _read_url(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    limit = threading.Timer(_START_S, process.kill)
    limit.start()
    try:
        line = process.stdout.readline()
    finally:
        limit.cancel()
    if not line:
        _end(process)
        raise RuntimeError(f"the Stripe sandbox did not start (exit code {process.returncode}); stderr says why")
    return json.loads(line)["url"]


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdout:
        process.stdout.close()
