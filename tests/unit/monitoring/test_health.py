"""The one judgement of a dataset: each kind of finding with its level, pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cogny_source.formatting import BLANK
from cogny_source.monitoring.health import (
    Finding,
    Health,
    Kind,
    Level,
    ResourceFacts,
    Thresholds,
    judge,
    lacks_count,
    late_after,
)
from cogny_source.monitoring.run_history import Run, RunHistory
from tests.support.syncs import ROOT

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
OK, WARN, ERROR = Level.OK, Level.WARN, Level.ERROR
DAY_IS_LATE = "where 1 d would be late"


def ago(**span: float) -> datetime:
    """An instant before the present."""
    return NOW - timedelta(**span)


DONE = Run("r1", "tickets", "incremental", "done", ago(hours=1), ago(minutes=59), live_rows=100, unexplained_rows=0)
FAILED = replace(DONE, run_id="r2", status="failed", started_at=ago(minutes=5), error="why")
RUNNING = replace(DONE, run_id="r3", status="running", started_at=ago(minutes=1), unexplained_rows=None)
RESET = Run("r4", "tickets", "reset", "done", ago(minutes=5))
VERIFIED = replace(DONE, run_id="r5", differences=0)


def known(*runs: Run, **facts: object) -> ResourceFacts:
    """A resource with those runs, whose watermark is an hour old."""
    told = ResourceFacts("tickets", RunHistory(runs), 100, 2, ago(hours=1))
    return replace(told, **facts)  # type: ignore[arg-type]


def synced_ago(*hours: float) -> list[Run]:
    """Runs that were done so many hours ago."""
    return [replace(DONE, run_id=f"r{place}", started_at=ago(hours=past)) for place, past in enumerate(hours)]


@pytest.mark.parametrize(
    ("facts", "options", "kind", "level", "sentence"),
    [
        (ResourceFacts("tickets"), {}, Kind.NEVER_SYNCED, ERROR, "it was never synced"),
        (known(), {}, Kind.NOT_RECORDED, ERROR, "it holds rows, and no run is on record"),
        (known(DONE), {}, Kind.RUN_DONE, OK, "the last run is done in 1 min"),
        (known(DONE, FAILED), {}, Kind.RUN_FAILED, ERROR, "the last run failed: why"),
        (known(DONE, replace(FAILED, status="unknown", error=None)), {}, Kind.RUN_FAILED, ERROR, "the last run failed"),
        (known(DONE, replace(FAILED, status="stopped")), {}, Kind.RUN_STOPPED, ERROR, "the last run was stopped: why"),
        (known(DONE, replace(FAILED, status="killed")), {}, Kind.RUN_KILLED, ERROR, "the last run was killed: why"),
        (known(DONE, FAILED, RUNNING), {"running": True}, Kind.RUN_FAILED, ERROR, "the last run failed: why"),
        (known(DONE, RESET), {}, Kind.RESET, ERROR, "it was reset, and not synced since"),
        (known(DONE), {}, Kind.FRESH, OK, "1 h old, and late only after 1 d"),
        (known(DONE, updated_after=None), {}, Kind.FRESH, OK, "1 h old, and late only after 1 d"),
        (
            known(*synced_ago(25), updated_after=ago(hours=25)),
            {},
            Kind.LATE,
            WARN,
            f"1 d 1 h old, {DAY_IS_LATE}",
        ),
        (
            known(*synced_ago(73), updated_after=ago(hours=73)),
            {},
            Kind.STALE,
            ERROR,
            f"3 d 1 h old, {DAY_IS_LATE}",
        ),
        (
            known(*synced_ago(7, 6, 5, 3), updated_after=ago(hours=3)),
            {},
            Kind.LATE,
            WARN,
            "3 h old, where 2 h would be late",
        ),
        (known(DONE), {"max_age": 1800.0}, Kind.TOO_OLD, ERROR, "1 h old, where 30 min are allowed"),
        (known(DONE), {"max_age": 3600.0}, Kind.FRESH, OK, "1 h old, and late only after 1 h"),
        (
            known(*synced_ago(7, 6, 5, 3), updated_after=ago(hours=3)),
            {"max_age": 86400.0},
            Kind.FRESH,
            OK,
            "3 h old, and late only after 1 d",
        ),
        (known(FAILED, updated_after=None), {}, Kind.NEVER_COMPLETE, ERROR, "no run has brought everything yet"),
        (
            known(replace(DONE, mode="window"), updated_after=None),
            {},
            Kind.NEVER_COMPLETE,
            ERROR,
            "no run has brought everything yet",
        ),
        (
            known(RUNNING, updated_after=None),
            {"running": True},
            Kind.FIRST_LOAD_RUNNING,
            WARN,
            "its first load goes on",
        ),
        (
            known(RUNNING, updated_after=None),
            {"running": True, "max_age": 60.0},
            Kind.NEVER_COMPLETE,
            ERROR,
            "no run has brought everything yet",
        ),
        (known(DONE, backfill_windows=2), {}, Kind.WINDOWS_LEFT, WARN, "2 windows of the first load left to read"),
        (
            known(DONE, unproven_spans=1),
            {},
            Kind.SPANS_UNPROVEN,
            WARN,
            "1 span that an interrupted run has read may lack rows until read again",
        ),
        (known(DONE), {}, Kind.COUNTS_AGREE, OK, "as many rows as the API counts"),
        (
            known(replace(DONE, unexplained_rows=3)),
            {},
            Kind.COUNTS_DIFFER,
            WARN,
            "the API counts 3 rows more than the destination holds",
        ),
        (
            known(replace(DONE, unexplained_rows=-5)),
            {},
            Kind.COUNTS_DIFFER,
            WARN,
            "the API counts 5 rows fewer than the destination holds: deleted there",
        ),
        (
            known(replace(DONE, unexplained_rows=-60), refuses_deletions=True),
            {},
            Kind.DELETIONS_REFUSED,
            ERROR,
            "the API counts 60 rows fewer than the destination holds: deleted there, too many to be marked"
            " deleted unasked",
        ),
        # The rows came back; a census that would let go of the refusal was not needed.
        (known(DONE, refuses_deletions=True), {}, Kind.COUNTS_AGREE, OK, "as many rows as the API counts"),
        (
            known(DONE, replace(DONE, unexplained_rows=None)),
            {},
            Kind.NOT_COUNTED,
            WARN,
            "the API's rows were not counted, so that deletions may be unmarked",
        ),
        (
            known(replace(DONE, unexplained_rows=None, deleted_rows=0)),
            {},
            Kind.NO_COUNT,
            OK,
            "the API gave no count to compare with",
        ),
        (known(VERIFIED), {}, Kind.VERIFIED, OK, "verified row for row 1 h ago"),
        (known(replace(VERIFIED, differences=2)), {}, Kind.ROWS_DIFFER, ERROR, "2 rows differed when verified 1 h ago"),
        (
            known(replace(VERIFIED, differences=1), replace(DONE, started_at=ago(minutes=30), deleted_rows=0)),
            {},
            Kind.MENDED_SINCE,
            WARN,
            "1 row differed when verified 1 h ago; a census ran since",
        ),
        (
            known(DONE, compared_since=ago(hours=12)),
            {},
            Kind.COMPARED,
            OK,
            "every row was compared with the API within the last day",
        ),
    ],
)
def test_each_kind_has_its_level(
    facts: ResourceFacts, options: dict[str, float], kind: Kind, level: Level, sentence: str
) -> None:
    """A finding tells what was found; what speaks against the data also says what to do, but where time mends it."""
    health = judge([facts], NOW, Thresholds(options.get("max_age")), running=bool(options.get("running")))
    [found] = [finding for finding in health.findings if finding.kind is kind]
    assert (found.level, found.sentence) == (level, sentence)
    assert (found.remedy is None) is (level is OK or kind is Kind.FIRST_LOAD_RUNNING)
    assert BLANK not in sentence
    assert health.level >= level


def test_table_lists_each_kind() -> None:
    """One that nobody judges in the table above is an error of reading, which no facts can show."""
    [table] = [mark for mark in test_each_kind_has_its_level.pytestmark if mark.name == "parametrize"]  # type: ignore[attr-defined]
    assert {row[2] for row in table.args[1]} == set(Kind) - {Kind.NOT_READ}


def test_operators_read_each_kind_under_its_level() -> None:
    """The table of docs/operations.md lists those that speak against the data."""
    [table] = [mark for mark in test_each_kind_has_its_level.pytestmark if mark.name == "parametrize"]  # type: ignore[attr-defined]
    judged = {row[2]: row[3] for row in table.args[1]} | {Kind.NOT_READ: ERROR}
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    for level in (WARN, ERROR):
        [cell] = re.findall(rf"^\| `{level.word}` \|.*\| (.*) \|$", text, re.MULTILINE)
        assert set(re.findall(r"`(\w+)`", cell)) == {kind for kind, its_level in judged.items() if its_level is level}


def test_well_resource_has_nothing_but_good_findings() -> None:
    """So that a monitor reads an empty list."""
    health = judge([known(VERIFIED, compared_since=NOW)], NOW)
    assert (health.level, health.problems, health.fails(), health.fails(WARN)) == (OK, (), False, False)


def test_worst_finding_is_the_level() -> None:
    """One resource that failed outweighs those that are fine, and is told before those that need care."""
    facts = [
        known(DONE),
        replace(known(replace(DONE, unexplained_rows=3)), resource="reports"),
        replace(known(DONE, FAILED), resource="warehouses"),
    ]
    health = judge(facts, NOW)
    assert [health.of(name).level for name in ("tickets", "reports", "warehouses")] == [OK, WARN, ERROR]
    assert (health.level, health.fails()) == (ERROR, True)
    assert [found.kind for found in health.problems] == [Kind.RUN_FAILED, Kind.COUNTS_DIFFER]
    careful = judge(facts[:2], NOW)
    assert (careful.level, careful.fails(), careful.fails(WARN)) == (WARN, False, True)


def test_sync_of_some_resources_is_well() -> None:
    """A resource that the dataset is not synced for counts only where it is asked for."""
    facts = [known(DONE), ResourceFacts("reports"), ResourceFacts("warehouses", rows=0)]
    assert judge(facts, NOW).level is OK
    assert [judge(facts, NOW).of(name).level for name in ("reports", "warehouses")] == [Level.UNSYNCED] * 2
    asked = judge(facts[:2], NOW, expected=["tickets", "reports"])
    assert [str(found) for found in asked.problems] == ["reports: it was never synced; run cogny sync"]


def test_dataset_that_was_never_synced_is_an_error() -> None:
    """Told once, and not of each resource."""
    health = judge([ResourceFacts("tickets"), ResourceFacts("reports")], NOW)
    assert health.findings == (Finding(Kind.NEVER_SYNCED, ERROR, None, "it was never synced", "run cogny sync"),)


@pytest.mark.parametrize(
    ("runs", "is_told"),
    [
        ([], False),
        ([DONE], False),
        ([DONE, replace(DONE, unexplained_rows=None)], True),
        ([replace(DONE, unexplained_rows=None), DONE], False),
        ([replace(DONE, unexplained_rows=None, deleted_rows=0)], False),
        ([replace(DONE, unexplained_rows=None), replace(DONE, status="failed")], True),
        ([DONE, Run("w", "tickets", "window", "done", NOW)], False),
        ([DONE, RESET], False),
    ],
)
def test_count_that_is_missing_is_told_until_the_next_one(runs: Sequence[Run], is_told: bool) -> None:
    """A census has looked at every row instead; a window and a reset count nothing."""
    assert lacks_count(RunHistory(tuple(runs))) is is_told


def test_lists_that_are_read_whole_are_as_old_as_their_last_complete_run() -> None:
    """Without a watermark, the start of the last run that brought everything tells the age; a reset brings nothing."""
    facts = known(*synced_ago(3, 2, 1), replace(FAILED, started_at=NOW), RESET, updated_after=None)
    assert facts.age_seconds(NOW) == 3600
    assert known(FAILED, RESET, updated_after=None).age_seconds(NOW) is None


def test_clock_that_is_ahead_makes_no_negative_age() -> None:
    """Watermarks are the API's time."""
    assert known(DONE, updated_after=NOW + timedelta(seconds=3)).age_seconds(NOW) == 0


def test_lateness_follows_the_usual_pause() -> None:
    """Twice the usual pause between two runs, at least an hour; a day where one run is on record."""
    assert late_after(synced_ago(1), Thresholds()) == 24 * 3600
    assert late_after(synced_ago(48, 24, 0), Thresholds()) == 48 * 3600
    assert late_after(synced_ago(2, 2, 2), Thresholds()) == 3600
    assert late_after([*synced_ago(48, 24), replace(RESET, started_at=NOW)], Thresholds()) == 48 * 3600


def test_findings_are_sorted_by_gravity_and_none_is_lost() -> None:
    """The order within a level is that of the resources."""
    findings = [Finding(Kind.LATE, level, None, str(place)) for place, level in enumerate((WARN, OK, ERROR, WARN))]
    assert [found.sentence for found in Health(tuple(findings)).problems] == ["2", "0", "3"]
