"""The list of runs, each with its resources: what `sync_runs` and the journal hold of them, whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from cogny_source.destinations.session import DestinationSession
from cogny_source.monitoring.run_history import DONE, KILLED, RUNNING, STOPPED, read_journal
from cogny_source.schema import RESOURCE_TABLES, SYNC_RUNS

# The status of a run is the first of these that one of its resources has.
BY_WEIGHT = (RUNNING, KILLED, "failed", STOPPED, "unknown", DONE)
# What a run adds up from its resources.
SUMS = ("rows", "requests", "retries", "throttled", "waited_seconds")
INTERNAL = ("run_id", "_dlt_load_id")
JSON = [column.name for column in SYNC_RUNS.columns if column.type == "json"]
Record = Mapping[str, Any]


@dataclass(frozen=True)
class RunTotal:
    """One run with all its resources; instants are UTC.

    Attributes:
        run_id: The run's id.
        records: The row of `sync_runs` of each resource, in the order of the resources.
    """

    run_id: str
    records: tuple[Record, ...]

    @property
    def started_at(self) -> datetime:
        """The beginning of its first resource."""
        began: datetime = min(record["started_at"] for record in self.records)
        return began

    @property
    def finished_at(self) -> datetime | None:
        """The end of its last resource; None if one has none."""
        ends = [record["finished_at"] for record in self.records]
        return None if None in ends else max(ends)

    @property
    def seconds(self) -> float | None:
        """Its duration in seconds; None without an end."""
        return None if self.finished_at is None else (self.finished_at - self.started_at).total_seconds()

    @property
    def status(self) -> str:
        """The worst status of its resources."""
        known = [record["status"] if record["status"] in BY_WEIGHT else "unknown" for record in self.records]
        return min(known, key=BY_WEIGHT.index)

    @property
    def errors(self) -> tuple[str, ...]:
        """The sentences of its errors, each once."""
        return tuple(dict.fromkeys(record["error"] for record in self.records if record["error"]))

    def total(self, name: str) -> float:
        """The sum of a column of `sync_runs` over its resources; nulls count as 0."""
        return sum(record[name] or 0 for record in self.records)

    def as_dict(self) -> dict[str, Any]:
        """The run as JSON values; instants as ISO 8601."""
        return {
            "run_id": self.run_id,
            "status": self.status,
            "started_at": _dump(self.started_at),
            "finished_at": _dump(self.finished_at),
            "seconds": self.seconds,
            **{name: self.total(name) for name in SUMS},
            "errors": list(self.errors),
            "resources": [self.describe(record) for record in self.records],
        }

    @staticmethod
    def describe(record: Record) -> dict[str, Any]:
        """A resource's record as JSON values, without what its run tells."""
        known = {name: value for name, value in record.items() if name not in INTERNAL}
        return {name: orjson.loads(value) if value and name in JSON else _dump(value) for name, value in known.items()}


def read_runs(
    destination: DestinationSession,
    journal: Path | None = None,
    *,
    running: bool = False,
    most: int = 20,
    failed: bool = False,
    run_id: str = "",
) -> list[RunTotal]:
    """The last runs, newest first.

    Args:
        destination: The destination, with or without records.
        journal: The folder of run records that are not loaded yet; None without one.
        running: Whether a run is active.
        most: The most runs.
        failed: Leave out runs that are done or active.
        run_id: The beginning of the id of the runs; of any if empty.

    Raises:
        LoadFailed: If the destination does not answer.
    """
    known = [record for record in read_journal(journal, running=running) if record["run_id"].startswith(run_id)]
    # A run that was killed between its last load and the removal of its journal is in both.
    loaded = _read_table(destination, most, failed=failed, run_id=run_id)
    by_key = {(record["run_id"], record["resource"]): record for record in (*known, *loaded)}
    runs = _group(by_key.values())
    kept = [run for run in runs if not failed or run.status not in (DONE, RUNNING)]
    return kept[:most]


def _group(records: Iterable[Record]) -> list[RunTotal]:
    places = {name: place for place, name in enumerate(RESOURCE_TABLES)}
    known = sorted(records, key=lambda record: places.get(record["resource"], len(places)))
    runs: dict[str, list[Record]] = {}
    for record in known:
        runs.setdefault(record["run_id"], []).append(record)
    totals = [RunTotal(run_id, tuple(parts)) for run_id, parts in runs.items()]
    return sorted(totals, key=lambda run: (run.started_at, run.run_id), reverse=True)


def _read_table(destination: DestinationSession, most: int, *, failed: bool, run_id: str) -> list[Record]:
    """All rows of the last runs; a table of an earlier version may lack columns."""
    there = destination.read_columns(SYNC_RUNS.name)
    names = [column.name for column in SYNC_RUNS.columns if column.name in there]
    if "started_at" not in names:
        return []
    found = destination.query_or_empty(_make_query(names, most, failed=failed, run_id=run_id))
    missing = dict.fromkeys(column.name for column in SYNC_RUNS.columns)
    return [missing | dict(zip(names, map(_to_utc, row), strict=True)) for row in found]


def _make_query(names: list[str], most: int, *, failed: bool, run_id: str) -> str:
    """The query; `rows` is reserved in BigQuery and must be qualified."""
    wrong = f"coalesce(r.status, '') <> '{DONE}'" if "status" in names else "TRUE"
    having = f" HAVING max(CASE WHEN {wrong} THEN 1 ELSE 0 END) = 1" if failed else ""
    return (
        f"SELECT {', '.join(f'r.{name}' for name in names)} FROM {SYNC_RUNS.name} AS r WHERE r.started_at IS NOT NULL"
        f" AND r.run_id IN (SELECT last.run_id FROM (SELECT r.run_id, min(r.started_at) AS began"
        f" FROM {SYNC_RUNS.name} AS r WHERE r.started_at IS NOT NULL AND starts_with(r.run_id, '{run_id}')"
        f" GROUP BY r.run_id{having} ORDER BY began DESC, r.run_id DESC LIMIT {most}) AS last)"
    )


def _to_utc(value: Any) -> Any:
    return value.astimezone(UTC) if isinstance(value, datetime) else value


def _dump(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
