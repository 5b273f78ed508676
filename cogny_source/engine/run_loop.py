"""The resumable loop: reads a chunk of each resource and loads them with their states, until all resources are done."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from cogny_source.api.pagination import Getter
from cogny_source.destinations.adapter import PackageLoader
from cogny_source.destinations.reader import DestinationReader
from cogny_source.engine.account import check_account
from cogny_source.engine.cancellation import CancelToken
from cogny_source.engine.contents import MODE, Check, ContentStore, sync_contents
from cogny_source.engine.field_report import FieldReport
from cogny_source.engine.prefetch import Prefetcher
from cogny_source.engine.progress import Progress
from cogny_source.engine.resource import sync_resource
from cogny_source.engine.run_journal import Journal
from cogny_source.engine.run_record import ResourceRun, SyncResult
from cogny_source.engine.state_store import StateStore
from cogny_source.errors import CognyError, ConfigError, LoadFailed, MassDeletion, Stopped, describe_unforeseen
from cogny_source.extract.content_rows import CONTENTS
from cogny_source.extract.content_state import NEVER, begin_contents
from cogny_source.extract.context import ReadContext
from cogny_source.extract.endpoints import Endpoint
from cogny_source.extract.plan import Plan
from cogny_source.extract.resource import choose_mode
from cogny_source.extract.state import claim_state, inherit_start_date
from cogny_source.formatting import count, second
from cogny_source.log_fields import fields
from cogny_source.records.chunk import Chunk
from cogny_source.records.package import Package
from cogny_source.schema import REPORTS, RESOURCE_TABLES
from cogny_source.settings import Settings
from cogny_source.timestamps import parse_instant

logger = logging.getLogger(__name__)


class Budget(Protocol):
    """What is left of the rate limit; None where no header says so."""

    @property
    def requests_per_minute(self) -> float | None:
        """The rate limit."""

    @property
    def spare(self) -> int | None:
        """Requests that the present window still allows, less a reserve."""

    @property
    def remaining(self) -> int | None:
        """Requests left in the present window."""


class Client(Getter, Protocol):
    """Sends requests at a pace: an `HttpClient`, or an API in memory."""

    @property
    def limiter(self) -> Budget:
        """Its pace."""


@dataclass
class Run:
    """One run of the loop; it reads and writes through its parts alone.

    Attributes:
        run_id: Its id in `sync_runs`.
        client: Sends the requests.
        settings: The settings for reading.
        plan: What to do with each resource.
        endpoints: The resources, by name.
        progress: Observes the run.
        reader_token: Stops the readers.
        destination: Reads the destination.
        loader: Loads into it.
        state_store: The states in it.
        journal: Records the run.
        prefetch: Reads ahead.
        contents: The tables of the contents of reports; None where the run leaves them alone.
        check_contents: Checks them at the end of the run; None for no check.
        context_options: Members of `ReadContext` in place of its defaults.
    """

    run_id: str
    client: Client
    settings: Settings
    plan: Plan
    endpoints: Mapping[str, Endpoint]
    progress: Progress
    reader_token: CancelToken
    destination: DestinationReader
    loader: PackageLoader
    state_store: StateStore
    journal: Journal
    prefetch: Prefetcher
    contents: ContentStore | None = None
    check_contents: Check | None = None
    context_options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.names = list(self.endpoints)
        started_at = datetime.now(UTC)
        recorded = [*self.names, CONTENTS] if self._fetches_contents else self.names
        self.runs = {name: ResourceRun(name, "", started_at) for name in recorded}
        self.readers: dict[str, Iterator[Chunk]] = {}
        self.contexts: list[ReadContext] = []
        self.knows_account = False
        self.pending: dict[str, Chunk] = {}
        self.error: CognyError | None = None
        self.recorded = False
        self.field_reports = {name: FieldReport(self.destination, run) for name, run in self.runs.items()}

    def execute(self) -> SyncResult:
        """Read and load until every resource is done."""
        self.journal.write(list(self.runs.values()))
        try:
            self.state_store.open()
            with self.prefetch:
                for name in self.names:
                    self._open(name)
                if self.contents is not None:
                    self._open_contents(self.contents)
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
        self._end_run("failed", f"an unexpected error: {describe_unforeseen(error)}")

    def _open(self, name: str) -> None:
        state = claim_state(self.state_store.states.get(name, {}), self.settings.origin)
        run, endpoint = self.runs[name], self.endpoints[name]
        if not endpoint.whole:
            state = inherit_start_date(state, self.state_store.states.values())
        run.mode = choose_mode(endpoint, state, self.plan)
        run.updated_after_before = run.updated_after = state.get("updated_after")
        context = self._make_context(run, endpoint)
        self.contexts.append(context)
        self.readers[name] = sync_resource(context, state, self.plan, self.destination, self.prefetch)

    @property
    def _fetches_contents(self) -> bool:
        return self.contents is not None and self.settings.contents != NEVER

    def _open_contents(self, contents: ContentStore) -> None:
        """Prepare the contents of reports, whose reader is the last to start."""
        state = self.state_store.states.get(CONTENTS, {})
        begun = begin_contents(state, self.settings, datetime.now(UTC))
        if begun is not None:
            self.pending[CONTENTS] = Chunk(state=begun)
        if not self._fetches_contents:
            return
        run = self.runs[CONTENTS]
        run.mode = MODE
        self.readers[CONTENTS] = sync_contents(
            self._make_context(run, self.endpoints[REPORTS.name]),
            begun or state,
            contents,
            self.settings.contents_per_run,
            self.prefetch,
            lambda name: self.pending.get(name, Chunk()),
            begins=begun is not None,
            check=self.check_contents,
        )

    def _make_context(self, run: ResourceRun, endpoint: Endpoint) -> ReadContext:
        return ReadContext(
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
            **self.context_options,
        )

    def _after_page(self, run: ResourceRun) -> None:
        self.progress.read(run, self.client.limiter.remaining)
        self.reader_token.check()

    def _load_next_chunks(self) -> None:
        """Read a chunk of each resource and load them; chunks that have only states wait for rows."""
        for name in [name for name in self.readers if name != CONTENTS]:
            self._read_chunk(name)
        try:
            with self._connected_for_contents():
                if list(self.readers) == [CONTENTS]:
                    self._read_contents()
                self._check_account()
                if self.readers and not any(chunk.tables for chunk in self.pending.values()):
                    return
                self._load()
        except LoadFailed as failure:
            if self.error is None:
                raise
            self.readers.clear()
            logger.warning("%s", failure)
        if self.error is not None and not self.readers:
            raise self.error

    def _connected_for_contents(self) -> AbstractContextManager[Any]:
        """Connect once for the question what is to be fetched, which takes no request, and for the load after it."""
        is_next = list(self.readers) == [CONTENTS] and self.runs[CONTENTS].counts.unexplained_rows is None
        return self.destination.connect() if is_next else nullcontext()

    def _read_contents(self) -> None:
        """Take the next chunk of the contents, unless a resource failed."""
        if self.error is None or isinstance(self.error, MassDeletion):
            self._read_chunk(CONTENTS)
            return
        self.runs[CONTENTS].finish("stopped", datetime.now(UTC), str(self.error))
        del self.readers[CONTENTS]

    def _read_chunk(self, name: str) -> None:
        """Take the next chunk of a resource; after an error, what the others have so far."""
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
                    self.runs[name].rows_before = self.destination.count_rows(RESOURCE_TABLES[name])
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
    what = f"{count(rows, 'row')} loaded" if rows else "nothing new"
    until = f", up to date as of {second(parse_instant(run.updated_after))}" if run.updated_after else ""
    values = fields(resource=run.resource, rows=rows, updated_after=run.updated_after)
    logger.info("%s: %s%s", run.resource, what, until, extra=values)
