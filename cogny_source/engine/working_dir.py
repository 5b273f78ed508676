"""The working directory: one run at a time in it, and what an earlier run left there."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fcntl import LOCK_NB, LOCK_SH, flock
from pathlib import Path
from typing import Any

import dlt
from dlt.common.exceptions import DltException
from filelock import FileLock, Timeout

from cogny_source.destinations.dlt_internals import note_restored_state
from cogny_source.destinations.session import DestinationSession
from cogny_source.errors import AlreadyRunning, ConfigError

logger = logging.getLogger(__name__)

# Whoever asks whether it is locked holds it for a moment.
LOCK_SECONDS = 0.5
# What dlt raises over files that are cut short, missing or not its own.
UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, FileNotFoundError, NotADirectoryError, DltException)


def is_locked(pipelines_dir: Path, pipeline_name: str) -> bool:
    """Whether a run works in a directory now; False where nobody may look.

    The lock is asked for as one that is shared, which takes no more than the right to read.
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
def hold_lock(pipelines_dir: Path, pipeline_name: str) -> Iterator[None]:
    """Let one run at a time work in a directory: dlt itself does not lock. Within a thread it may be held twice.

    Raises:
        AlreadyRunning: If another run holds it.
        ConfigError: If the directory cannot be written.
    """
    path = _lock_path(pipelines_dir, pipeline_name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path, timeout=LOCK_SECONDS, is_singleton=True)
        lock.acquire()
    except Timeout as exc:
        raise AlreadyRunning(f"another run holds {path}; this one changed nothing") from exc
    except OSError as exc:
        raise ConfigError(
            f"the working directory {pipelines_dir} cannot be written ({exc.strerror}); DLT_DATA_DIR names another"
        ) from exc
    try:
        yield
    finally:
        lock.release()


def open_pipeline(make: Callable[[], dlt.Pipeline], pipelines_dir: Path, pipeline_name: str) -> dlt.Pipeline:
    """Make a pipeline; without its working directory where that cannot be read. To be called under the lock.

    Everything in it that counts is in the destination too, or will be read from the API again.
    """
    try:
        return make()
    except UNREADABLE as error:
        folder = pipelines_dir / pipeline_name
        if not folder.exists():
            raise
        logger.warning("the working directory %s cannot be read (%s); it is made anew", folder, type(error).__name__)
        _remove(folder)
        return make()
    except OSError as error:
        raise ConfigError(
            f"the working directory {pipelines_dir} cannot be written ({error.strerror}); DLT_DATA_DIR names another"
        ) from error


def restore_state(destination: DestinationSession) -> dict[str, Any]:
    """Take the state from the destination, which alone knows what it holds; let go of everything local.

    A local state may belong to a database that was deleted or swapped; its watermark would leave rows out. A package
    that an earlier run left pending was never committed, so that its rows are read again. dlt would load it once more
    from where it thinks it stopped: killed after the database took a table and before dlt noted it, the table's rows
    would be there twice.

    Returns:
        The states by resource.
    """
    pipeline = destination.pipeline
    with destination.hold():
        if _has_pending_data(pipeline):
            logger.info("what an earlier run left unfinished is let go, and read again")
        _drop_working_directory(pipeline)
        with destination.translating_errors():
            pipeline.sync_destination()
    note_restored_state(pipeline)
    destination.forget_schema()
    sources: dict[str, Any] = pipeline.state.get("sources", {})
    states: dict[str, Any] = sources.get("cogny", {}).get("resources", {})
    return states


def check_schema(pipeline: dlt.Pipeline) -> None:
    """Let go of a working directory whose schema is gone; without it not even a connection can be made."""
    try:
        if pipeline.default_schema_name:
            pipeline.schemas[pipeline.default_schema_name]
    except UNREADABLE as error:
        logger.warning(
            "the schema in %s cannot be read (%s); it is made anew", pipeline.working_dir, type(error).__name__
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
