"""The benchmark runs and prints a ratio for every case; what they are is for people to read."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_benchmark_of_usage_prints_its_ratios() -> None:
    command = [sys.executable, ROOT / "scripts" / "_bench" / "usage.py", "--rounds", "1", "--seconds", "0.1"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=50, check=True)

    assert len(re.findall(r"ratio +[\d.]+", done.stdout)) == 6
    assert len(re.findall(r"revocation written and in RAM.* n=\d+", done.stdout)) == 2


def test_the_benchmark_of_an_adoption_leaves_nobody_out() -> None:
    command = [sys.executable, ROOT / "scripts" / "_bench" / "adoption.py", "--customers", "40"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)

    assert "in all, for 40 customers: 36 linked, 4 listed, 36 subscriptions in force" in done.stdout


def test_the_benchmark_of_acknowledging_tells_of_webhooks_and_queries() -> None:
    command = [sys.executable, ROOT / "scripts" / "_bench" / "stripe_ack.py", "--rounds", "1", "--seconds", "0.5"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)

    assert len(re.findall(r"webhooks, .*/s on one core", done.stdout)) == 2
    assert len(re.findall(r"queries, .*ratio +[\d.]+", done.stdout)) == 2


def test_the_benchmark_of_draining_leaves_nothing() -> None:
    command = [sys.executable, ROOT / "scripts" / "_bench" / "stripe_drain.py", "--events", "100"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)

    assert len(re.findall(r"100 events of 10 subscriptions, .*ratio +[\d.]+", done.stdout)) == 3


def test_a_benchmark_that_there_is_not_is_told_before_anything_is_installed() -> None:
    done = subprocess.run(
        [ROOT / "scripts" / "bench", "--help"], capture_output=True, text=True, timeout=20, check=False
    )

    assert done.returncode == 1
    assert done.stderr.startswith("usage: scripts/bench [usage | adoption | stripe-ack | stripe-drain]")
