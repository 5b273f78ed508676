"""What stands beside figures so that they mean something: the machine, the versions and the day."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from measuring import ROOT

PACKAGES = ("dlt", "duckdb", "pyarrow", "orjson", "requests")


def describe_machine() -> dict[str, str]:
    """The machine and the versions, by name."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{memory:.0f} GiB",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }


def describe_moment() -> dict[str, str]:
    """The day, and the connector's commit; marked where files differ from it."""
    commit = _git("rev-parse", "--short", "HEAD")
    changed = _git("status", "--porcelain", "--", "cogny_source", "pipelines")
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": f"{commit}{', changed' if changed else ''}" if commit else "not in a repository",
    }


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    if path.exists():
        names = [line.partition(":")[2] for line in path.read_text().splitlines() if line.startswith("model name")]
        if names:
            return names[0].strip()
    return platform.processor() or platform.machine()


def _git(*arguments: str) -> str:
    try:
        answer = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return answer.stdout.strip()
