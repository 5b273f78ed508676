"""What a run did with each resource: the summary's figures and the rows of `sync_runs`."""

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
        mode: What was done; see the column of `sync_runs`.
        started_at: When the run began (UTC).
        meter: What its requests cost.
        tally: What the API and the destination count.
        rows_loaded: Table name to rows that were loaded, one a key and chunk.
        rows_before: The rows of its table before the run loaded any, and of those the ones marked deleted; None where
            it loaded none.
        undeclared: Dotted name of each field kept in `extra`, and in how many rows; of very many those that came most.
        updated_after_before: The watermark before, as the state holds it.
        updated_after: The watermark now.
        status: `done`, `failed` or `stopped`; `running` until then.
        error: The sentence it ended with.
        finished_at: When it was done (UTC).
    """

    resource: str
    mode: str
    started_at: datetime
    meter: Meter = field(default_factory=Meter)
    tally: RowCounts = field(default_factory=RowCounts)
    rows_loaded: Counter[str] = field(default_factory=Counter)
    rows_before: tuple[int, int] | None = None
    undeclared: Undeclared = field(default_factory=Undeclared)
    updated_after_before: str | None = None
    updated_after: str | None = None
    status: str = "running"
    error: str | None = None
    finished_at: datetime | None = None

    def count_loaded(self, tables: Mapping[str, pa.Table]) -> None:
        """Count a chunk's rows; a child table's tombstones are none."""
        for name, table in tables.items():
            tombstones = len(table) - table[TOMBSTONE].null_count if TOMBSTONE in table.column_names else 0
            self.rows_loaded[name] += len(table) - tombstones

    def finish(self, status: str, now: datetime, error: str | None = None) -> None:
        """Note how the resource ended."""
        self.status, self.finished_at, self.error = status, now, error


@dataclass(frozen=True)
class SyncResult:
    """What a sync did.

    Attributes:
        run_id: The run's id in `sync_runs`.
        resources: One entry a resource.
    """

    run_id: str
    resources: tuple[ResourceRun, ...]


def build_rows(run_id: str, runs: Sequence[ResourceRun]) -> list[dict[str, Any]]:
    """The rows of `sync_runs` for a run."""
    return [_build_row(run_id, run) for run in runs]


def _build_row(run_id: str, run: ResourceRun) -> dict[str, Any]:
    tally = run.tally
    faults = None if tally.differences is None else sum(not difference.fresh for difference in tally.differences)
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
        "api_rows": tally.api_rows,
        "live_rows": tally.live_rows,
        "unexplained_rows": tally.unexplained_rows,
        "deleted_rows": tally.deleted_rows,
        "differences": faults,
        "compared_rows": tally.compared_rows,
        "compared_since": tally.compared_since,
        "corrections": dump_json(dict(tally.corrections)) if tally.corrections else None,
        "updated_after_before": parse_instant(run.updated_after_before),
        "updated_after_after": parse_instant(run.updated_after),
        "undeclared_fields": run.undeclared.as_json(),
        "status": run.status,
        "error": run.error,
    }
