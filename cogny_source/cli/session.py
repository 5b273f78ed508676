"""A target's pipeline: locked for loading, or in a temporary working directory for reading beside a run."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cogny_source.destinations.target import Target
from cogny_source.errors import ConfigError, LoadFailed

if TYPE_CHECKING:
    import dlt

PIPELINE_NAME = "cogny"


def pipelines_dir(target: Target) -> Path:
    """A target's own working directory: pending packages of one target must never be loaded into another."""
    from cogny_source.dlt_internals import find_pipelines_dir

    digest = hashlib.sha256(target.identity.encode()).hexdigest()[:12]
    with _naming_temporary_folder():
        return find_pipelines_dir() / f"{PIPELINE_NAME}-{digest}"


@contextmanager
def open_for_loading(target: Target) -> Iterator[dlt.Pipeline]:
    """A target's pipeline, locked against other runs.

    Raises:
        AlreadyRunning: If another run holds the lock.
    """
    from cogny_source.engine.working_dir import hold_lock, open_pipeline

    folder = pipelines_dir(target)
    make = _maker(target, folder)
    with hold_lock(folder, PIPELINE_NAME), _explaining(target):
        target.prepare()
        yield open_pipeline(make, folder, PIPELINE_NAME)


@contextmanager
def open_for_looking(target: Target) -> Iterator[dlt.Pipeline]:
    """A target's pipeline in a temporary working directory, which does not disturb a run."""
    with _naming_temporary_folder():
        temporary = tempfile.TemporaryDirectory(prefix="cogny-")
    with temporary as folder, _explaining(target):
        yield _maker(target, Path(folder))()


@contextmanager
def _naming_temporary_folder() -> Iterator[None]:
    """Turn the lack of a temporary folder into a sentence."""
    try:
        yield
    except OSError as exc:
        raise ConfigError(f"no temporary folder can be made ({exc.strerror}); TMPDIR names another") from exc


def _maker(target: Target, folder: Path) -> Callable[[], dlt.Pipeline]:
    import dlt

    destination, staging = target.make(), target.make_staging() if target.make_staging else None

    def make() -> dlt.Pipeline:
        pipeline = dlt.pipeline(
            PIPELINE_NAME,
            pipelines_dir=str(folder),
            destination=destination,
            staging=staging,
            dataset_name=target.dataset,
        )
        # The sync's own handlers let a load finish; dlt's would interrupt it.
        pipeline.runtime_config.intercept_signals = False
        return pipeline

    return make


@contextmanager
def _explaining(target: Target) -> Iterator[None]:
    """Let the target explain errors of its libraries."""
    try:
        yield
    except (LoadFailed, ConfigError) as error:
        told = target.explain(error) if target.explain else None
        if told is None:
            raise
        raise told from error
