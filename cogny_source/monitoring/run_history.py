"""The runs of the sync, as `sync_runs` and the journal hold them; whoever asks for runs asks here."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from cogny_source.destinations.session import DestinationSession
from cogny_source.engine.run_journal import Journal
from cogny_source.schema import RESOURCE_TABLES, SYNC_RUNS

RECENT_RUNS = 60
FAILURES_TOLD = 8
DONE, RUNNING, KILLED, STOPPED = "done", "running", "killed", "stopped"
RESET = "reset"
# They bring no resource up to date.
NOT_OF_A_SYNC = ("window", RESET)
# Of the runs before the recent ones, so many are read for which a condition on a column holds.
LANDMARKS = (
    ("status", f"coalesce(r.status, '') <> '{DONE}'", FAILURES_TOLD),
    ("mode", f"r.status = '{DONE}' AND coalesce(r.mode, '') NOT IN {NOT_OF_A_SYNC}", 1),
    ("unexplained_rows", "r.unexplained_rows IS NOT NULL", 1),
    ("deleted_rows", "r.deleted_rows IS NOT NULL", 1),
    ("differences", "r.differences IS NOT NULL", 1),
)
# Where the record's name is not the attribute's.
COLUMNS = {"watermark": "updated_after_after"}


@dataclass(frozen=True)
class Run:
    """One resource in one run; instants are UTC.

    Attributes:
        run_id: The run.
        resource: The resource.
        mode: What was done; see the column of `sync_runs`.
        status: `done`, `failed`, `stopped` or `killed`; `running` while it goes on; `unknown` where that is not told.
        started_at: When it began.
        finished_at: When the resource was done, where that is known.
        requests: Requests sent.
        retries: Those that were repeated.
        throttled: Answers with status 429.
        waited_seconds: Seconds waited for the rate limit and between retries.
        rows: Rows read.
        live_rows: Rows of the table that are not marked deleted; None where they were not counted.
        unexplained_rows: Rows that the API counts beyond those; None where they were not counted.
        deleted_rows: Rows that its census marked; None where it ran none.
        differences: Rows that differed from the API when verified; None where nothing was.
        watermark: The watermark when it ended.
        error: The sentence it ended with, where it is not done.
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

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Run:
        """The run that a record tells of, whose `started_at` must be there; what it lacks is taken for not told."""
        told = {field.name: record.get(COLUMNS.get(field.name, field.name)) for field in fields(cls)}
        known = {name: _to_utc(value) for name, value in told.items() if value is not None}
        return cls(**{"mode": None, "status": "unknown", **known})

    @property
    def is_of_a_sync(self) -> bool:
        """Whether it was to bring the resource up to date."""
        return self.mode not in NOT_OF_A_SYNC

    @property
    def brings_all(self) -> bool:
        """Whether the table holds all that the API had when it began."""
        return self.status == DONE and self.is_of_a_sync

    @property
    def seconds(self) -> float | None:
        """How long it took."""
        return None if self.finished_at is None else (self.finished_at - self.started_at).total_seconds()


@dataclass(frozen=True)
class RunHistory:
    """The runs of one resource.

    Attributes:
        runs: The last ones, the oldest first; of those before them what still tells something, see `LANDMARKS`.
    """

    runs: tuple[Run, ...] = ()

    @property
    def ended(self) -> tuple[Run, ...]:
        """Those that do not go on."""
        return tuple(run for run in self.runs if run.status != RUNNING)

    @property
    def recent(self) -> tuple[Run, ...]:
        """The last of those that have ended, without a gap."""
        return self.ended[-RECENT_RUNS:]

    @property
    def last(self) -> Run | None:
        """The newest."""
        return next(reversed(self.runs), None)

    @property
    def last_ended(self) -> Run | None:
        """The newest that has ended."""
        return next(reversed(self.ended), None)

    @property
    def last_error(self) -> Run | None:
        """The newest that ended before it was done."""
        return next((run for run in reversed(self.ended) if run.status != DONE), None)

    @property
    def last_complete(self) -> Run | None:
        """The newest that brought everything."""
        return next((run for run in reversed(self.runs) if run.brings_all), None)

    @property
    def last_verified(self) -> Run | None:
        """The newest after which every row was compared."""
        return next((run for run in reversed(self.runs) if run.differences is not None), None)

    @property
    def last_census(self) -> Run | None:
        """The newest that listed everything to mark what is gone."""
        return next((run for run in reversed(self.runs) if run.deleted_rows is not None), None)

    @property
    def unexplained_rows(self) -> int | None:
        """Rows that the API counted beyond the table's when both were last compared; None where they never were."""
        return next((run.unexplained_rows for run in reversed(self.runs) if run.unexplained_rows is not None), None)


@dataclass(frozen=True)
class Failure:
    """What a run ended with.

    Attributes:
        at: When the run began (UTC).
        status: `failed`, `stopped` or `killed`.
        resources: The resources that it ended.
        error: The sentence.
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
        destination: The destination, which may hold no record.
        journal: The folder of the records that no load has taken yet; None where there is none.
        running: Whether a run writes there now.

    Raises:
        LoadFailed: If the destination does not answer.
    """
    runs = {(run.run_id, run.resource): run for run in _read_journal(journal, running=running)}
    # A run that was killed after its last load, and before it let go of its journal, is in both.
    runs |= {(run.run_id, run.resource): run for run in _read_table(destination)}
    ordered = sorted(runs.values(), key=lambda run: (run.started_at, run.run_id))
    return {name: RunHistory(tuple(run for run in ordered if run.resource == name)) for name in RESOURCE_TABLES}


def list_failures(histories: Iterable[RunHistory]) -> list[Failure]:
    """The last runs that are not done, the newest first; a run that ended all its resources alike is told once."""
    ended = [run for history in histories for run in history.ended if run.status != DONE]
    ended.sort(key=lambda run: (-run.started_at.timestamp(), run.run_id, run.error or "", run.resource))
    alike = groupby(ended, key=lambda run: (run.started_at, run.run_id, run.status, run.error or ""))
    told = [Failure(at, status, tuple(run.resource for run in runs), error) for (at, _, status, error), runs in alike]
    return told[:FAILURES_TOLD]


def _read_table(destination: DestinationSession) -> list[Run]:
    there = destination.read_columns(SYNC_RUNS.name)
    if not there:
        return []
    names = [name for name in (COLUMNS.get(field.name, field.name) for field in fields(Run)) if name in there]
    found = destination.query_or_empty(_make_query(names))
    return [Run.from_record(dict(zip(names, row, strict=False))) for row in found]


def _make_query(names: list[str]) -> str:
    """The recent runs of each resource, and the landmarks; a record of an earlier version may lack columns."""
    newest = "ORDER BY r.started_at DESC, r.run_id"
    marks = [(condition, most) for column, condition, most in LANDMARKS if column in names]
    # `rows` is a word of BigQuery's own: it may stand behind a point alone.
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


def _read_journal(folder: Path | None, *, running: bool) -> list[Run]:
    """What runs left behind that were killed, or failed before they could load their record."""
    if folder is None or not os.path.isdir(folder):  # false, too, where nobody may look
        return []
    records = Journal(folder, "").read_table().to_pylist()
    # The present run counts as killed until it tells more.
    present = max((record["started_at"] for record in records if record["started_at"]), default=None)
    for record in records:
        if running and record["status"] == KILLED and record["started_at"] == present:
            record |= {"status": RUNNING, "error": None, "finished_at": None}
    return [Run.from_record(record) for record in records if record["started_at"]]


def _to_utc(value: Any) -> Any:
    return value.astimezone(UTC) if isinstance(value, datetime) else value
