"""The working directory: one run at a time in it, and what an earlier run left there."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dlt
from dlt.common.destination.client import WithStateSync
from dlt.common.exceptions import DltException
from dlt.common.versioned_state import decompress_state
from filelock import FileLock, Timeout

from cogny_source.engine.destination import Destination
from cogny_source.errors import AlreadyRunning, LoadFailed

logger = logging.getLogger(__name__)

# What dlt raises over files that are cut short, missing or not its own.
UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, FileNotFoundError, NotADirectoryError, DltException)


@contextmanager
def hold_lock(pipelines_dir: Path, pipeline_name: str) -> Iterator[None]:
    """Let one run at a time work in a directory: dlt itself does not lock. Within a thread it may be held twice.

    Raises:
        AlreadyRunning: If another run holds it.
    """
    path = pipelines_dir / f"{pipeline_name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, timeout=0, is_singleton=True)
    try:
        lock.acquire()
    except Timeout as exc:
        raise AlreadyRunning(f"another run holds {path}; this one changed nothing") from exc
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


def restore_state(destination: Destination) -> dict[str, Any]:
    """Load what is pending, then take the state from the destination, which alone knows what it holds.

    A local state may belong to a database that was deleted or swapped; its watermark would leave rows out. What cannot
    be loaded is let go: its state was never committed, so that its rows are read again.

    Returns:
        The source's state: `resources`, and the `turn` that wrote it.
    """
    pipeline = destination.pipeline
    with destination.hold():
        _load_pending(destination)
        _drop_working_directory(pipeline)
        with destination.naming_failures():
            pipeline.sync_destination()
    sources: dict[str, Any] = pipeline.state.get("sources", {})
    state: dict[str, Any] = sources.get("cogny", {})
    return state


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


def _load_pending(destination: Destination) -> None:
    pipeline = destination.pipeline
    try:
        if not pipeline.has_pending_data:
            return
        with destination.naming_failures():
            if _follows_destination(pipeline):
                logger.info("loading what an earlier run left pending")
                pipeline.run()
                return
        logger.warning("what an earlier run left pending is of another state of the destination; it is read again")
    except LoadFailed as error:
        logger.warning("%s; what an earlier run left pending is read again", error)
    except UNREADABLE as error:
        logger.warning("what an earlier run left pending cannot be read (%s); it is read again", type(error).__name__)


def _follows_destination(pipeline: dlt.Pipeline) -> bool:
    """Whether the pending package was made from the state that the destination holds, or made that state.

    Where another machine loaded since, its rows may be newer than the package's. A database that was deleted, or
    restored from a backup, lacks rows that the package's state would hide.
    """
    with pipeline.destination_client() as client:
        if not isinstance(client, WithStateSync):
            return False
        stored = client.get_stored_state(pipeline.pipeline_name) if client.is_storage_initialized() else None
    held = decompress_state(stored.state) if stored else {}
    held_turn = held.get("sources", {}).get("cogny", {}).get("turn", {})
    sources: dict[str, Any] = pipeline.state.get("sources", {})
    turn: dict[str, Any] = sources.get("cogny", {}).get("turn", {})
    if not stored:
        return turn.get("after") is None and "id" in turn
    return held_turn.get("id") in (turn.get("id"), turn.get("after"))


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
        path.unlink()
