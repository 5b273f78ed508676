"""The history of runs: which failures are alike."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dlt

from cogny_source.destinations.registry import open_session
from cogny_source.monitoring.run_history import Run, RunHistory, list_failures, read_histories

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)


def read(pipeline: dlt.Pipeline, journal: Path | None = None, *, running: bool = False) -> dict[str, RunHistory]:
    """What is on record."""
    return read_histories(open_session(pipeline, 10), journal, running=running)


def test_failures_that_are_alike_are_told_once() -> None:
    """The newest first, eight at most, and none that goes on or is done."""
    run = Run("r", "tickets", "incremental", "failed", NOW, error="no key")
    other = replace(run, resource="reports")
    earlier = [replace(run, run_id=f"e{n}", started_at=NOW - timedelta(hours=n), error=None) for n in range(1, 12)]
    done = replace(run, run_id="d", status="done")
    going = replace(run, run_id="g", status="running", started_at=NOW + timedelta(hours=1))
    told = list_failures([RunHistory((*earlier, run, done, going)), RunHistory((other,))])
    assert len(told) == 8
    assert (told[0].resources, told[0].error, told[0].status) == (("reports", "tickets"), "no key", "failed")
    assert [(failure.at, failure.error) for failure in told[1:3]] == [(one.started_at, "") for one in earlier[:2]]
