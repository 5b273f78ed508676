"""The working directory: a lock for one run at a time, and the removal of what an earlier run left."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from fcntl import LOCK_NB, LOCK_SH, flock
from pathlib import Path
from typing import Any

import dlt
from dlt.common.exceptions import DltException
from filelock import FileLock, Timeout

from cogny_source.destinations.dlt_internals import mark_state_restored
from cogny_source.destinations.session import DestinationSession
from cogny_source.errors import AlreadyRunning, ConfigError
from cogny_source.formatting import second, span
from cogny_source.plain_text import safe_text

logger = logging.getLogger(__name__)

# is_locked() takes the lock briefly; wait longer than that.
LOCK_SECONDS = 0.5
# How often a lock is tried that another run holds.
POLL_SECONDS = 0.2
# The file that says which process holds the lock.
HOLDER = ".holder"
# The errors of dlt for files that are truncated, missing or not its own.
UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, FileNotFoundError, NotADirectoryError, DltException)


def is_locked(pipelines_dir: Path, pipeline_name: str) -> bool:
    """Whether a run works in a directory now; False without permission to read the lock file.

    It tries a shared lock, for which the permission to read is enough.
    """
    try:
        with _lock_path(pipelines_dir, pipeline_name).open("rb") as file:
            flock(file, LOCK_SH | LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _lock_path(pipelines_dir: Path, pipeline_name: str) -> Path:
    return pipelines_dir / f"{pipeline_name}.lock"


@contextmanager
def hold_lock(pipelines_dir: Path, pipeline_name: str, wait_seconds: float = 0.0) -> Iterator[None]:
    """Let one run at a time work in a directory: dlt does not lock it. The lock is reentrant within a thread.

    Args:
        pipelines_dir: The directory of the pipelines.
        pipeline_name: The pipeline.
        wait_seconds: How long to wait for another run to end.

    Raises:
        AlreadyRunning: If another run holds it for longer.
        ConfigError: If the directory cannot be written.
    """
    path = _lock_path(pipelines_dir, pipeline_name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path, timeout=LOCK_SECONDS, is_singleton=True)
        _acquire(lock, path, wait_seconds)
    except Timeout as exc:
        waited = f" for {span(wait_seconds, blank=' ')}" if wait_seconds else ""
        raise AlreadyRunning(
            f"another run holds {path}{waited}{_describe_holder(path)}; this one changed nothing"
        ) from exc
    except OSError as exc:
        raise ConfigError(
            f"the working directory {pipelines_dir} cannot be written ({exc.strerror}); set DLT_DATA_DIR to another"
        ) from exc
    if lock.lock_counter == 1:
        _note_holder(path)
    try:
        yield
    finally:
        lock.release()


def _acquire(lock: FileLock, path: Path, wait_seconds: float) -> None:
    """Take a lock, and say so where another run must be waited for."""
    try:
        lock.acquire()
    except Timeout:
        if wait_seconds <= LOCK_SECONDS:
            raise
        longest = span(wait_seconds, blank=" ")
        logger.info("another run holds %s%s; waiting for it, at most %s", path, _describe_holder(path), longest)
        lock.acquire(timeout=wait_seconds - LOCK_SECONDS, poll_interval=POLL_SECONDS)


def _note_holder(path: Path) -> None:
    """Note which process holds a lock, beside it: whoever tries the lock empties its file."""
    with suppress(OSError):
        path.with_suffix(HOLDER).write_text(f"process {os.getpid()}, since {second(datetime.now(UTC))}", "utf-8")


def _describe_holder(path: Path) -> str:
    try:
        return f" ({safe_text(path.with_suffix(HOLDER).read_text('utf-8'))})"
    except (OSError, UnicodeDecodeError):
        return ""


def open_pipeline(make: Callable[[], dlt.Pipeline], pipelines_dir: Path, pipeline_name: str) -> dlt.Pipeline:
    """Make a pipeline, and delete its working directory first if that cannot be read. Call it under the lock.

    Nothing is lost: the destination has the state, and unfinished loads are read from the API again.

    Raises:
        ConfigError: If the working directory cannot be written.
    """
    try:
        return make()
    except UNREADABLE as error:
        folder = pipelines_dir / pipeline_name
        if not folder.exists():
            raise
        logger.warning(
            "the working directory %s cannot be read (%s); it is created again", folder, type(error).__name__
        )
        _remove(folder)
        return make()
    except OSError as error:
        raise ConfigError(
            f"the working directory {pipelines_dir} cannot be written ({error.strerror}); set DLT_DATA_DIR to another"
        ) from error


def restore_state(destination: DestinationSession) -> dict[str, Any]:
    """Restore the state from the destination, and delete everything local.

    A local state may belong to a database that was deleted or replaced, and its watermark would leave rows out. A
    pending package of an earlier run was never committed, and its rows are read again. dlt would resume it instead: if
    dlt was killed after the database committed a table and before dlt recorded that, it would load the table's rows
    twice.

    Returns:
        Resource name to its state.
    """
    pipeline = destination.pipeline
    with destination.connect():
        if _has_pending_data(pipeline):
            logger.info("an earlier run left an unfinished load; it is deleted, and its rows are read again")
        _drop_working_directory(pipeline)
        with destination.translating_errors():
            pipeline.sync_destination()
    mark_state_restored(pipeline)
    destination.forget_schema()
    sources: dict[str, Any] = pipeline.state.get("sources", {})
    states: dict[str, Any] = sources.get("cogny", {}).get("resources", {})
    return states


def check_schema(pipeline: dlt.Pipeline) -> None:
    """Delete a working directory whose schema cannot be read; without it dlt cannot even connect."""
    try:
        if pipeline.default_schema_name:
            pipeline.schemas[pipeline.default_schema_name]
    except UNREADABLE as error:
        logger.warning(
            "the schema in %s cannot be read (%s); it is created again", pipeline.working_dir, type(error).__name__
        )
        _drop_working_directory(pipeline)


def _has_pending_data(pipeline: dlt.Pipeline) -> bool:
    try:
        return pipeline.has_pending_data
    except UNREADABLE:
        return True


def _drop_working_directory(pipeline: dlt.Pipeline) -> None:
    try:
        pipeline.drop()
    except UNREADABLE:
        _remove(Path(pipeline.working_dir))
        pipeline.drop()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
