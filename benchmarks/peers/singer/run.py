"""The pipe that an orchestrator lays: the tap's output into target-duckdb, whose last line is the next run's state."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

STATE = Path("state.json")
TAP = [sys.executable, str(Path(__file__).with_name("tap.py")), "--config", "tap.json"]
TARGET = [str(Path(sys.executable).with_name("target-duckdb")), "--config", "target.json"]


def main() -> None:
    """Run both to their end."""
    given = {name: os.environ[f"SOURCES__COGNY__{name.upper()}"] for name in ("base_url", "api_key")}
    Path("tap.json").write_text(json.dumps(given))
    wanted = {"path": "singer.duckdb", "default_target_schema": "main"}
    Path("target.json").write_text(json.dumps(wanted))
    tap = subprocess.Popen(TAP + (["--state", str(STATE)] if STATE.exists() else []), stdout=subprocess.PIPE)
    target = subprocess.run(TARGET, stdin=tap.stdout, stdout=subprocess.PIPE, check=True)
    if tap.wait():
        sys.exit(1)
    states = target.stdout.splitlines()
    if states:
        STATE.write_bytes(states[-1])


if __name__ == "__main__":
    main()
