"""Whole processes, and what they took.

Only the standard library is imported here and in what starts processes: the kernel counts a process's peak from the
memory of the one that started it.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
KEY = "sk_test_sandbox"


@dataclass(frozen=True)
class Cost:
    """What a process took.

    Attributes:
        wall: Seconds.
        cpu: Seconds of all its threads, and of the processes that it waited for.
        memory: Megabytes at the peak of the largest of them.
    """

    wall: float
    cpu: float
    memory: float


class Failed(Exception):
    """A process ended with an error."""


def start(
    command: Sequence[str], folder: Path, base_url: str, key: str = KEY, **settings: str
) -> subprocess.Popen[bytes]:
    """Start a command in a folder of its own, where it finds the API; what it prints goes to `log.txt` there.

    Args:
        command: The command.
        folder: Its folder.
        base_url: Of the API.
        key: For the API.
        **settings: More variables of its environment.
    """
    variables = {"SOURCES__COGNY__API_KEY": key, "SOURCES__COGNY__BASE_URL": base_url, "DLT_DATA_DIR": str(folder)}
    quiet = {"RUNTIME__DLTHUB_TELEMETRY": "false", "AIRBYTE_OFFLINE_MODE": "1"}
    # Where this is set, each process compiles anew what it imports.
    compiled = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment = {**compiled, **variables, **quiet, **settings}
    with (folder / "log.txt").open("ab") as log:
        return subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)


def measure(command: Sequence[str], folder: Path, base_url: str, key: str = KEY) -> Cost:
    """Run a command to its end.

    Raises:
        Failed: If it ends with an error.
    """
    began = time.monotonic()
    process = start(command, folder, base_url, key)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if status:
        last = (folder / "log.txt").read_text(errors="replace").strip().splitlines()[-1:]
        raise Failed(f"it ended with {process.returncode}: {' '.join(last)}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
