"""The context of reading a resource, and the row counts of both sides."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cogny_source.api.meter import Meter
from cogny_source.api.pagination import Getter
from cogny_source.extract.endpoints import Endpoint
from cogny_source.extract.pool import OpenPool, ThreadPool


@dataclass(frozen=True)
class Difference:
    """A row that differs between API and destination.

    Attributes:
        table: The table; a child table's rows differ by parent.
        key: The row's key.
        kind: `missing`, `differs`, `not listed`, `marked deleted, but listed`, `there more than once`,
            `without a parent`.
        columns: The differing columns, for the first rows.
        fresh: Whether the row changed after the sync had read it; the next sync loads it.
    """

    table: str
    key: str
    kind: str
    columns: tuple[str, ...] = ()
    fresh: bool = False


@dataclass
class RowCounts:
    """The row counts of a resource on both sides, and what a sync found out about them.

    Attributes:
        api_rows: The API's count, filtered by `start_date` alone; None if it does not count.
        taken_at: The server's clock at that count (UTC).
        sample: Key and `updated_at` of a row listed before the resource was read; None without such a row.
        newest_change: The newest `updated_at` at that time (UTC); None if the row was not the newest.
        live_rows: The destination's rows that are not marked deleted; None if not counted.
        undated_rows: Live rows without `created_at`.
        unchanged_rows: Rows read again, in the version that the destination already had.
        unexplained_rows: How many more rows the API counts than the destination; None if it does not count.
        deleted_rows: Rows that a census marked deleted; None if no census was completed.
        differences: The result of a verification; None without one.
        digests: For a full-table list: each row's digest by key.
        list_digest: For a full-table list: the digest of all rows.
        unlisted_rows: For a full-table list: live rows of the destination that it lacks.
        corrections: Corrected rows, by kind of error.
        compared_rows: Rows compared with the API, without those that changed.
        compared_since: The oldest comparison of any row with the API (UTC).
        left_out: For contents of reports: those that no run fetches, if they were counted.
        rows_a_minute: For contents of reports: how many were fetched a minute; None if none were.
    """

    api_rows: int | None = None
    taken_at: datetime | None = None
    sample: tuple[str, datetime] | None = None
    newest_change: datetime | None = None
    live_rows: int | None = None
    undated_rows: int = 0
    unchanged_rows: int = 0
    unexplained_rows: int | None = None
    deleted_rows: int | None = None
    differences: tuple[Difference, ...] | None = None
    digests: dict[str, str] = field(default_factory=dict)
    list_digest: str | None = None
    unlisted_rows: int = 0
    corrections: Counter[str] = field(default_factory=Counter)
    compared_rows: int = 0
    compared_since: datetime | None = None
    left_out: int = 0
    rows_a_minute: int | None = None

    def correct(self, kind: str, rows: int) -> None:
        """Record corrected rows."""
        if rows:
            self.corrections[kind] += rows

    def take(self, api_rows: int | None, taken_at: datetime | None) -> None:
        """Record a count of the API."""
        self.api_rows, self.taken_at = api_rows, taken_at

    def unexplained(self, live: int, settled: int, counted_before: int | None = None) -> int | None:
        """How many more rows the API counts than the destination holds; negative if it counts fewer.

        Args:
            live: The destination's live rows.
            settled: Live rows that were not created after the API's count; its count may include the others or not.
            counted_before: The API's count before the resource was read, if this one was taken afterwards. If both
                are equal, nothing changed, and no row explains a difference.
        """
        if self.api_rows is None:
            return None
        if self.api_rows == counted_before:
            return self.api_rows - live
        return self.api_rows - min(max(self.api_rows, settled), live)


@dataclass(frozen=True)
class ReadContext:
    """The context of reading a resource.

    Attributes:
        client: Sends the requests.
        endpoint: The list.
        meter: Counts requests, pages and rows.
        after_page: Called after each page; raises `Stopped` if a signal stopped the run.
        chunk_rows: About how many rows make a chunk.
        history: Whether each version goes into the table of versions.
        counts: The row counts.
        workers: The most parallel readers.
        requests_per_minute: The rate limit; None for no limit.
        spare_requests: Requests that the present window still allows; None for no limit.
        sleep: Waits that many seconds; may raise `Stopped`.
        now: This machine's clock (UTC).
        stopwatch: Monotonic seconds, for the duration of an answer.
        open_pool: Opens the pool of parallel readers.
    """

    client: Getter
    endpoint: Endpoint
    meter: Meter
    after_page: Callable[[], None]
    chunk_rows: int
    history: bool = False
    counts: RowCounts = field(default_factory=RowCounts)
    workers: int = 1
    requests_per_minute: Callable[[], float | None] = lambda: None
    spare_requests: Callable[[], int | None] = lambda: None
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    stopwatch: Callable[[], float] = time.perf_counter
    open_pool: OpenPool = ThreadPool
