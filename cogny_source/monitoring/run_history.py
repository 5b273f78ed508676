"""The run history: the only reader of `sync_runs` and the journal."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import orjson

from cogny_source.destinations.session import DestinationSession
from cogny_source.engine.run_journal import Journal
from cogny_source.schema import RESOURCE_TABLES, SYNC_RUNS

RECENT_RUNS = 60
FAILURES_TOLD = 8
DONE, RUNNING, KILLED, STOPPED = "done", "running", "killed", "stopped"
RESET = "reset"
# Modes that do not bring a resource up to date.
NOT_OF_A_SYNC = ("window", RESET)
# How many older runs to read for each condition.
LANDMARKS = (
    ("status", f"coalesce(r.status, '') <> '{DONE}'", FAILURES_TOLD),
    ("mode", f"r.status = '{DONE}' AND coalesce(r.mode, '') NOT IN {NOT_OF_A_SYNC}", 1),
    ("unexplained_rows", "r.unexplained_rows IS NOT NULL", 1),
    ("deleted_rows", "r.deleted_rows IS NOT NULL", 1),
    ("differences", "r.differences IS NOT NULL", 1),
)
# Attributes whose column has another name.
COLUMNS = {"watermark": "updated_after_after"}


@dataclass(frozen=True)
class Run:
    """One resource in one run; instants are UTC.

    Attributes:
        run_id: The run's id.
        resource: The resource.
        mode: The mode, as in `sync_runs`.
        status: `done`, `failed`, `stopped`, `killed`, `running` or `unknown`.
        started_at: The beginning.
        finished_at: The end, if known.
        requests: Requests sent.
        retries: Retries.
        throttled: Answers with status 429.
        waited_seconds: Seconds waited for the rate limit and between retries.
        rows: Rows read.
        live_rows: Rows of the table that are not marked deleted; None if not counted.
        unexplained_rows: How many more rows the API counts; None if not counted.
        deleted_rows: Rows that its census marked; None without a census.
        differences: Rows that a verification found to differ; None without one.
        watermark: The watermark at its end.
        error: The error's sentence, unless it is done.
        undeclared_fields: Fields that no column declares, each to the number of rows that have it.
    """

    run_id: str
    resource: str
    mode: str | None
    status: str
    started_at: datetime
    finished_at: datetime | None = None
    requests: int = 0
    retries: int = 0
    throttled: int = 0
    waited_seconds: float = 0.0
    rows: int = 0
    live_rows: int | None = None
    unexplained_rows: int | None = None
    deleted_rows: int | None = None
    differences: int | None = None
    watermark: datetime | None = None
    error: str | None = None
    undeclared_fields: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Run:
        """A run from a record with `started_at`; missing values become None."""
        told = {item.name: record.get(COLUMNS.get(item.name, item.name)) for item in fields(cls)}
        known = {name: _to_utc(value) for name, value in told.items() if value is not None}
        if isinstance(text := known.get("undeclared_fields"), str):
            known["undeclared_fields"] = orjson.loads(text)
        return cls(**{"mode": None, "status": "unknown", **known})

    @property
    def is_of_a_sync(self) -> bool:
        """Whether its mode brings the resource up to date."""
        return self.mode not in NOT_OF_A_SYNC

    @property
    def brings_all(self) -> bool:
        """Whether the table has everything that the API had at its beginning."""
        return self.status == DONE and self.is_of_a_sync

    @property
    def seconds(self) -> float | None:
        """Its duration in seconds."""
        return None if self.finished_at is None else (self.finished_at - self.started_at).total_seconds()


@dataclass(frozen=True)
class RunHistory:
    """The runs of one resource.

    Attributes:
        runs: The last runs, oldest first, and older ones by `LANDMARKS`.
    """

    runs: tuple[Run, ...] = ()

    @property
    def ended(self) -> tuple[Run, ...]:
        """The runs that have ended."""
        return tuple(run for run in self.runs if run.status != RUNNING)

    @property
    def recent(self) -> tuple[Run, ...]:
        """The last ended runs, without a gap."""
        return self.ended[-RECENT_RUNS:]

    @property
    def last(self) -> Run | None:
        """The newest run."""
        return next(reversed(self.runs), None)

    @property
    def last_ended(self) -> Run | None:
        """The newest ended run."""
        return next(reversed(self.ended), None)

    @property
    def last_error(self) -> Run | None:
        """The newest failed run."""
        return next((run for run in reversed(self.ended) if run.status != DONE), None)

    @property
    def last_complete(self) -> Run | None:
        """The newest complete run."""
        return next((run for run in reversed(self.runs) if run.brings_all), None)

    @property
    def last_verified(self) -> Run | None:
        """The newest verified run."""
        return next((run for run in reversed(self.runs) if run.differences is not None), None)

    @property
    def last_census(self) -> Run | None:
        """The newest run with a census."""
        return next((run for run in reversed(self.runs) if run.deleted_rows is not None), None)

    @property
    def unexplained_rows(self) -> int | None:
        """How many more rows the API had at the last comparison of counts; None without one."""
        return next((run.unexplained_rows for run in reversed(self.runs) if run.unexplained_rows is not None), None)


@dataclass(frozen=True)
class Failure:
    """A failed run.

    Attributes:
        at: The beginning of the run (UTC).
        status: `failed`, `stopped` or `killed`.
        resources: The resources that failed.
        error: The error's sentence.
    """

    at: datetime
    status: str
    resources: tuple[str, ...]
    error: str


def read_histories(
    destination: DestinationSession, journal: Path | None = None, *, running: bool = False
) -> dict[str, RunHistory]:
    """The runs of each resource.

    Args:
        destination: The destination, with or without records.
        journal: The folder of run records that are not loaded yet; None without one.
        running: Whether a run is active.

    Raises:
        LoadFailed: If the destination does not answer.
    """
    pending = (Run.from_record(record) for record in read_journal(journal, running=running))
    runs = {(run.run_id, run.resource): run for run in pending}
    # A run that was killed between its last load and the removal of its journal is in both.
    runs |= {(run.run_id, run.resource): run for run in _read_table(destination)}
    ordered = sorted(runs.values(), key=lambda run: (run.started_at, run.run_id))
    return {name: RunHistory(tuple(run for run in ordered if run.resource == name)) for name in RESOURCE_TABLES}


def read_journal(folder: Path | None, *, running: bool) -> list[dict[str, Any]]:
    """The records of runs that were killed or failed before they loaded their record.

    Args:
        folder: The folder of the records; None without one.
        running: Whether a run is active: the newest record belongs to it.
    """
    if folder is None or not os.path.isdir(folder):  # also false without permission
        return []
    records = [record for record in Journal(folder, "").read_table().to_pylist() if record["started_at"]]
    present = max((record["started_at"] for record in records), default=None)
    for record in records:
        if running and record["status"] == KILLED and record["started_at"] == present:
            record |= {"status": RUNNING, "error": None, "finished_at": None}
    return records


def list_failures(histories: Iterable[RunHistory]) -> list[Failure]:
    """The last failed runs, newest first; resources of a run with the same error are one failure."""
    ended = [run for history in histories for run in history.ended if run.status != DONE]
    ended.sort(key=lambda run: (-run.started_at.timestamp(), run.run_id, run.error or "", run.resource))
    alike = groupby(ended, key=lambda run: (run.started_at, run.run_id, run.status, run.error or ""))
    told = [Failure(at, status, tuple(run.resource for run in runs), error) for (at, _, status, error), runs in alike]
    return told[:FAILURES_TOLD]


def _read_table(destination: DestinationSession) -> list[Run]:
    there = destination.read_columns(SYNC_RUNS.name)
    if not there:
        return []
    names = [name for name in (COLUMNS.get(item.name, item.name) for item in fields(Run)) if name in there]
    found = destination.query_or_empty(_make_query(names))
    return [Run.from_record(dict(zip(names, row, strict=False))) for row in found]


def _make_query(names: list[str]) -> str:
    """The query for recent runs and landmarks; a table of an earlier version may lack columns."""
    newest = "ORDER BY r.started_at DESC, r.run_id"
    marks = [(condition, most) for column, condition, most in LANDMARKS if column in names]
    # `rows` is reserved in BigQuery: always qualify it.
    columns = [f"r.{name} AS its_{name}" for name in names]
    columns.append(f"row_number() OVER (PARTITION BY r.resource {newest}) AS place")
    wanted = [f"place <= {RECENT_RUNS}"]
    for number, (condition, most) in enumerate(marks):
        mark = f"CASE WHEN {condition} THEN 1 ELSE 0 END"
        columns.append(f"{mark} AS mark_{number}")
        columns.append(f"row_number() OVER (PARTITION BY r.resource, {mark} {newest}) AS place_{number}")
        wanted.append(f"(mark_{number} = 1 AND place_{number} <= {most})")
    return (
        f"SELECT {', '.join(f'its_{name}' for name in names)} FROM (SELECT {', '.join(columns)}"
        f" FROM {SYNC_RUNS.name} AS r WHERE r.started_at IS NOT NULL) AS ranked WHERE {' OR '.join(wanted)}"
    )


def _to_utc(value: Any) -> Any:
    return value.astimezone(UTC) if isinstance(value, datetime) else value
