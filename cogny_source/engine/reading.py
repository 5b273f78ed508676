"""What every reading of a resource needs, and what the API counts meanwhile."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from cogny_source.api.client import Meter
from cogny_source.api.pages import Getter
from cogny_source.engine.endpoints import Endpoint


@dataclass(frozen=True)
class Difference:
    """A row that the destination does not hold as the API lists it.

    Attributes:
        table: The table; a child table's rows differ by parent.
        key: The row's key.
        kind: In which way: `missing`, `differs`, `not listed`, `marked deleted, but listed`, `there more than once`,
            `without a parent`.
        columns: The columns that differ, as far as they were looked for.
        fresh: Whether the row changed after the sync had read it; the next sync brings it.
    """

    table: str
    key: str
    kind: str
    columns: tuple[str, ...] = ()
    fresh: bool = False


@dataclass
class Tally:
    """How many rows of a resource there are, on both sides.

    Attributes:
        api_rows: The API's count without a filter, but for `start_date`; None where it does not say.
        taken_at: The server's clock when it counted (UTC).
        sample: Key and `updated_at` of a row that the API listed before the resource was read; None where none came.
        newest_change: The newest `updated_at` that there was then (UTC); None where the row that came was another.
        live_rows: The destination's rows that are not marked deleted; None where they were not counted.
        undated_rows: Those of them that have no `created_at`.
        unexplained_rows: By how many the API counts more than those; None where it does not count.
        deleted_rows: Rows that a census marked deleted; None where none was completed.
        differences: What a verification found; None where there was none.
        digests: Of a list that is read whole: each row's content by key.
        list_digest: Of such a list: the content of all rows.
        unlisted_rows: Of such a list: live rows of the destination that are not on it.
        corrections: Rows that were wrong and are mended, by the way in which they were.
        compared_rows: Rows that were held against the API, beyond those that changed.
        compared_since: Every row was held against the API, or read from it, at this instant or later (UTC).
    """

    api_rows: int | None = None
    taken_at: datetime | None = None
    sample: tuple[str, datetime] | None = None
    newest_change: datetime | None = None
    live_rows: int | None = None
    undated_rows: int = 0
    unexplained_rows: int | None = None
    deleted_rows: int | None = None
    differences: tuple[Difference, ...] | None = None
    digests: dict[str, str] = field(default_factory=dict)
    list_digest: str | None = None
    unlisted_rows: int = 0
    corrections: Counter[str] = field(default_factory=Counter)
    compared_rows: int = 0
    compared_since: datetime | None = None

    def correct(self, kind: str, rows: int) -> None:
        """Note that rows were wrong in one way, and are mended."""
        if rows:
            self.corrections[kind] += rows

    def take(self, api_rows: int | None, taken_at: datetime | None) -> None:
        """Note a count of the API."""
        self.api_rows, self.taken_at = api_rows, taken_at

    def unexplained(self, live: int, settled: int, counted_before: int | None = None) -> int | None:
        """By how many rows the API counts more than the destination holds; negative where it counts fewer.

        Args:
            live: The destination's live rows.
            settled: Those of them that were not created after the API counted; the rest may be in its count or not.
            counted_before: The API's count before the resource was read, if this one was taken afterwards. Where both
                are the same nothing moved, and no row explains a difference.
        """
        if self.api_rows is None:
            return None
        if self.api_rows == counted_before:
            return self.api_rows - live
        return self.api_rows - min(max(self.api_rows, settled), live)


@dataclass(frozen=True)
class Reading:
    """What every reading of a resource needs.

    Attributes:
        client: Sends the requests.
        endpoint: The list.
        meter: Counts what it costs.
        after_page: Called after each page; raises `Stopped` once a signal asked the run to stop.
        chunk_rows: About how many rows make a chunk.
        history: Whether each version read goes into the table of versions.
        tally: What the API counts.
        workers: How many readers there may be at a time.
        requests_per_minute: What the rate limit allows them together; None for no limit.
        spare_requests: How many more the rate limit's window allows now; None for no limit.
        sleep: Waits that many seconds; may raise `Stopped`.
    """

    client: Getter
    endpoint: Endpoint
    meter: Meter
    after_page: Callable[[], None]
    chunk_rows: int
    history: bool = False
    tally: Tally = field(default_factory=Tally)
    workers: int = 1
    requests_per_minute: Callable[[], float | None] = lambda: None
    spare_requests: Callable[[], int | None] = lambda: None
    sleep: Callable[[float], None] = time.sleep
