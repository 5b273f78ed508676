"""What the benchmarks share: whole processes against a sandbox in a process of its own, and what they took."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
KEY = "sk_test_sandbox"
BARE = """
import requests, sys
session, cursor = requests.Session(), None
session.headers["Authorization"] = "Bearer " + sys.argv[2]
while True:
    params = {"limit": 100, "sort": "created_at", **({"cursor": cursor} if cursor else {})}
    page = session.get(sys.argv[1] + "/tickets", params=params).json()
    if not page["pagination"]["has_more"]:
        break
    cursor = page["pagination"]["next_cursor"]
"""


@dataclass(frozen=True)
class Cost:
    """What a process took.

    Attributes:
        wall: Seconds.
        cpu: Seconds of all its threads.
        memory: Megabytes at the peak.
    """

    wall: float
    cpu: float
    memory: float


def measure(command: list[str], folder: str, base_url: str, key: str = KEY) -> Cost:
    """Run a command to its end."""
    variables = {"SOURCES__COGNY__API_KEY": key, "SOURCES__COGNY__BASE_URL": base_url, "DLT_DATA_DIR": folder}
    start = time.monotonic()
    process = subprocess.Popen(command, cwd=folder, env={**os.environ, **variables}, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - start
    if status:
        raise SystemExit(f"{command[1]} failed")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


@contextmanager
def run_sandbox(tickets: int, *options: str) -> Iterator[str]:
    """Start a sandbox, and end it with the block; its base URL.

    Args:
        tickets: How many it has.
        *options: Of `python -m cogny_source.sandbox`.
    """
    command = [sys.executable, "-m", "cogny_source.sandbox", "--tickets", str(tickets), "--exit-with-parent", *options]
    sandbox = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert sandbox.stdout is not None
    try:
        yield sandbox.stdout.readline().split()[0]
    finally:
        sandbox.terminate()
        sandbox.wait()


def download(base_url: str) -> list[str]:
    """The command that downloads all tickets, page by page, and throws them away."""
    return [sys.executable, "-c", BARE, base_url, KEY]


def report(name: str, cost: Cost, bare: Cost) -> None:
    """Print a line."""
    ratio = f"{cost.wall / bare.wall:6.2f} x the bare download"
    print(f"{name:22} {cost.wall:7.1f} s {cost.cpu:7.1f} s CPU {cost.memory:6.0f} MB {ratio}", flush=True)
