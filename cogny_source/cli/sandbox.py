"""The sandbox as a child process, to try the connector without a key."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cogny_source.errors import ConfigError

SANDBOX_KEY = "sk_test_sandbox"
SANDBOX_TICKETS = 5_000
STOP_SECONDS = 10


@dataclass(frozen=True)
class EmbeddedSandbox:
    """The sandbox's URL and a key for it."""

    base_url: str
    api_key: str


@contextmanager
def run_sandbox(world: Path) -> Iterator[EmbeddedSandbox]:
    """Run the sandbox within the block.

    Args:
        world: The file that keeps its world, which advances from run to run.

    Raises:
        ConfigError: If it does not start.
    """
    world.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "cogny_source.sandbox", "--tickets", str(SANDBOX_TICKETS)]
    command += ["--world", str(world), "--exit-with-parent"]
    # A separate session: Ctrl-C in the terminal must not stop the server, which the sync still needs.
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.startswith("http"):
            raise ConfigError(f"the sandbox did not start (exit code {process.wait()})")
        yield EmbeddedSandbox(line.split()[0], SANDBOX_KEY)
    finally:
        process.terminate()
        process.wait(STOP_SECONDS)
        if process.stdout is not None:
            process.stdout.close()
