"""The state of a sync, as the destination and the working directory tell it: for people, monitors and the report."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from cogny_source.destinations.session import DestinationSession
from cogny_source.engine.run_journal import Journal
from cogny_source.engine.working_dir import restore_state
from cogny_source.extract.endpoints import ENDPOINTS
from cogny_source.extract.state import State
from cogny_source.monitoring.health import describe_missing_count, read_counts
from cogny_source.reconcile.coverage import find_compared_since
from cogny_source.timestamps import parse_instant

ENDS = {"killed": "was killed", "stopped": "was stopped"}
COLUMNS = ("resource", "mode", "status", "started_at", "finished_at", "unexplained_rows", "error")


@dataclass(frozen=True)
class RunStatus:
    """One resource in one run.

    Attributes:
        mode: What was done; see the column of `sync_runs`.
        status: `done`, `failed`, `stopped` or `killed`; `running` while a run works on it.
        started_at: When the run began (UTC).
        finished_at: When the resource was done (UTC).
        unexplained_rows: Rows that the API counts beyond the table's; negative: deletions not marked.
        error: The sentence it ended with.
    """

    mode: str | None
    status: str | None
    started_at: datetime | None
    finished_at: datetime | None
    unexplained_rows: int | None
    error: str | None


@dataclass(frozen=True)
class ResourceStatus:
    """How a resource stands.

    Attributes:
        resource: Its name.
        rows: Rows of its table that are not marked deleted.
        deleted_rows: Rows that are.
        updated_after: The watermark (UTC): all changes before it are in. Of a list that is read whole, when its last
            complete run began.
        backfill_windows: How many windows of the first load are left; 0 once it is complete.
        last_run: The newest run.
        last_error: The newest run that was not done.
        missing_count: That the last run could not count the API's rows, in words.
        compared_since: Every row was held against the API, or read, at this instant or later (UTC).
    """

    resource: str
    rows: int = 0
    deleted_rows: int = 0
    updated_after: datetime | None = None
    backfill_windows: int = 0
    last_run: RunStatus | None = None
    last_error: RunStatus | None = None
    missing_count: str | None = None
    compared_since: datetime | None = None

    def age_seconds(self, now: datetime) -> float | None:
        """Seconds since the watermark; None where there is none."""
        return None if self.updated_after is None else (now - self.updated_after).total_seconds()

    def complaint(self, now: datetime, max_age_seconds: float | None) -> str | None:
        """What is wrong with it, in words; None where nothing is.

        Args:
            now: The present.
            max_age_seconds: How old the watermark may be; None for any age.
        """
        if self.last_run is None:
            return "no run is on record" if self.rows or self.updated_after else "never synced"
        if self.last_run.mode == "reset":
            return "it was reset, and not synced since"
        if self.last_run.status not in ("done", "running"):
            return f"the last run {ENDS.get(str(self.last_run.status), 'failed')}: {self.last_run.error}"
        age = self.age_seconds(now)
        if max_age_seconds is None or (age is not None and age <= max_age_seconds):
            return None
        if age is None:
            return "no first load is complete"
        return f"its watermark is {describe_age(age)} old"

    def as_dict(self, now: datetime, max_age_seconds: float | None) -> dict[str, Any]:
        """It as JSON's values; instants as ISO 8601."""
        complaint = self.complaint(now, max_age_seconds)
        told = {**asdict(self), "age_seconds": self.age_seconds(now), "healthy": complaint is None}
        dumped: dict[str, Any] = _dump({**told, "complaint": complaint})
        return dumped


def read_status(
    destination: DestinationSession, workspace: Path, pipeline_name: str, *, running: bool = False
) -> list[ResourceStatus]:
    """Read how each resource stands.

    Args:
        destination: A pipeline's destination; the pipeline's own working directory is made anew.
        workspace: The working directory of the runs, which may hold records that no load has taken yet.
        pipeline_name: The pipeline's name there.
        running: Whether a run works there now.

    Raises:
        LoadFailed: If the destination does not answer.
    """
    states = restore_state(destination)
    # Held anew: a connection knows the tables that there were when it was made.
    with destination.hold():
        runs = [*_read_runs(destination), *_read_journal(workspace / f"{pipeline_name}.runs", running)]
        return [_read_one(destination, name, states.get(name, {}), runs) for name in ENDPOINTS]


def describe_age(seconds: float) -> str:
    """A span of time in its two largest units."""
    minutes, rest = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    units = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    while len(units) > 1 and not units[0][0]:
        units.pop(0)
    return " ".join(f"{count} {unit}" for count, unit in units[:2])


def _read_one(destination: DestinationSession, name: str, state: State, runs: list[dict[str, Any]]) -> ResourceStatus:
    spec = ENDPOINTS[name].table
    query = f"SELECT count(*), count(deleted_at) FROM {spec.name}"
    rows, deleted = next(iter(destination.query_or_empty(query)), (0, 0))
    mine = sorted((run for run in runs if run["resource"] == name), key=_began)
    ask = destination.query_or_empty
    told = ResourceStatus(
        name,
        rows - deleted,
        deleted,
        parse_instant(state.get("updated_after")),
        len(state.get("backfill", {}).get("windows", [])),
        _make_run(mine),
        _make_run(run for run in mine if run["status"] not in ("done", "running")),
        describe_missing_count(read_counts(ask, name)),
        find_compared_since(state),
    )
    if not ENDPOINTS[name].whole:
        return told
    complete = [run["started_at"] for run in mine if run["status"] == "done" and run["mode"] == "full"]
    return replace(told, updated_after=complete[-1] if complete else None)


def _began(run: dict[str, Any]) -> float:
    started: datetime | None = run["started_at"]
    return 0.0 if started is None else started.timestamp()


def _make_run(runs: Iterable[dict[str, Any]]) -> RunStatus | None:
    last = next(iter(list(runs)[::-1]), None)
    return None if last is None else RunStatus(**{name: last[name] for name in COLUMNS if name != "resource"})


def _read_runs(destination: DestinationSession) -> list[dict[str, Any]]:
    """The newest run of each resource, and the newest that was not done."""
    found = []
    for name in ENDPOINTS:
        for condition in ("", " AND status <> 'done'", " AND status = 'done' AND mode = 'full'"):
            query = (
                f"SELECT {', '.join(COLUMNS)} FROM sync_runs WHERE resource = '{name}'{condition}"
                " ORDER BY started_at DESC LIMIT 1"
            )
            found += [dict(zip(COLUMNS, row, strict=True)) for row in destination.query_or_empty(query)]
    return found


def _read_journal(folder: Path, running: bool) -> list[dict[str, Any]]:
    """What runs left behind that were killed, or failed before they could load their record."""
    if not folder.is_dir():
        return []
    rows: list[dict[str, Any]] = Journal(folder, "").read_table().select(COLUMNS).to_pylist()
    # The present run counts as killed until it tells more.
    present = max(map(_began, rows), default=0.0)
    for row in rows:
        if running and row["status"] == "killed" and _began(row) == present:
            row |= {"status": "running", "error": None, "finished_at": None}
    return rows


def _dump(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _dump(item) for key, item in value.items()}
    return value.isoformat() if isinstance(value, datetime) else value
