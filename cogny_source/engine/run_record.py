"""The record of a run: figures for each resource, as in the summary and in `sync_runs`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa

from cogny_source.api.meter import Meter
from cogny_source.extract.context import RowCounts
from cogny_source.records.columns import dump_json
from cogny_source.records.undeclared import Undeclared
from cogny_source.schema import TOMBSTONE
from cogny_source.timestamps import parse_instant


@dataclass
class ResourceRun:
    """One resource in one run.

    Attributes:
        resource: Its name.
        mode: How it was read; see the column of `sync_runs`.
        started_at: When the run began (UTC).
        meter: Requests, waits, pages and rows.
        counts: Row counts of the API and the destination, and the results of comparisons.
        rows_loaded: Table name to the number of rows loaded, one per key and chunk.
        rows_before: The rows of its table before the first load, and those of them marked deleted; None without a load.
        undeclared: Dotted name of each field kept in `extra`, to the number of rows that have it; the most frequent
            fields if there are very many.
        updated_after_before: The watermark before the run, as in the state.
        updated_after: The watermark now.
        status: `done`, `failed` or `stopped`; `running` until then.
        error: The error message.
        finished_at: When it was done (UTC).
    """

    resource: str
    mode: str
    started_at: datetime
    meter: Meter = field(default_factory=Meter)
    counts: RowCounts = field(default_factory=RowCounts)
    rows_loaded: Counter[str] = field(default_factory=Counter)
    rows_before: tuple[int, int] | None = None
    undeclared: Undeclared = field(default_factory=Undeclared)
    updated_after_before: str | None = None
    updated_after: str | None = None
    status: str = "running"
    error: str | None = None
    finished_at: datetime | None = None

    def count_loaded(self, tables: Mapping[str, pa.Table]) -> None:
        """Count the rows of a chunk, without tombstones."""
        for name, table in tables.items():
            tombstones = len(table) - table[TOMBSTONE].null_count if TOMBSTONE in table.column_names else 0
            self.rows_loaded[name] += len(table) - tombstones

    def finish(self, status: str, now: datetime, error: str | None = None) -> None:
        """Record how the resource ended.

        Args:
            status: `done`, `failed` or `stopped`.
            now: When it ended (UTC).
            error: The error message; None for `done`.
        """
        self.status, self.finished_at, self.error = status, now, error


@dataclass(frozen=True)
class SyncResult:
    """The result of a sync.

    Attributes:
        run_id: The run's id in `sync_runs`.
        resources: One entry per resource.
    """

    run_id: str
    resources: tuple[ResourceRun, ...]


def build_rows(run_id: str, runs: Sequence[ResourceRun]) -> list[dict[str, Any]]:
    """The rows of `sync_runs` for a run."""
    return [_build_row(run_id, run) for run in runs]


def _build_row(run_id: str, run: ResourceRun) -> dict[str, Any]:
    counts = run.counts
    faults = None if counts.differences is None else sum(not difference.fresh for difference in counts.differences)
    return {
        "run_id": run_id,
        "resource": run.resource,
        "mode": run.mode,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "requests": run.meter.requests,
        "retries": run.meter.retries,
        "throttled": run.meter.throttled,
        "waited_seconds": run.meter.waited_seconds,
        "pages": run.meter.pages,
        "rows": run.meter.rows,
        "total_count": run.meter.total_count,
        "api_rows": counts.api_rows,
        "live_rows": counts.live_rows,
        "unexplained_rows": counts.unexplained_rows,
        "deleted_rows": counts.deleted_rows,
        "differences": faults,
        "compared_rows": counts.compared_rows,
        "compared_since": counts.compared_since,
        "corrections": dump_json(dict(counts.corrections)) if counts.corrections else None,
        "updated_after_before": parse_instant(run.updated_after_before),
        "updated_after_after": parse_instant(run.updated_after),
        "undeclared_fields": run.undeclared.as_json(),
        "status": run.status,
        "error": run.error,
    }
