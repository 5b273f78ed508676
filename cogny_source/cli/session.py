"""A target's pipeline: locked for loading, or in a temporary working directory for reading beside a run."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cogny_source.destinations.target import Target
from cogny_source.errors import ConfigError, LoadFailed

if TYPE_CHECKING:
    import dlt

    from cogny_source.destinations.model_store import ModelsPlace, ModelStore
    from cogny_source.destinations.session import DestinationSession
    from cogny_source.monitoring.health import Thresholds
    from cogny_source.monitoring.status import DatasetStatus

PIPELINE_NAME = "cogny"
# Whoever asks how things stand does not wait for a session that somebody forgot; a load of a run ends by itself.
WAIT_SECONDS = 5.0
WAIT_FOR_RUN_SECONDS = 60.0


@dataclass(frozen=True)
class Look:
    """A target that is looked at.

    Attributes:
        destination: It, to be read.
        journal: Where its runs keep records that no load has taken yet.
        running: Whether a run works on it now.
    """

    destination: DestinationSession
    journal: Path
    running: bool


def pipelines_dir(target: Target) -> Path:
    """A target's own working directory: pending packages of one target must never be loaded into another."""
    from cogny_source.dlt_internals import find_pipelines_dir

    digest = hashlib.sha256(target.identity.encode()).hexdigest()[:12]
    with _naming_temporary_folder():
        return find_pipelines_dir() / f"{PIPELINE_NAME}-{digest}"


@contextmanager
def open_for_loading(target: Target, wait_seconds: float = 0.0) -> Iterator[dlt.Pipeline]:
    """A target's pipeline, locked against other runs.

    Args:
        target: The target.
        wait_seconds: How long to wait for another run to end.

    Raises:
        AlreadyRunning: If another run holds the lock for longer.
    """
    from cogny_source.engine.working_dir import hold_lock, open_pipeline

    folder = pipelines_dir(target)
    make = _maker(target, folder)
    with hold_lock(folder, PIPELINE_NAME, wait_seconds), _explaining(target):
        target.prepare()
        yield open_pipeline(make, folder, PIPELINE_NAME)


@contextmanager
def look_at(target: Target) -> Iterator[Look]:
    """A target opened read-only, in a temporary working directory, so that it disturbs neither a run nor a session."""
    from cogny_source.destinations.registry import open_session
    from cogny_source.engine.working_dir import is_locked

    workspace = pipelines_dir(target)
    running = is_locked(workspace, PIPELINE_NAME)
    wait_seconds = WAIT_FOR_RUN_SECONDS if running else WAIT_SECONDS
    with _open_temporarily(target, is_read_only=True) as pipeline:
        destination = open_session(pipeline, wait_seconds)
        yield Look(destination, workspace / f"{PIPELINE_NAME}.runs", running)


@contextmanager
def open_models(target: Target, place: ModelsPlace) -> Iterator[ModelStore]:
    """The models of a target; its working directory is a temporary one, so that a run is not disturbed.

    Raises:
        ConfigError: If the destination holds no models, or they cannot be at that place.
        LoadFailed: If the destination does not answer, or stays locked.
    """
    from cogny_source.destinations.registry import open_session
    from cogny_source.engine.working_dir import restore_state

    with _open_temporarily(target, is_read_only=place.is_read_only) as pipeline:
        session = open_session(pipeline, WAIT_FOR_RUN_SECONDS)
        restore_state(session)  # files become tables by the schema that lies beside them
        with session.connect() as client, session.adapter.open_models(client, place) as store:
            yield store


def read_dataset(
    target: Target, now: datetime, resources: Sequence[str] = (), thresholds: Thresholds | None = None
) -> DatasetStatus:
    """How a target's dataset stands.

    Args:
        target: The target, which may not be there.
        now: The present, aware.
        resources: The resources to look at, which must be synced; those that are synced where empty.
        thresholds: From which age on data is late.

    Raises:
        LoadFailed: If it does not answer.
    """
    from cogny_source.extract.endpoints import select_resources
    from cogny_source.monitoring.health import ResourceFacts
    from cogny_source.monitoring.status import assess, read_status

    names = select_resources(resources)
    if not target.is_there():
        return assess([ResourceFacts(name) for name in names], now)
    with look_at(target) as look:
        return read_status(
            look.destination, now, look.journal, running=look.running, resources=resources, thresholds=thresholds
        )


@contextmanager
def _open_temporarily(target: Target, *, is_read_only: bool) -> Iterator[dlt.Pipeline]:
    """A target's pipeline in a working directory that is removed afterwards."""
    with _naming_temporary_folder():
        temporary = tempfile.TemporaryDirectory(prefix="cogny-")
    with temporary as folder, _explaining(target):
        reader = replace(target, make=target.make_reader or target.make)
        yield _maker(reader if is_read_only else target, Path(folder))()


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
