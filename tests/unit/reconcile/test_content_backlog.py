"""The backlog of contents: found by one query, in order, with pauses for what was asked for in vain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pytest

from cogny_source.destinations.duckdb.adapter import DuckDbAdapter
from cogny_source.extract.content_state import ContentScope
from cogny_source.reconcile.content_backlog import ContentTables

NOW = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
ALL = ContentScope("all")


class Tables:
    """Both tables in a database in memory, as far as the backlog asks them."""

    def __init__(self) -> None:
        self.adapter = DuckDbAdapter()
        self.db = duckdb.connect()
        self.queries = 0
        self.db.execute(
            "CREATE TABLE reports (id VARCHAR, status VARCHAR, created_at TIMESTAMPTZ, updated_at TIMESTAMPTZ,"
            " completed_at TIMESTAMPTZ, deleted_at TIMESTAMPTZ)"
        )
        self.db.execute(
            "CREATE TABLE report_contents (report_id VARCHAR, status VARCHAR, fetched_at TIMESTAMPTZ,"
            " attempted_updated_at TIMESTAMPTZ, attempted_at TIMESTAMPTZ, attempts BIGINT, _dlt_load_id VARCHAR)"
        )

    def query_if_there(self, query: str) -> list[tuple[Any, ...]] | None:
        """The rows of a query."""
        self.queries += 1
        try:
            return self.db.execute(query).fetchall()
        except duckdb.CatalogException:
            return None

    def query_or_empty(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return self.query_if_there(query) or []

    def add(self, key: str, *, age: timedelta = DAY, status: str = "completed", **values: Any) -> None:
        """Add a report that was completed, and changed last, some time ago."""
        row = {"updated_at": NOW - age, "completed_at": NOW - age, "deleted_at": None, **values}
        stamps = [NOW - 2 * DAY, row["updated_at"], row["completed_at"], row["deleted_at"]]
        self.db.execute("INSERT INTO reports VALUES (?, ?, ?, ?, ?, ?)", [key, status, *stamps])

    def hold(self, key: str, status: str = "fetched", **values: Any) -> None:
        """Add the row of a request for a report."""
        row = {"fetched_at": NOW, "version": NOW - DAY, "at": NOW, "attempts": 0, "load": "1700000000.5", **values}
        stamps = [row["fetched_at"], row["version"], row["at"], row["attempts"], row["load"]]
        self.db.execute("INSERT INTO report_contents VALUES (?, ?, ?, ?, ?, ?, ?)", [key, status, *stamps])

    def find(self, scope: ContentScope = ALL, most: int = 100, now: datetime = NOW) -> list[str]:
        """The keys to fetch; the total is theirs unless more were found."""
        backlog = ContentTables(self).find_backlog(scope, now, most)  # type: ignore[arg-type]
        assert backlog.total >= len(backlog.reports)
        return [report.key for report in backlog.reports]

    def count(self, scope: ContentScope = ALL) -> dict[str, int]:
        """The counts that are not 0."""
        counts = ContentTables(self).count(scope, NOW)  # type: ignore[arg-type]
        return {name: number for name, number in asdict(counts).items() if number}


@pytest.fixture
def tables() -> Iterator[Tables]:
    """Empty tables."""
    made = Tables()
    yield made
    made.db.close()


def test_completed_reports_without_a_content_come_newest_first(tables: Tables) -> None:
    """In one query; not those that are deleted or not completed."""
    for days in (3, 1, 2):
        tables.add(f"rpt_{days}", age=days * DAY)
    tables.add("rpt_deleted", deleted_at=NOW)
    tables.add("rpt_failed", status="failed")
    assert tables.find() == ["rpt_1", "rpt_2", "rpt_3"]
    assert tables.queries == 1
    assert tables.find(most=2) == ["rpt_1", "rpt_2"]
    assert tables.count() == {"to_go": 3}


def test_content_of_the_version_is_enough(tables: Tables) -> None:
    """Another version, older or newer, is fetched; versions without a timestamp are equal."""
    for key, version in (("same", NOW - DAY), ("older", NOW - 2 * DAY), ("newer", NOW)):
        tables.add(key)
        tables.hold(key, version=version)
    tables.add("undated", updated_at=None)
    tables.hold("undated", version=None)
    tables.add("dated_since", updated_at=NOW - 3 * DAY)
    tables.hold("dated_since", version=None)
    assert tables.find() == ["newer", "older", "dated_since"]
    assert tables.count() == {"fetched": 5, "to_go": 3}


def test_new_leaves_out_what_was_completed_before(tables: Tables) -> None:
    """Unless it was asked for once, and has changed since; without a date of completion the last change counts."""
    new = ContentScope("new", NOW - 2 * DAY)
    tables.add("early", age=3 * DAY)
    tables.add("late", completed_at=NOW - 2 * DAY)
    tables.add("undated", completed_at=None)
    tables.add("known", age=3 * DAY)
    tables.hold("known", version=NOW - 4 * DAY)
    assert tables.find(new) == ["late", "undated", "known"]
    assert tables.count(new) == {"fetched": 1, "to_go": 3, "left_out": 1}
    never = ContentScope("never", NOW - 2 * DAY)
    assert tables.find(never) == []
    assert tables.count(never) == {"fetched": 1, "left_out": 4}


@pytest.mark.parametrize(
    ("attempts", "minutes"),
    [(1, 10), (2, 20), (3, 40), (8, 1_280), (13, 40_960), (14, 43_200), (15, 43_200), (2_000, 43_200)],
)
@pytest.mark.parametrize("status", ["missing", "too_large", "failed"])
def test_pauses_double_up_to_thirty_days(tables: Tables, status: str, attempts: int, minutes: int) -> None:
    """They follow from the number of requests; a clock that was ahead delays it by no more than one more pause."""
    tables.add("rpt_a")
    tables.hold("rpt_a", status, attempts=attempts, fetched_at=None)
    pause, moment = timedelta(minutes=minutes), timedelta(seconds=1)
    for now, keys in (
        (NOW + pause - moment, []),
        (NOW + pause, ["rpt_a"]),
        (NOW - pause + moment, []),
        (NOW - pause, ["rpt_a"]),
    ):
        assert tables.find(now=now) == keys
    assert tables.count() == {status: 1}


def test_what_was_asked_for_in_vain_comes_last(tables: Tables) -> None:
    """However many they are, they keep no report from its first request; a new version is no longer in vain."""
    for number in range(3):
        tables.add(f"failing_{number}")
        tables.hold(f"failing_{number}", "failed", attempts=1, at=NOW - DAY, fetched_at=None)
    tables.add("changed")
    tables.hold("changed", "failed", attempts=9, version=NOW - 2 * DAY)
    tables.add("older", age=2 * DAY)
    assert tables.find(most=2) == ["changed", "older"]
    assert tables.find() == ["changed", "older", "failing_0", "failing_1", "failing_2"]
    assert tables.count() == {"fetched": 1, "failed": 4, "to_go": 5}


def test_reset_fetches_again_what_earlier_loads_brought(tables: Tables) -> None:
    """By the ids of loads, which no clock but that of the loads decides."""
    for key, load in (("before", "1700000000.25"), ("at", "1700000000.5"), ("after", "1700000000.51")):
        tables.add(key)
        tables.hold(key, load=load, fetched_at=NOW + 900 * DAY)
    tables.hold("gone", load="1700000000.25")
    assert tables.find(ContentScope("new", NOW, "1700000000.5")) == ["at", "before"]
    assert tables.count(ContentScope("new", NOW, "1700000000.5")) == {"fetched": 4, "to_go": 2}


def test_without_the_table_nothing_was_fetched(tables: Tables) -> None:
    """Where no content was ever loaded, and where no report was."""
    new = ContentScope("new", NOW - 2 * DAY)
    tables.add("late")
    tables.add("early", age=3 * DAY)
    tables.db.execute("DROP TABLE report_contents")
    assert tables.find() == ["late", "early"]
    assert tables.find(new) == ["late"]
    assert tables.count(new) == {"to_go": 1, "left_out": 1}
    tables.db.execute("DROP TABLE reports")
    assert tables.find() == []
    assert tables.count() == {}


def test_nothing_is_asked_where_none_is_wanted(tables: Tables) -> None:
    """Not even the destination."""
    tables.add("late")
    assert tables.find(ContentScope("never")) == []
    assert tables.queries == 0
