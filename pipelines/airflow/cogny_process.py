"""A sync as a child process: its output in the log, and its end.

It needs the standard library alone, as the connector may live in a Python of its own.
"""

from __future__ import annotations

import logging
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Thread
from typing import IO

from cogny_account import SettingsError

logger = logging.getLogger(__name__)

EXIT_SETTINGS = 2
EXIT_LOCKED = 75
GRACE_SECONDS = 120.0
OUTPUT_SECONDS = 5.0
STOPPING = "the sync is told to stop; what is complete will be loaded"


class SyncFailed(Exception):
    """A sync failed in a way that may pass; the next one goes on from what is loaded."""


def run(command: list[str], environment: Mapping[str, str], grace_seconds: float = GRACE_SECONDS) -> None:
    """Run a sync to its end, each line of its output in the log. To be called in the main thread.

    SIGTERM is passed on, so that what is complete is loaded. So it is with whatever else ends the wait, such as
    Airflow's time-out; the child is then killed if it does not end.

    Args:
        command: What to run.
        environment: The child's environment.
        grace_seconds: How long a child that was told to stop may go on.

    Raises:
        SettingsError: If the sync says that trying again is of no use.
        SyncFailed: If it failed otherwise.
    """
    child = _Child()
    with _on_sigterm(child.stop):
        process = child.start(command, environment)
        reader = Thread(target=_copy_lines, args=(process.stdout,), daemon=True)
        reader.start()
        try:
            code = process.wait()
        except BaseException:
            child.end(grace_seconds)
            raise
        finally:
            reader.join(OUTPUT_SECONDS)
    _check(code)


class _Child:
    """The sync's process, which is told to stop once: a second signal would end it before it has loaded."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._is_to_stop = False

    def start(self, command: list[str], environment: Mapping[str, str]) -> subprocess.Popen[str]:
        """Start it, in a session of its own: a terminal's Ctrl-C would be a second signal."""
        try:
            self._process = subprocess.Popen(
                command,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
        except OSError as exc:
            raise SettingsError(f"{command[0]} cannot be started: {exc.strerror}") from exc
        if self._is_to_stop:
            self._process.send_signal(signal.SIGTERM)
        return self._process

    def stop(self) -> None:
        """Tell it to load what is complete and end."""
        if self._is_to_stop:
            return
        self._is_to_stop = True
        logger.warning(STOPPING)
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)

    def end(self, grace_seconds: float) -> None:
        """Stop it, and kill it if it goes on for too long."""
        assert self._process is not None
        self.stop()
        try:
            self._process.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            logger.warning("the sync has not ended within %g s and is killed", grace_seconds)
            self._process.kill()
            self._process.wait()


@contextmanager
def _on_sigterm(act: Callable[[], None]) -> Iterator[None]:
    """Within the block, SIGTERM does this and nothing else."""
    previous = signal.signal(signal.SIGTERM, lambda *_: act())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _copy_lines(output: IO[str]) -> None:
    """Write each line into the log as it comes."""
    with output:
        for line in output:
            if line.strip():
                logger.info("%s", line.rstrip())


def _check(code: int) -> None:
    """Tell what an exit code means."""
    if code == EXIT_SETTINGS:
        raise SettingsError("the sync was refused its settings or its key; its last lines tell which")
    if code == EXIT_LOCKED:
        raise SyncFailed("another run holds this database's lock; this one changed nothing")
    if code < 0:
        raise SyncFailed(f"the sync was killed by signal {-code}; the next one goes on from what is loaded")
    if code:
        raise SyncFailed(f"the sync ended with exit code {code}; the next one goes on from what is loaded")
