"""The resumable loop: reads a chunk of each resource and loads them with their states, until all resources are done."""

from __future__ import annotations

import logging
import sys
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dlt

from cogny_source.api.http_client import HttpClient, Timing, make_client
from cogny_source.destinations.dlt_internals import cache_capabilities
from cogny_source.destinations.registry import check_supported, open_session
from cogny_source.engine.account import check_account
from cogny_source.engine.address_space import check_address_space, read_limit
from cogny_source.engine.cancellation import CancelToken
from cogny_source.engine.field_report import FieldReport
from cogny_source.engine.prefetch import Prefetcher
from cogny_source.engine.progress import Progress, Silence
from cogny_source.engine.resource import sync_resource
from cogny_source.engine.run_journal import Journal
from cogny_source.engine.run_record import ResourceRun, SyncResult
from cogny_source.engine.state_store import StateStore
from cogny_source.engine.working_dir import hold_lock
from cogny_source.errors import CognyError, ConfigError, LoadFailed, MassDeletion, Stopped, describe_unforeseen
from cogny_source.extract.context import ReadContext
from cogny_source.extract.endpoints import ENDPOINTS, select_resources
from cogny_source.extract.plan import Census, Plan, make_plan
from cogny_source.extract.resource import choose_mode
from cogny_source.extract.state import claim_state, inherit_start_date
from cogny_source.formatting import second
from cogny_source.log_fields import common_fields, fields
from cogny_source.records.chunk import Chunk
from cogny_source.records.package import Package
from cogny_source.settings import Settings, parse_date, parse_start_date, resolve_settings
from cogny_source.timestamps import parse_instant
from cogny_source.windows import Window

logger = logging.getLogger(__name__)

# After a signal, open requests may finish for this long, and are then aborted.
PAGE_IN_HAND_SECONDS = 1.0


def sync(
    pipeline: dlt.Pipeline,
    settings: Settings | None = None,
    *,
    resources: Sequence[str] | None = None,
    start_date: str | datetime | None = None,
    end_date: str | datetime | None = None,
    full_refresh: bool = False,
    census: Census = "auto",
    verify: bool = False,
    accept_deletions: bool = False,
    progress: Progress | None = None,
    stop: CancelToken | None = None,
) -> SyncResult:
    """Bring the destination up to date, committing chunk by chunk.

    Args:
        pipeline: A dlt pipeline with its destination and dataset.
        settings: The settings; by default those of dlt's configuration.
        resources: The resources to sync; by default all.
        start_date: Rows created before it are left out; overrides the setting. The dataset keeps it: a run without one
            goes by the dataset's, an earlier one loads what lies between, and `all` loads everything.
        end_date: If given, only rows created in `[start_date, end_date)` are read, and no watermark moves.
        full_refresh: Read everything again; old rows stay until the new ones replace them.
        census: When to compare all rows that the API lists with the destination, to mark deleted rows and load missing
            ones: `auto` does so if the counts of both sides differ.
        verify: Compare the destination with the API afterwards, row for row; see `ResourceRun.counts.differences`.
        accept_deletions: Let a census mark any number of rows that the API no longer lists. By default, more than a
            tenth of a table's rows end the run with `MassDeletion`, and none is marked.
        progress: Called for each page, wait and load.
        stop: Set it from a signal handler to stop after the current page.

    Returns:
        The record of each resource.

    Raises:
        ConfigError: If the arguments contradict each other, or the destination is not supported.
        AlreadyRunning: If another run works in the same working directory.
        LoadFailed: If the destination refuses a load package, or another process does not unlock it in time.
        Stopped: If `stop` was set; complete chunks are loaded.
        CognyError: Any error that ended the reading; chunks that were complete before it are loaded.
    """
    check_address_space(read_limit())
    check_supported(pipeline)
    settings = settings or resolve_settings()
    plan = _make_plan(
        settings,
        start_date,
        end_date,
        full_refresh=full_refresh,
        census=census,
        verify=verify,
        accept_deletions=accept_deletions,
    )
    stop = stop or CancelToken()
    stop.check()
    names = select_resources(resources)
    with hold_lock(Path(pipeline.pipelines_dir), pipeline.pipeline_name), cache_capabilities(pipeline):
        reader_token = stop.linked()
        progress = progress or Silence()
        client = make_client(settings, Timing(sleep=reader_token.sleep, on_wait=progress.wait, check=stop.check))
        try:
            with stop.linked().call_after(PAGE_IN_HAND_SECONDS, client.hang_up):
                run = _Run(pipeline, client, settings, plan, names, progress, stop, reader_token)
                with common_fields(run_id=run.run_id):
                    return run.execute()
        finally:
            client.close()


def check_dates(
    start_date: str | datetime | None, end_date: str | datetime | None, *, compares_all: bool
) -> tuple[datetime | None, datetime | None]:
    """The beginning and the end of what is to be read, as `sync` takes them.

    Args:
        start_date: As for `sync`.
        end_date: As for `sync`.
        compares_all: Whether whole tables are compared afterwards.

    Raises:
        ConfigError: If one is no date, or they contradict each other or the comparison.
    """
    begin, end = parse_start_date(start_date), parse_date(end_date, "end_date")
    if begin and end and begin >= end:
        raise ConfigError("end_date must be later than start_date")
    if end and compares_all:
        raise ConfigError("census and verify compare whole tables: leave end_date out")
    return begin, end


def _make_plan(
    settings: Settings, start_date: str | datetime | None, end_date: str | datetime | None, **options: Any
) -> Plan:
    compares_all = options["census"] == "always" or options["verify"]
    begin, end = check_dates(start_date or settings.start_date, end_date, compares_all=compares_all)
    return make_plan(settings, start_date=begin, window=Window(begin, end) if end else None, **options)


@dataclass
class _Run:
    """One run of the loop. `reader_token` is linked to `stop`, and can stop the readers alone."""

    pipeline: dlt.Pipeline
    client: HttpClient
    settings: Settings
    plan: Plan
    names: list[str]
    progress: Progress
    stop: CancelToken
    reader_token: CancelToken

    def __post_init__(self) -> None:
        self.run_id = str(uuid.uuid4())
        started_at = datetime.now(UTC)
        self.runs = {name: ResourceRun(name, "", started_at) for name in self.names}
        self.readers: dict[str, Iterator[Chunk]] = {}
        self.contexts: list[ReadContext] = []
        self.knows_account = False
        self.pending: dict[str, Chunk] = {}
        self.error: CognyError | None = None
        self.recorded = False
        self.prefetch = Prefetcher(len(self.names), self.reader_token)
        folder = Path(self.pipeline.pipelines_dir) / f"{self.pipeline.pipeline_name}.runs"
        self.journal = Journal(folder, self.run_id)
        self.destination = open_session(self.pipeline, self.settings.destination_wait_seconds, self.stop.sleep)
        self.field_reports = {name: FieldReport(self.destination, run) for name, run in self.runs.items()}
        self.loader = self.destination.adapter.make_loader(self.destination)
        self.state_store = StateStore(self.destination, self.loader, self.names)

    def execute(self) -> SyncResult:
        """Read and load until every resource is done."""
        self.journal.write(list(self.runs.values()))
        assert self.pipeline.destination is not None
        place = f"{self.pipeline.destination.destination_name}, {self.pipeline.dataset_name}"
        logger.info("syncing %s of %s into %s", ", ".join(self.names), self.settings.base_url, place)
        try:
            self.state_store.open()
            with self.prefetch:
                for name in self.names:
                    self._open(name)
                while self.readers:
                    self._load_next_chunks()
        except ConfigError:
            self.journal.discard()
            raise
        except CognyError as error:
            if not self.recorded:
                self._end_run("stopped" if isinstance(error, Stopped) else "failed", str(error))
            raise
        finally:
            self._record_unforeseen(sys.exception())
        return SyncResult(self.run_id, tuple(self.runs.values()))

    def _record_unforeseen(self, error: BaseException | None) -> None:
        """Record an unforeseen error, so that the run does not count as killed."""
        if self.recorded or isinstance(error, CognyError) or not isinstance(error, Exception):
            return
        self._end_run("failed", f"nobody foresaw this: {describe_unforeseen(error)}")

    def _open(self, name: str) -> None:
        state = claim_state(self.state_store.states.get(name, {}), self.settings.origin)
        run, endpoint = self.runs[name], ENDPOINTS[name]
        if not endpoint.whole:
            state = inherit_start_date(state, self.state_store.states.values())
        run.mode = choose_mode(endpoint, state, self.plan)
        run.updated_after_before = run.updated_after = state.get("updated_after")
        context = ReadContext(
            self.client,
            endpoint,
            run.meter,
            lambda: self._after_page(run),
            self.settings.chunk_rows,
            history=self.settings.history,
            counts=run.counts,
            workers=self.settings.workers,
            requests_per_minute=lambda: self.client.limiter.requests_per_minute,
            spare_requests=lambda: self.client.limiter.spare,
            sleep=self.reader_token.sleep,
        )
        self.contexts.append(context)
        self.readers[name] = sync_resource(context, state, self.plan, self.destination, self.prefetch)

    def _after_page(self, run: ResourceRun) -> None:
        self.progress.read(run, self.client.limiter.remaining)
        self.reader_token.check()

    def _load_next_chunks(self) -> None:
        """Read a chunk of each resource and load them; chunks that have only states wait for rows."""
        self._read_chunks()
        self._check_account()
        if self.readers and not any(chunk.tables for chunk in self.pending.values()):
            return
        try:
            self._load()
        except LoadFailed as failure:
            if self.error is None:
                raise
            self.readers.clear()
            logger.warning("%s", failure)
        if self.error is not None and not self.readers:
            raise self.error

    def _read_chunks(self) -> None:
        """Take the next chunk of each unfinished resource; after an error, what the other resources have so far."""
        for name in list(self.readers):
            try:
                self._take_chunk(name, next(self.readers[name]))
            except CognyError as error:
                self._end_resource(name, error)

    def _take_chunk(self, name: str, chunk: Chunk) -> None:
        earlier = self.pending.get(name, Chunk())
        self.pending[name] = replace(chunk, state=earlier.state if chunk.state is None else chunk.state)
        run = self.runs[name]
        self.field_reports[name].observe(chunk)
        run.count_loaded(chunk.tables)
        if chunk.last:
            self.field_reports[name].finish()
            run.finish("done", datetime.now(UTC))
            del self.readers[name]

    def _end_resource(self, name: str, error: CognyError) -> None:
        """Record the error of a resource. The first error is the run's error and stops the other readers."""
        self.field_reports[name].finish()
        self.error = self.error or error
        if not isinstance(error, MassDeletion):  # waits for a person, perhaps for days: the other resources continue
            self.reader_token.set(0)
        stopped = isinstance(error, Stopped)
        self.runs[name].finish(
            "stopped" if stopped else "failed", datetime.now(UTC), str(self.error if stopped else error)
        )
        del self.readers[name]

    def _end_run(self, status: str, sentence: str) -> None:
        """Record the end of the run for each resource without an error of its own."""
        for run in self.runs.values():
            if run.error is None:
                run.finish(status, datetime.now(UTC), sentence)
        self.journal.write(list(self.runs.values()))

    def _check_account(self) -> None:
        """Check the account once, before the first load, when the first pages of each resource have arrived."""
        if not self.knows_account and (self.error is None or any(chunk.tables for chunk in self.pending.values())):
            check_account(self.contexts, self.state_store.states, self.destination)
            self.knows_account = True

    def _load(self) -> None:
        runs = list(self.runs.values())
        with self.destination.connect():
            self.state_store.lower_to_other_writers(self.pending)
            self.journal.write(runs)
            token = self.state_store.next_token(self.run_id)
            table = None if self.readers else self.journal.read_table()
            package = Package(self.pending, token, table, self.settings.history)
            self.progress.load(sum(chunk.rows for chunk in self.pending.values()))
            for name, chunk in self.pending.items():
                if chunk.rows and self.runs[name].rows_before is None:
                    self.runs[name].rows_before = self.destination.count_rows(name)
            self.state_store.record_load(self.loader.load(package), package)
            self.progress.loaded(runs)
        if not self.readers:
            self.journal.clear()
            self.recorded = True
        for name, run in self.runs.items():
            run.updated_after = self.state_store.states.get(name, {}).get("updated_after")
            chunk = self.pending.get(name, Chunk())
            if chunk.rows or (chunk.last and not run.rows_loaded[name]):
                _tell_loaded(run, chunk.rows)
        self.pending = {}


def _tell_loaded(run: ResourceRun, rows: int) -> None:
    what = f"{rows:,} rows loaded" if rows else "nothing new"
    until = f", up to date as of {second(parse_instant(run.updated_after))}" if run.updated_after else ""
    values = fields(resource=run.resource, rows=rows, updated_after=run.updated_after)
    logger.info("%s: %s%s", run.resource, what, until, extra=values)
