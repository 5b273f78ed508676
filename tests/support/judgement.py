"""A dataset as it is judged, of runs that a test makes up."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from cogny_source.monitoring.health import ResourceFacts
from cogny_source.monitoring.run_history import Run, RunHistory
from cogny_source.monitoring.status import DatasetStatus, assess

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)


HOUR_AGO = NOW - timedelta(hours=1)


DONE = Run("r1", "tickets", "incremental", "done", HOUR_AGO, rows=40, live_rows=100, unexplained_rows=0)


def make(*resources: tuple[str, Run | None]) -> DatasetStatus:
    """How a dataset stands whose resources had a run each, or none."""
    facts = [
        ResourceFacts(name, RunHistory((replace(run, resource=name),)), 100, 2, HOUR_AGO)
        if run
        else ResourceFacts(name)
        for name, run in resources
    ]
    return assess(facts, NOW)
