"""The command `cogny`, also as `python -m cogny_source`, and the scripts of `pipelines/`.

A signal ends them with one line while the rest is imported, too; from then on the command itself heeds signals.
"""

from __future__ import annotations

import os
import signal
from types import FrameType

STDERR = 2
ABORTED = b"Aborted; what is loaded stays.\n"


def main() -> None:
    """Run the command `cogny`, and end the process."""
    _end_on_signals()
    from cogny_source.cli import main as command

    command(prog_name="cogny")


def sync_into(destination: str) -> None:
    """Run the command that syncs into a destination, and end the process.

    Args:
        destination: Its name in the registry, such as `duckdb`.
    """
    _end_on_signals()
    from cogny_source.cli import sync_command

    sync_command(destination)()


def _end_on_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)


def _end(number: int, _: FrameType | None) -> None:
    try:
        os.write(STDERR, ABORTED)
    finally:
        os._exit(128 + number)


if __name__ == "__main__":
    main()
