"""A first load against a bare download of the same pages: wall time and peak memory of whole processes, in one run.

python benchmarks/first_load.py --tickets 100000
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
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


def measure(command: list[str], folder: str, base_url: str) -> tuple[float, float]:
    """Wall seconds and peak memory in MB of a command."""
    variables = {"SOURCES__COGNY__API_KEY": KEY, "SOURCES__COGNY__BASE_URL": base_url, "HOME": folder}
    start = time.monotonic()
    process = subprocess.Popen(command, cwd=folder, env={**os.environ, **variables}, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - start
    if status:
        raise SystemExit(f"{command[1]} failed")
    return seconds, usage.ru_maxrss / 1024


def main() -> None:
    """Run both, print a line each and the ratio."""
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
    script = str(ROOT / "pipelines" / "cogny_to_duckdb.py")
    try:
        with tempfile.TemporaryDirectory() as folder:
            bare = measure([sys.executable, "-c", BARE, base_url, KEY], folder, base_url)
            first = measure([sys.executable, script, "--quiet"], folder, base_url)
            again = measure([sys.executable, script, "--quiet"], folder, base_url)
    finally:
        sandbox.terminate()
        sandbox.wait()
    for name, (seconds, megabytes) in {"bare download": bare, "first load": first, "no change": again}.items():
        print(f"{name:14} {seconds:7.1f} s {megabytes:7.0f} MB {seconds / bare[0]:6.2f} x the bare download")


if __name__ == "__main__":
    main()
