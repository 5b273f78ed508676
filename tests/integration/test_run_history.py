"""The runs of the sync: read from `sync_runs` and the journal, whatever an older record lacks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dlt
import pytest

from cogny_source import sync
from cogny_source.destinations.registry import open_session
from cogny_source.monitoring.run_history import RunHistory, read_histories
from cogny_source.sandbox import SandboxServer, World
from cogny_source.schema import RESOURCE_TABLES
from tests.support.syncs import settings_for

Ask = Callable[[str], list[tuple[object, ...]]]
NAMES = ["tickets", "reports", "warehouses"]
NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)


@pytest.fixture
def sandbox() -> Iterator[SandboxServer]:
    """A sandbox with a small world."""
    with SandboxServer(World(seed=11, tickets=20, reports=5, warehouses=2)) as server:
        yield server


def read(pipeline: dlt.Pipeline, journal: Path | None = None, *, running: bool = False) -> dict[str, RunHistory]:
    """What is on record."""
    return read_histories(open_session(pipeline, 10), journal, running=running)


def test_runs_are_as_they_were(sandbox: SandboxServer, pipeline: dlt.Pipeline) -> None:
    """Each figure of each resource, with instants in UTC, the oldest run first."""
    results = [sync(pipeline, settings_for(sandbox)) for _ in range(2)]
    histories = read(pipeline)
    assert list(histories) == [*NAMES, "report_contents"]
    for place, name in enumerate(NAMES):
        runs = histories[name].runs
        told = [result.resources[place] for result in results]
        assert [run.run_id for run in runs] == [result.run_id for result in results]
        assert [(run.mode, run.status, run.started_at, run.finished_at) for run in runs] == [
            (one.mode, "done", one.started_at, one.finished_at) for one in told
        ]
        assert [(run.requests, run.rows, run.live_rows, run.unexplained_rows) for run in runs] == [
            (one.meter.requests, one.meter.rows, one.counts.live_rows, 0) for one in told
        ]
        assert {run.started_at.tzinfo for run in runs} == {UTC}


def test_without_a_record_there_are_no_runs(pipeline: dlt.Pipeline, tmp_path: Path) -> None:
    """A destination that was never synced, and a journal that is not there."""
    assert read(pipeline, tmp_path / "nowhere") == {name: RunHistory() for name in RESOURCE_TABLES}


def test_record_of_an_earlier_version_is_read(sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask) -> None:
    """It may lack columns, and a row's values; a row that does not tell when it began is left out."""
    result = sync(pipeline, settings_for(sandbox))
    for column in ("differences", "deleted_rows", "retries", "unexplained_rows"):
        ask(f"ALTER TABLE sync_runs DROP COLUMN {column}")
    ask("UPDATE sync_runs SET status = NULL, rows = NULL WHERE resource = 'reports'")
    ask("UPDATE sync_runs SET started_at = NULL WHERE resource = 'warehouses'")
    histories = read(pipeline)
    assert histories["warehouses"] == RunHistory()
    [tickets], [reports] = histories["tickets"].runs, histories["reports"].runs
    assert (tickets.run_id, tickets.retries, tickets.differences) == (result.run_id, 0, None)
    assert (reports.status, reports.rows) == ("unknown", 0)


def test_of_many_runs_the_last_are_read_and_what_still_tells(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask
) -> None:
    """The last verification, census, comparison, complete run and errors of a resource, however long ago they were."""
    sync(pipeline, settings_for(sandbox, history=False), verify=True)
    ask("UPDATE sync_runs SET deleted_rows = 0")
    ask(
        "INSERT INTO sync_runs BY NAME SELECT sync_runs.* REPLACE (run_id || n AS run_id, started_at + to_minutes(n) AS"
        " started_at, NULL AS unexplained_rows, NULL AS differences, NULL AS deleted_rows, 'window' AS mode, CASE WHEN"
        " n <= 20 THEN 'failed' ELSE 'done' END AS status) FROM sync_runs, range(1, 101) AS runs(n)"
    )
    history = read(pipeline)["tickets"]
    [first] = [run.run_id for run in history.runs if run.mode != "window"]
    assert [run.run_id for run in history.recent] == [f"{first}{n}" for n in range(41, 101)]
    assert [run.run_id for run in history.runs[:-60]] == [first, *(f"{first}{n}" for n in range(13, 21))]
    marks = (history.last_complete, history.last_verified, history.last_census)
    assert [run and run.run_id for run in marks] == [first] * 3
    assert (history.last_error and history.last_error.run_id, history.unexplained_rows) == (f"{first}20", 0)


def write_journal(folder: Path, run_id: str, started_at: datetime, status: str, error: str | None = "why") -> None:
    """A record that a run left on disk."""
    folder.mkdir(exist_ok=True)
    row = {"run_id": run_id, "resource": "tickets", "mode": "incremental", "status": status, "error": error}
    (folder / f"{run_id}.json").write_text(json.dumps([{**row, "started_at": started_at.isoformat()}]))


def test_journal_is_read_beside_the_table(sandbox: SandboxServer, pipeline: dlt.Pipeline, tmp_path: Path) -> None:
    """A run that was killed counts, one that both hold counts once, as the table has it; half a file is none."""
    result, folder = sync(pipeline, settings_for(sandbox)), tmp_path / "journal"
    write_journal(folder, result.run_id, datetime.now(UTC), "killed")
    write_journal(folder, "killed", datetime.now(UTC), "killed")
    (folder / "half.json").write_text('[{"run_id": "ha')
    history = read(pipeline, folder)["tickets"]
    assert [(run.run_id, run.status, run.error) for run in history.runs] == [
        (result.run_id, "done", None),
        ("killed", "killed", "why"),
    ]
    assert history.last_ended == history.last == history.last_error


def test_present_run_goes_on(pipeline: dlt.Pipeline, tmp_path: Path) -> None:
    """The newest record is of the run that holds the lock; those before it were killed all the same."""
    folder = tmp_path / "journal"
    write_journal(folder, "a", NOW - timedelta(hours=1), "killed")
    write_journal(folder, "b", NOW, "killed")
    history = read(pipeline, folder, running=True)["tickets"]
    assert [(run.run_id, run.status, run.error) for run in history.runs] == [
        ("a", "killed", "why"),
        ("b", "running", None),
    ]
    assert [run and run.run_id for run in (history.last, history.last_ended, history.last_error)] == ["b", "a", "a"]
