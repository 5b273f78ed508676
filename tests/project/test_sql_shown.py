"""Every SQL block of README.md and the pages of docs/: run on demo data, its figures held against plain Python."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any

import duckdb
import pytest

from cogny_source import sync
from cogny_source.sandbox import SandboxServer, World
from tests.support.syncs import ROOT, make_pipeline, settings_for

MODELS = ROOT / "docs" / "models.md"  # `test_models_shown.py`
PAGES = [ROOT / "README.md", *(page for page in sorted((ROOT / "docs").glob("*.md")) if page != MODELS)]
BLOCKS = [
    (page.name, block)
    for page in PAGES
    for block in re.findall(r"```sql\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
]
# BigQuery's own dialect, but for this name.
IN_BIGQUERY = "TIMESTAMP '2025-01-01'"
Row = dict[str, Any]
Read = Callable[[str], list[Row]]


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database of three syncs, between which rows change, come and go."""
    folder = tmp_path_factory.mktemp("shown")
    with pytest.MonkeyPatch.context() as patch, SandboxServer(World(seed=7, tickets=300, reports=60)) as sandbox:
        patch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
        for _ in range(3):
            pipeline = make_pipeline(folder)
            sync(pipeline, settings_for(sandbox, contents="all", contents_per_run=9))
            sandbox.world.advance(sandbox.world.now + timedelta(days=9))
            for row in sandbox.world.rows("tickets")[::3]:
                sandbox.world.patch("tickets", row["id"], notes=f"seen at {sandbox.world.now}")
        pipeline.deactivate()
    with duckdb.connect(str(folder / "cogny.duckdb"), read_only=True) as opened:
        opened.execute("SET TimeZone = 'UTC'")
        yield opened


@pytest.fixture
def read(connection: duckdb.DuckDBPyConnection) -> Read:
    """A table's rows, or those of a query, as dictionaries."""

    def rows(query: str) -> list[Row]:
        found = connection.execute(query)
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    return rows


def block(*words: str) -> str:
    """The one block that holds these words."""
    [found] = [text for _, text in BLOCKS if all(word in text for word in words)]
    return found


def live(read: Read, table: str) -> list[Row]:
    """The rows of a table that are not marked deleted."""
    return [row for row in read(f"FROM cogny_data.{table}") if row["deleted_at"] is None]


@pytest.mark.parametrize(("page", "text"), BLOCKS, ids=[f"{page}-{place}" for place, (page, _) in enumerate(BLOCKS)])
def test_each_block_runs(page: str, text: str, read: Read) -> None:
    """As it stands, and finds rows where the demo has some."""
    found = read(text)
    assert found or "corrections IS NOT NULL" in text, page


def test_open_tickets_by_priority(read: Read) -> None:
    """The numbers and means."""
    groups = defaultdict(list)
    for row in live(read, "tickets"):
        if row["status"] == "open":
            groups[row["priority"]].append(row["estimated_impact__increase_percentage"])
    rows = read(block("AS tickets", "AS increase", "GROUP BY ALL"))
    found = {row["priority"]: (row["tickets"], row["increase"]) for row in rows}
    known = {name: [value for value in values if value is not None] for name, values in groups.items()}
    assert found == {name: (len(groups[name]), pytest.approx(fmean(values))) for name, values in known.items()}


def test_open_tickets_by_warehouse(read: Read) -> None:
    """A ticket of a warehouse that is not listed has no name."""
    names = {row["id"]: row["name"] for row in read("FROM cogny_data.warehouses")}
    open_rows = [row for row in live(read, "tickets") if row["status"] in ("open", "in_progress")]
    tickets = Counter(names.get(row["warehouse_id"]) for row in open_rows)
    unassigned = Counter(names.get(row["warehouse_id"]) for row in open_rows if row["assignee"] is None)
    found = read(block("AS unassigned"))
    assert {row["warehouse"]: (row["tickets"], row["unassigned"]) for row in found} == {
        name: (number, unassigned[name]) for name, number in tickets.items()
    }


def test_completed_and_dismissed_by_category(read: Read) -> None:
    """In per cent of all tickets of the category."""
    statuses: dict[str, list[str]] = defaultdict(list)
    for row in live(read, "tickets"):
        statuses[row["category"]].append(row["status"])
    for row in read(block("AS completed_percent")):
        own = statuses.pop(row["category"])
        assert row["tickets"] == len(own)
        assert row["completed_percent"] == pytest.approx(100 * own.count("completed") / len(own), abs=0.051)
        assert row["dismissed_percent"] == pytest.approx(100 * own.count("dismissed") / len(own), abs=0.051)
    assert not statuses


def test_time_in_a_status_goes_by_stays(read: Read) -> None:
    """Versions that change something else than the status neither end a stay nor begin one."""
    versions: dict[str, list[tuple[datetime, str]]] = defaultdict(list)
    for row in read("FROM cogny_data.tickets_history"):
        versions[row["id"]].append((row["updated_at"], row["status"]))
    ended: dict[str, list[float]] = defaultdict(list)
    going_on: Counter[str] = Counter()
    for told in versions.values():
        told.sort()
        begins = [told[0], *(new for old, new in pairwise(told) if new[1] != old[1])]
        for (began, status), (left, _) in pairwise(begins):
            ended[status].append((left - began).total_seconds())
        going_on[begins[-1][1]] += 1
    assert sum(map(len, versions.values())) > sum(map(len, ended.values())) + len(
        versions
    )  # some versions change no status
    found = read(block("AS going_on"))
    assert {row["status"]: (row["ended"], row["going_on"]) for row in found} == {
        status: (len(ended[status]), going_on[status]) for status in {*ended, *going_on}
    }
    for row in found:
        if row["ended"]:
            assert row["mean"].total_seconds() == pytest.approx(fmean(ended[row["status"]]), abs=1)


def test_reports_by_day(read: Read) -> None:
    """Failed ones, and the mean time of the completed."""
    days: dict[datetime, list[Row]] = defaultdict(list)
    for row in live(read, "reports"):
        days[row["created_at"].astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)].append(row)
    for row in read(block("FROM cogny_data.reports", "AS failed")):
        own = days.pop(row["day"].astimezone(UTC))
        assert (row["reports"], row["failed"]) == (len(own), sum(one["status"] == "failed" for one in own))
        spans = [one["completed_at"] - one["created_at"] for one in own if one["status"] == "completed"]
        seconds = [span.total_seconds() for span in spans]
        assert (row["mean"] and row["mean"].total_seconds()) == (
            pytest.approx(fmean(seconds), abs=1) if spans else None
        )
    assert not days


def test_what_the_newest_reports_found(read: Read) -> None:
    """Insights with their sections, the newest report first."""
    reports = {row["id"]: row["completed_at"] for row in live(read, "reports")}
    sections = {(row["report_id"], row["position"]): row["title"] for row in read("FROM cogny_data.report_sections")}
    insights = [row for row in read("FROM cogny_data.report_insights") if row["report_id"] in reports]
    insights.sort(key=lambda row: (row["report_id"], row["section_position"], row["position"]))
    insights.sort(key=lambda row: reports[row["report_id"]], reverse=True)
    expected = [
        {
            "completed_at": reports[row["report_id"]],
            "section": sections[row["report_id"], row["section_position"]],
            "insight": row["content"],
            "confidence": row["confidence"],
        }
        for row in insights
    ]
    assert read(block("AS insight")) == expected[:20]
    assert len(expected) > 20


def test_recommendations_by_priority_and_effort(read: Read) -> None:
    """Numbers and means."""
    groups = defaultdict(list)
    for row in read("FROM cogny_data.report_recommendations"):
        groups[row["priority"], row["effort"]].append(row["estimated_impact__increase_percentage"])
    found = {(row["priority"], row["effort"]): row for row in read(block("AS recommendations"))}
    assert {key: (row["recommendations"], row["increase"]) for key, row in found.items()} == {
        key: (len(values), pytest.approx(fmean(values))) for key, values in groups.items()
    }


def test_steps_of_critical_recommendations(read: Read) -> None:
    """In their order, the newest report first."""
    reports = {row["id"]: row["completed_at"] for row in live(read, "reports")}
    advice = {(row["report_id"], row["position"]): row for row in read("FROM cogny_data.report_recommendations")}
    critical = {key for key, row in advice.items() if row["priority"] == "critical"}
    steps = [
        (row["report_id"], row["recommendation_position"], row["position"], row["value"])
        for row in read("FROM cogny_data.report_recommendations__action_items")
        if row["report_id"] in reports and (row["report_id"], row["recommendation_position"]) in critical
    ]
    steps.sort(key=lambda step: step[:3])
    steps.sort(key=lambda step: reports[step[0]], reverse=True)
    expected = [
        {"completed_at": reports[key], "recommendation": advice[key, place]["title"], "step": at + 1, "what": value}
        for key, place, at, value in steps
    ]
    assert expected
    assert read(block("AS recommendation,", "AS what")) == expected[:20]


def test_reports_whose_content_is_not_there(read: Read) -> None:
    """Here those that later runs fetch."""
    fetched = {row["report_id"] for row in read("FROM cogny_data.report_contents") if row["status"] == "fetched"}
    lacking = [row for row in live(read, "reports") if row["status"] == "completed" and row["id"] not in fetched]
    assert lacking
    expected = {"content": "not fetched", "reports": len(lacking), "with_an_earlier_version": 0}
    assert read(block("'not fetched'")) == [expected]


def test_runs_by_day_count_runs(read: Read) -> None:
    """Not the resources of each."""
    runs = read("FROM cogny_data.sync_runs")
    [row] = read(block("AS throttled"))
    assert (row["runs"], row["not_done"]) == (3, 0)
    assert row["requests"] == sum(run["requests"] for run in runs)
    assert row["throttled"] == sum(run["throttled"] for run in runs)
    assert row["waited"] == round(sum(run["waited_seconds"] for run in runs))


def test_tickets_by_status_since_a_day(read: Read) -> None:
    """BigQuery's query, which DuckDB reads too."""
    groups: dict[str, list[float | None]] = defaultdict(list)
    for row in live(read, "tickets"):
        if row["created_at"] >= datetime(2025, 1, 1, tzinfo=UTC):
            groups[row["status"]].append(row["estimated_impact__increase_percentage"])
    assert {row["status"]: row["tickets"] for row in read(block(IN_BIGQUERY))} == {
        status: len(values) for status, values in groups.items()
    }


def test_each_block_has_a_test_of_its_figures() -> None:
    """Or lists rows as they are."""
    text = Path(__file__).read_text("utf-8")
    words = re.findall(r"block\(([^)]*)\)", text)
    named = [[word.strip(' "') for word in found.split(",")] for found in words if '"' in found]
    named = [*named, [IN_BIGQUERY], ["corrections IS NOT NULL"]]
    without = [sql for _, sql in BLOCKS if not any(all(word in sql for word in found) for found in named)]
    assert without == []
