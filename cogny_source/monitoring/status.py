"""The status of a dataset: facts from destination and working directory, their judgement, and both as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from cogny_source.destinations.session import DestinationSession
from cogny_source.engine.working_dir import check_schema, restore_state
from cogny_source.extract.content_rows import CONTENTS
from cogny_source.extract.content_state import NEVER, ContentScope
from cogny_source.extract.endpoints import ENDPOINTS
from cogny_source.extract.state import State
from cogny_source.extract.unproven import load_spans
from cogny_source.formatting import count, span
from cogny_source.monitoring.health import Finding, Health, ResourceFacts, Thresholds, judge
from cogny_source.monitoring.run_history import Run, RunHistory, read_histories
from cogny_source.reconcile.content_backlog import ContentCounts, ContentTables
from cogny_source.reconcile.coverage import find_compared_since
from cogny_source.timestamps import parse_instant


@dataclass(frozen=True)
class ContentFacts:
    """The contents of reports in a dataset.

    Attributes:
        counts: How many there are.
        mode: The last run's setting: `new`, `all` or `never`.
        a_minute: How many the last run that fetched any fetched a minute; None if none did.
    """

    counts: ContentCounts
    mode: str
    a_minute: int | None


@dataclass(frozen=True)
class DatasetStatus:
    """The status of a dataset.

    Attributes:
        at: The time of the status.
        resources: The facts of its resources.
        health: Its health.
        running: Whether a run is active.
        contents: The contents of reports; None if they were never fetched.
    """

    at: datetime
    resources: tuple[ResourceFacts, ...]
    health: Health
    running: bool = False
    contents: ContentFacts | None = None

    def as_dict(self, fails: bool) -> dict[str, Any]:
        """The status as JSON values; instants as ISO 8601.

        Args:
            fails: Whether it counts as unhealthy.
        """
        return {
            "at": self.at.isoformat(),
            **dump_health(self.health, fails=fails),
            "running": self.running,
            "resources": [self._dump_resource(known) for known in self.resources],
            "contents": None if self.contents is None else _dump_contents(self.contents),
        }

    def _dump_resource(self, known: ResourceFacts) -> dict[str, Any]:
        return {
            "resource": known.resource,
            "level": self.health.of(known.resource).level.word,
            "rows": known.rows or 0,
            "deleted_rows": known.deleted_rows,
            "updated_after": _dump_instant(known.updated_after),
            "age_seconds": known.age_seconds(self.at),
            "backfill_windows": known.backfill_windows,
            "unproven_spans": known.unproven_spans,
            "compared_since": _dump_instant(known.compared_since),
            "last_run": _dump_run(known.history.last),
            "last_error": _dump_run(known.history.last_error),
        }


def dump_health(health: Health, *, fails: bool) -> dict[str, Any]:
    """The health as JSON values, with problems worst first.

    Args:
        health: The health.
        fails: Whether it counts as unhealthy.
    """
    found = [_dump_finding(finding) for finding in health.problems]
    return {"healthy": not fails, "level": health.level.word, "findings": found}


def read_status(
    destination: DestinationSession,
    now: datetime,
    journal: Path | None = None,
    *,
    running: bool = False,
    resources: Sequence[str] = (),
    thresholds: Thresholds | None = None,
) -> DatasetStatus:
    """Read the status of a dataset.

    Args:
        destination: The destination; its pipeline's working directory is recreated.
        now: The present, aware.
        journal: The folder of run records that are not loaded yet; None without one.
        running: Whether a run is active.
        resources: The resources, which must be synced; if empty, those that are synced.
        thresholds: The ages at which data is late.

    Raises:
        LoadFailed: If the destination does not answer.
    """
    check_schema(destination.pipeline)
    states = restore_state(destination)
    # Connect again: a connection knows only the tables that existed when it was made.
    with destination.connect():
        histories = read_histories(destination, journal, running=running)
        names = [name for name in ENDPOINTS if not resources or name in resources]
        facts = [_read_facts(destination, name, states.get(name, {}), histories[name]) for name in names]
        contents = read_contents(destination, states.get(CONTENTS, {}), now)
    status = assess(facts, now, running=running, resources=resources, thresholds=thresholds)
    return replace(status, contents=contents)


def assess(
    facts: Sequence[ResourceFacts],
    now: datetime,
    *,
    running: bool = False,
    resources: Sequence[str] = (),
    thresholds: Thresholds | None = None,
) -> DatasetStatus:
    """The status by given facts; arguments as in `read_status`."""
    health = judge(facts, now, thresholds, running=running, expected=resources)
    return DatasetStatus(now, tuple(facts), health, running)


def _read_facts(destination: DestinationSession, name: str, state: State, history: RunHistory) -> ResourceFacts:
    endpoint = ENDPOINTS[name]
    counted = destination.query_or_empty(f"SELECT count(*), count(deleted_at) FROM {endpoint.table.name}")
    rows, deleted = next(iter(counted), (None, 0))
    complete = history.last_complete if endpoint.whole else None
    return ResourceFacts(
        name,
        history,
        None if rows is None else rows - deleted,
        deleted,
        parse_instant(state.get("updated_after")) if complete is None else complete.started_at,
        len(state.get("backfill", {}).get("windows", [])),
        len(load_spans(state)),
        "refused" in state,
        find_compared_since(state),
    )


def read_contents(destination: DestinationSession, state: State, now: datetime) -> ContentFacts | None:
    """The contents of reports in a dataset; None if they were never fetched.

    Args:
        destination: The destination.
        state: The state of the contents.
        now: The present (UTC).
    """
    if not state:
        return None
    scope = ContentScope.of(state)
    return ContentFacts(ContentTables(destination).count(scope, now), scope.mode, state.get("a_minute"))


def describe_contents(known: ContentFacts) -> str:
    """The contents of a dataset in words: how many there are, come, do not come and why."""
    counts = known.counts
    told = [f"{count(counts.fetched, 'content')} of reports"]
    told += [describe_backlog(counts.to_go, known.a_minute)] if counts.to_go else []
    told += [f"{count(counts.missing, 'report')} without one"] if counts.missing else []
    told += [f"{counts.too_large:,} larger than max_answer_megabytes"] if counts.too_large else []
    told += [f"{counts.failed:,} cannot be fetched, see error in report_contents"] if counts.failed else []
    if counts.left_out and known.mode == NEVER:
        told += [f"{counts.left_out:,} not fetched, as the last sync said --contents never"]
    elif counts.left_out:
        told += [f"{counts.left_out:,} left out; sync with --contents all to fetch them"]
    return ", ".join(told)


def describe_backlog(to_go: int, a_minute: int | None) -> str:
    """The contents that later runs fetch, and how long that takes: `3,420 to go, 38 min at 90 a minute`."""
    if a_minute is None:
        return f"{to_go:,} to go"
    return f"{to_go:,} to go, {span(60 * to_go / a_minute, blank=' ')} at {a_minute:,} a minute"


def _dump_contents(known: ContentFacts) -> dict[str, Any]:
    return {"mode": known.mode, **asdict(known.counts), "a_minute": known.a_minute}


def _dump_finding(finding: Finding) -> dict[str, Any]:
    return {**asdict(finding), "level": finding.level.word}


def _dump_run(run: Run | None) -> dict[str, Any] | None:
    if run is None:
        return None
    told = {name: value for name, value in asdict(run).items() if name != "resource"}
    return {name: _dump_instant(value) if isinstance(value, datetime) else value for name, value in told.items()}


def _dump_instant(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()
