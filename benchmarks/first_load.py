"""A first load, and one without news, into each local destination, against a bare download of the same pages.

Wall and CPU time and peak memory of whole processes, in one run: python benchmarks/first_load.py --tickets 100000
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
KEY = "sk_test_sandbox"
DESTINATIONS = {
    "DuckDB": ["cogny_to_duckdb.py"],
    "Parquet": ["cogny_to_parquet.py", "--bucket-url", "parquet"],
    "Delta": ["cogny_to_parquet.py", "--bucket-url", "delta", "--table-format", "delta"],
}
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


def measure(command: list[str], folder: str, base_url: str) -> Cost:
    """Run a command to its end."""
    variables = {"SOURCES__COGNY__API_KEY": KEY, "SOURCES__COGNY__BASE_URL": base_url, "DLT_DATA_DIR": folder}
    start = time.monotonic()
    process = subprocess.Popen(command, cwd=folder, env={**os.environ, **variables}, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - start
    if status:
        raise SystemExit(f"{command[1]} failed")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def main() -> None:
    """Run all, print a line each and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickets", type=int, default=100_000)
    tickets = parser.parse_args().tickets
    sandbox = subprocess.Popen(
        [sys.executable, "-m", "cogny_source.sandbox", "--tickets", str(tickets), "--exit-with-parent"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert sandbox.stdout is not None
    base_url = sandbox.stdout.readline().split()[0]
    try:
        with tempfile.TemporaryDirectory() as folder:
            bare = measure([sys.executable, "-c", BARE, base_url, KEY], folder, base_url)
            report("bare download", bare, bare)
            for name, (script, *arguments) in DESTINATIONS.items():
                command = [sys.executable, str(ROOT / "pipelines" / script), *arguments, "--quiet"]
                for what in ("first load", "no change"):
                    report(f"{name}, {what}", measure(command, folder, base_url), bare)
    finally:
        sandbox.terminate()
        sandbox.wait()


def report(name: str, cost: Cost, bare: Cost) -> None:
    """Print a line."""
    ratio = f"{cost.wall / bare.wall:6.2f} x the bare download"
    print(f"{name:22} {cost.wall:7.1f} s {cost.cpu:7.1f} s CPU {cost.memory:6.0f} MB {ratio}", flush=True)


if __name__ == "__main__":
    main()
