"""Deaths of a process: at any call of dlt or the connector, by an exception or as after a SIGKILL."""

from __future__ import annotations

import os
import signal
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from dlt.common.storages.load_package import PackageStorage
from dlt.common.storages.load_storage import LoadStorage
from dlt.destinations.job_client_impl import SqlJobClientBase
from dlt.load.load import Load
from dlt.pipeline.pipeline import Pipeline

from cogny_source.engine.run_journal import Journal

CHILD_SECONDS = 90
KILLED = 99

# Where a process may die: in dlt's steps, between its files, and in what surrounds them.
POINTS: tuple[tuple[Any, str], ...] = (
    (Pipeline, "extract"),
    (Pipeline, "normalize"),
    (Pipeline, "load"),
    (Pipeline, "sync_destination"),
    (Pipeline, "drop"),
    (LoadStorage, "import_extracted_package"),
    (LoadStorage, "commit_new_load_package"),
    (LoadStorage, "complete_load_package"),
    (PackageStorage, "create_package"),
    (PackageStorage, "start_job"),
    (PackageStorage, "complete_job"),
    (PackageStorage, "save_load_package_state"),
    (Load, "initialize_package"),
    (Load, "complete_package"),
    (SqlJobClientBase, "complete_load"),
    (Journal, "write"),
    (Journal, "clear"),
)


class Killed(BaseException):
    """What a process that dies leaves undone; nothing in the connector or dlt handles it."""


@contextmanager
def dying(owner: Any, name: str, call: int, *, after: bool, forked: bool) -> Iterator[None]:
    """Within the block, the process dies at a call of a method."""
    original = getattr(owner, name)
    calls: list[None] = []

    def die() -> None:
        if forked:
            os._exit(KILLED)
        raise Killed

    def called(*arguments: Any, **keywords: Any) -> Any:
        calls.append(None)
        if len(calls) == call and not after:
            die()
        result = original(*arguments, **keywords)
        if len(calls) == call and after:
            die()
        return result

    with patch.object(owner, name, called):
        yield


def in_child(work: Callable[[], None], folder: Path) -> bool:
    """Do some work in a process that is forked off; returns whether it was killed before its end.

    Raises:
        AssertionError: If the work failed, or hangs.
    """
    trace = folder / "child.txt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the sandbox's thread is not needed in the child
        pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException:  # noqa: BLE001 - a child must never return into the tests
            trace.write_text(traceback.format_exc())
            os._exit(1)
        os._exit(0)
    deadline = time.monotonic() + CHILD_SECONDS
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            assert code in (0, KILLED), trace.read_text()
            return code == KILLED
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise AssertionError("the forked process hangs")
        time.sleep(0.01)


def is_killed(work: Callable[[], None]) -> bool:
    """Do some work; returns whether it was killed before its end."""
    try:
        work()
    except Killed:
        return True
    return False
