"""The resumable loop: read a chunk of each resource, load it with its state, and again until all is in."""

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
from cogny_source.destinations.dlt_internals import find_capabilities_once
from cogny_source.destinations.registry import check_supported, open_session
from cogny_source.engine.account import check_account
from cogny_source.engine.address_space import check_address_space, read_limit
from cogny_source.engine.cancellation import CancelToken
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
from cogny_source.extract.state import claim_state
from cogny_source.records.chunk import Chunk
from cogny_source.records.package import Package
from cogny_source.settings import Settings, parse_date, resolve_settings
from cogny_source.windows import Window

logger = logging.getLogger(__name__)

# After a signal, answers that are under way are waited for so long, and then cut off.
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
        settings: The settings; from dlt's configuration where not given.
        resources: The resources to sync; all where not given.
        start_date: Rows created before it are left out; wins over the setting.
        end_date: With it, only rows created in `[start_date, end_date)` are read, and no watermark moves.
        full_refresh: Read everything again; old rows stay until the new ones are in.
        census: When to hold all that the API lists against the destination, to mark deleted rows and to bring rows
            that are missing: `auto` does where the counts of both sides differ.
        verify: Compare the destination with the API afterwards, row for row; see `ResourceRun.tally.differences`.
        accept_deletions: Let a census mark however many rows the API no longer lists; else more than a tenth of a
            table's rows end the run with `MassDeletion`, and nothing is marked.
        progress: Told of each page, wait and load.
        stop: Set from a signal handler to stop after the page in hand.

    Returns:
        What was done with each resource.

    Raises:
        ConfigError: If what is asked for cannot be, or the destination would hold rows twice.
        AlreadyRunning: If another run works in the same working directory.
        LoadFailed: If the destination refuses a load package, or another process keeps holding it.
        Stopped: If `stop` was set; what was complete is loaded.
        CognyError: Whatever ended the reading; what was complete before it is loaded.
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
    with hold_lock(Path(pipeline.pipelines_dir), pipeline.pipeline_name), find_capabilities_once(pipeline):
        reading = stop.follow()
        progress = progress or Silence()
        client = make_client(settings, Timing(sleep=reading.sleep, on_wait=progress.wait, check=stop.check))
        try:
            with stop.follow().call_after(PAGE_IN_HAND_SECONDS, client.hang_up):
                return _Run(pipeline, client, settings, plan, names, progress, stop, reading).execute()
        finally:
            client.close()


def _make_plan(
    settings: Settings, start_date: str | datetime | None, end_date: str | datetime | None, **asked: Any
) -> Plan:
    begin = parse_date(start_date, "start_date") or settings.start_date
    end = parse_date(end_date, "end_date")
    if begin and end and begin >= end:
        raise ConfigError("end_date must be later than start_date")
    if end and (asked["census"] == "always" or asked["verify"]):
        raise ConfigError("census and verify look at whole tables: leave end_date out")
    return make_plan(settings, start_date=begin, window=Window(begin, end) if end else None, **asked)


@dataclass
class _Run:
    """One run of the loop; `reading` ends its readers, with `stop` or before it."""

    pipeline: dlt.Pipeline
    client: HttpClient
    settings: Settings
    plan: Plan
    names: list[str]
    progress: Progress
    stop: CancelToken
    reading: CancelToken

    def __post_init__(self) -> None:
        self.run_id = str(uuid.uuid4())
        started_at = datetime.now(UTC)
        self.runs = {name: ResourceRun(name, "", started_at) for name in self.names}
        self.readers: dict[str, Iterator[Chunk]] = {}
        self.readings: list[ReadContext] = []
        self.knows_account = False
        self.waiting: dict[str, Chunk] = {}
        self.error: CognyError | None = None
        self.recorded = False
        self.ahead = Prefetcher(len(self.names), self.reading)
        folder = Path(self.pipeline.pipelines_dir) / f"{self.pipeline.pipeline_name}.runs"
        self.journal = Journal(folder, self.run_id)
        self.destination = open_session(self.pipeline, self.settings.destination_wait_seconds, self.stop.sleep)
        self.loader = self.destination.adapter.make_loader(self.destination)
        self.ledger = StateStore(self.destination, self.loader, self.names)

    def execute(self) -> SyncResult:
        """Read and load until every resource is done."""
        self.journal.write(list(self.runs.values()))
        try:
            self.ledger.open()
            with self.ahead:
                for name in self.names:
                    self._open(name)
                while self.readers:
                    self._take_turn()
        except ConfigError:
            self.journal.discard()
            raise
        except CognyError as error:
            if not self.recorded:
                self._give_up("stopped" if isinstance(error, Stopped) else "failed", str(error))
            raise
        finally:
            self._note_unforeseen(sys.exception())
        return SyncResult(self.run_id, tuple(self.runs.values()))

    def _note_unforeseen(self, error: BaseException | None) -> None:
        """Note that the run ended with an error that nobody foresaw: it did not end without a word, as after a kill."""
        if self.recorded or isinstance(error, CognyError) or not isinstance(error, Exception):
            return
        self._give_up("failed", f"nobody foresaw this: {describe_unforeseen(error)}")

    def _open(self, name: str) -> None:
        state = claim_state(self.ledger.states.get(name, {}), self.settings.origin)
        run, endpoint = self.runs[name], ENDPOINTS[name]
        run.mode = choose_mode(endpoint, state, self.plan)
        run.updated_after_before = run.updated_after = state.get("updated_after")
        reading = ReadContext(
            self.client,
            endpoint,
            run.meter,
            lambda: self._after_page(run),
            self.settings.chunk_rows,
            history=self.settings.history,
            tally=run.tally,
            workers=self.settings.workers,
            requests_per_minute=lambda: self.client.limiter.requests_per_minute,
            spare_requests=lambda: self.client.limiter.spare,
            sleep=self.reading.sleep,
        )
        self.readings.append(reading)
        self.readers[name] = sync_resource(reading, state, self.plan, self.destination, self.ahead)

    def _after_page(self, run: ResourceRun) -> None:
        self.progress.read(run, self.client.limiter.remaining)
        self.reading.check()

    def _take_turn(self) -> None:
        """Read a chunk of each resource and load them; a chunk of state alone waits for rows to go with."""
        self._read_chunks()
        self._check_account()
        if self.readers and not any(chunk.tables for chunk in self.waiting.values()):
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
        """Fetch the next chunk of each resource that is not done; after an error, what the others have by then."""
        for name in list(self.readers):
            try:
                self._take_chunk(name, next(self.readers[name]))
            except CognyError as error:
                self._end(name, error)

    def _take_chunk(self, name: str, chunk: Chunk) -> None:
        held = self.waiting.get(name, Chunk())
        self.waiting[name] = replace(chunk, state=held.state if chunk.state is None else chunk.state)
        run = self.runs[name]
        for field in run.undeclared.take(chunk.undeclared):
            logger.warning("%s: %s fits no column; its values are kept in extra", name, field)
        run.count_loaded(chunk.tables)
        if chunk.last:
            self._tell_others(run)
            run.finish("done", datetime.now(UTC))
            del self.readers[name]

    def _tell_others(self, run: ResourceRun) -> None:
        """Sum up the undeclared fields that were not told of one by one."""
        others = run.undeclared.describe_others(run.undeclared.told)
        if others is not None:
            logger.warning("%s: … and %s (see undeclared_fields in sync_runs)", run.resource, others)

    def _end(self, name: str, error: CognyError) -> None:
        """Note how a resource ended; the first error is the run's, and lets the others end with what they have."""
        self._tell_others(self.runs[name])
        self.error = self.error or error
        if not isinstance(error, MassDeletion):  # which a person is asked about, maybe for days
            self.reading.set(0)
        stopped = isinstance(error, Stopped)
        self.runs[name].finish(
            "stopped" if stopped else "failed", datetime.now(UTC), str(self.error if stopped else error)
        )
        del self.readers[name]

    def _give_up(self, status: str, sentence: str) -> None:
        """Note for each resource that has not failed itself how the run ended."""
        for run in self.runs.values():
            if run.error is None:
                run.finish(status, datetime.now(UTC), sentence)
        self.journal.write(list(self.runs.values()))

    def _check_account(self) -> None:
        """Before the first load, when the first pages of each resource have come, see whose rows they are."""
        if not self.knows_account and (self.error is None or any(chunk.tables for chunk in self.waiting.values())):
            check_account(self.readings, self.ledger.states, self.destination)
            self.knows_account = True

    def _load(self) -> None:
        runs = list(self.runs.values())
        with self.destination.connect():
            self.ledger.lower_to_other_writers(self.waiting)
            self.journal.write(runs)
            turn = self.ledger.next_token(self.run_id)
            table = None if self.readers else self.journal.read_table()
            package = Package(self.waiting, turn, table, self.settings.history)
            self.progress.load(sum(chunk.rows for chunk in self.waiting.values()))
            for name, chunk in self.waiting.items():
                if chunk.rows and self.runs[name].rows_before is None:
                    self.runs[name].rows_before = self.destination.count_rows(name)
            self.ledger.note(self.loader.load(package), package)
            self.progress.loaded(runs)
        if not self.readers:
            self.journal.clear()
            self.recorded = True
        for name, run in self.runs.items():
            run.updated_after = self.ledger.states.get(name, {}).get("updated_after")
            chunk = self.waiting.get(name, Chunk())
            if chunk.rows:
                logger.info("%s: %d rows loaded, updated_after %s", name, chunk.rows, run.updated_after)
            elif chunk.last and not run.rows_loaded[name]:
                logger.info("%s: nothing new, updated_after %s", name, run.updated_after)
        self.waiting = {}
