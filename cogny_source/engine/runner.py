"""The resumable loop: read a chunk of each resource, load it with its state, and again until all is in."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dlt
from dlt.common.destination.client import WithStateSync
from dlt.common.destination.exceptions import DestinationException
from dlt.pipeline.exceptions import PipelineStepFailed
from filelock import FileLock, Timeout

from cogny_source.api.client import Client, Timing
from cogny_source.engine.chunk import Chunk
from cogny_source.engine.endpoints import ENDPOINTS
from cogny_source.engine.listing import Reading
from cogny_source.engine.reader import Plan, claim_state, read_resource
from cogny_source.engine.record import ResourceRun, SyncResult, build_runs_table
from cogny_source.engine.stop import StopFlag
from cogny_source.engine.windows import Window
from cogny_source.errors import AlreadyRunning, CognyError, ConfigError, LoadFailed, Stopped
from cogny_source.settings import Settings, parse_date, resolve_settings
from cogny_source.source import make_chunk_source, make_client, select_resources

logger = logging.getLogger(__name__)

# Called after each page with the resource's run and the requests left in the window, where headers tell them.
Progress = Callable[[ResourceRun, int | None], None]


def sync(
    pipeline: dlt.Pipeline,
    settings: Settings | None = None,
    *,
    resources: Sequence[str] | None = None,
    start_date: str | datetime | None = None,
    end_date: str | datetime | None = None,
    full_refresh: bool = False,
    progress: Progress | None = None,
    stop: StopFlag | None = None,
) -> SyncResult:
    """Bring the destination up to date, committing chunk by chunk.

    Args:
        pipeline: A dlt pipeline with its destination and dataset.
        settings: The settings; from dlt's configuration where not given.
        resources: The resources to sync; all where not given.
        start_date: Rows created before it are left out; wins over the setting.
        end_date: With it, only rows created in `[start_date, end_date)` are read, and no watermark moves.
        full_refresh: Read everything again; old rows stay until the new ones are in.
        progress: Called after each page.
        stop: Set from a signal handler to stop after the page in hand.

    Returns:
        What was done with each resource.

    Raises:
        AlreadyRunning: If another run works in the same working directory.
        LoadFailed: If the destination refuses a load package.
        Stopped: If `stop` was set; what was complete is loaded.
        CognyError: Whatever ended the reading; what was complete before it is loaded.
    """
    settings = settings or resolve_settings()
    begin = parse_date(start_date, "start_date") or settings.start_date
    end = parse_date(end_date, "end_date")
    if begin and end and begin >= end:
        raise ConfigError("end_date must be later than start_date")
    window = Window(begin, end) if end else None
    plan = Plan(begin, window, full_refresh, settings.overlap_seconds)
    stop = stop or StopFlag()
    stop.check()
    with _hold_lock(pipeline):
        state = _restore_state(pipeline)
        client = make_client(settings, Timing(sleep=stop.sleep))
        try:
            run = _Run(pipeline, client, settings, plan, state, select_resources(resources), progress, stop)
            return run.execute()
        finally:
            client.close()


@contextmanager
def _hold_lock(pipeline: dlt.Pipeline) -> Iterator[None]:
    """Dlt itself does not lock: two runs in one working directory would break each other's packages."""
    path = Path(pipeline.pipelines_dir) / f"{pipeline.pipeline_name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, timeout=0)
    try:
        lock.acquire()
    except Timeout as exc:
        raise AlreadyRunning(f"another run holds {path}; this one changed nothing") from exc
    try:
        yield
    finally:
        lock.release()


def _restore_state(pipeline: dlt.Pipeline) -> dict[str, Any]:
    """Load what is pending, then take the state from the destination, which alone knows what it holds.

    A local state may belong to a database that was deleted or swapped; its watermark would leave rows out. What cannot
    be loaded is let go: its state was never committed, so that its rows are read again.
    """
    if pipeline.has_pending_data:
        _load_pending(pipeline)
    with _loading(pipeline):
        pipeline.drop()
        pipeline.sync_destination()
    sources: dict[str, Any] = pipeline.state.get("sources", {})
    resources: dict[str, Any] = sources.get("cogny", {}).get("resources", {})
    return resources


def _load_pending(pipeline: dlt.Pipeline) -> None:
    try:
        with _loading(pipeline):
            if _follows_destination(pipeline):
                logger.info("loading what an earlier run left pending")
                pipeline.run()
                return
        logger.warning("what an earlier run left pending is of another state of the destination; it is read again")
    except LoadFailed as error:
        logger.warning("%s; what an earlier run left pending is read again", error)


def _follows_destination(pipeline: dlt.Pipeline) -> bool:
    """Whether the pending package was made from the state that the destination holds.

    Each package raises the state's version by one at most. A database that was deleted, or restored from a backup, is
    further behind, and the package's state would hide what it lacks.
    """
    with pipeline.destination_client() as client:
        if not isinstance(client, WithStateSync):
            return False
        stored = client.get_stored_state(pipeline.pipeline_name) if client.is_storage_initialized() else None
    version = stored.version if stored else 0
    return bool(pipeline.state["_state_version"] - version <= 1)


@contextmanager
def _loading(pipeline: dlt.Pipeline) -> Iterator[None]:
    try:
        yield
    except (PipelineStepFailed, DestinationException) as exc:
        cause = exc
        while cause.__cause__ is not None:
            cause = cause.__cause__  # type: ignore[assignment]
        where = f"pipeline {pipeline.pipeline_name} in {pipeline.working_dir}"
        # Around DuckDB's own words dlt guesses at credentials and the internet.
        text = str(cause).strip() or type(cause).__name__
        reason = text.splitlines()[0].rpartition("The actual reason given is: ")[2]
        raise LoadFailed(f"the destination refused a load: {reason} ({where})") from exc


@dataclass
class _Run:
    """One run of the loop."""

    pipeline: dlt.Pipeline
    client: Client
    settings: Settings
    plan: Plan
    state: dict[str, Any]
    names: list[str]
    progress: Progress | None
    stop: StopFlag

    def __post_init__(self) -> None:
        self.run_id = str(uuid.uuid4())
        self.started_at = datetime.now(UTC)
        self.runs: dict[str, ResourceRun] = {}
        self.readers: dict[str, Iterator[Chunk]] = {}
        for name in self.names:
            self._open(name)

    def execute(self) -> SyncResult:
        """Read and load until every resource is done."""
        while self.readers:
            chunks, error = self._read_chunks()
            if error is not None:
                self._end(error)
            self._load(chunks)
            if error is not None:
                raise error
        return SyncResult(self.run_id, tuple(self.runs.values()))

    def _open(self, name: str) -> None:
        state = claim_state(self.state.get(name, {}), self.settings.origin)
        run = ResourceRun(name, "", self.started_at)
        reading = Reading(
            self.client, ENDPOINTS[name], run.meter, lambda: self._after_page(run), self.settings.chunk_rows
        )
        run.mode = self.plan.mode(reading, state)
        run.updated_after_before = run.updated_after = state.get("updated_after")
        self.runs[name] = run
        self.readers[name] = read_resource(reading, state, self.plan)

    def _after_page(self, run: ResourceRun) -> None:
        if self.progress is not None:
            self.progress(run, self.client.limiter.remaining)
        self.stop.check()

    def _read_chunks(self) -> tuple[dict[str, Chunk], CognyError | None]:
        """The next chunk of each resource that is not done; or those before an error, and the error."""
        chunks: dict[str, Chunk] = {}
        for name in list(self.readers):
            try:
                chunk = next(self.readers[name])
            except CognyError as error:
                return chunks, error
            chunks[name] = chunk
            run = self.runs[name]
            for field in sorted(chunk.undeclared.keys() - run.undeclared.keys()):
                logger.warning("%s: %s fits no column; its values are kept in extra", name, field)
            run.undeclared.update(chunk.undeclared)
            run.count_loaded(chunk.tables)
            if chunk.state is not None:
                run.updated_after = chunk.state.get("updated_after")
            if chunk.last:
                run.finish("done", datetime.now(UTC))
                del self.readers[name]
        return chunks, None

    def _end(self, error: CognyError) -> None:
        status = "stopped" if isinstance(error, Stopped) else "failed"
        for name in self.readers:
            self.runs[name].finish(status, datetime.now(UTC), str(error))
        self.readers.clear()

    def _load(self, chunks: dict[str, Chunk]) -> None:
        runs = None if self.readers else build_runs_table(self.run_id, list(self.runs.values()))
        with _loading(self.pipeline):
            self.pipeline.run(make_chunk_source(chunks, runs), loader_file_format="parquet")
        for name, chunk in chunks.items():
            logger.info("%s: %d rows loaded, updated_after %s", name, chunk.rows, self.runs[name].updated_after)
