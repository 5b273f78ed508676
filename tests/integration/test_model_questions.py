"""The ten questions: each answer is worked out again in plain Python, from what the sandbox's syncs saw."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from statistics import fmean
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest

from cogny_source import sync
from cogny_source.destinations.duckdb_models import DuckDbModelStore
from cogny_source.models.build import build_models
from cogny_source.models.checks import run_tests
from cogny_source.models.questions import ask
from cogny_source.sandbox import SandboxServer, World
from cogny_source.sandbox.rows import report_content
from tests.support.lives import CLOSED, UNSEEN, Life, Lives, instant, remember
from tests.support.syncs import make_pipeline, settings_for

# Between the last two syncs Berlin sets its clocks back.
BORN = datetime(2025, 10, 18, 22, 30, tzinfo=UTC)
DAY = timedelta(days=1)
SYNCS = 4
Answers = dict[int, list[dict[str, Any]]]


@dataclass(frozen=True)
class Truth:
    """What the sandbox's rows say, and what the models answer."""

    lives: Lives
    reports: list[dict[str, Any]]
    warehouses: dict[str, str]
    recommended: dict[tuple[str, int], str]
    answers: Answers
    broken: list[str]

    @property
    def present(self) -> list[Life]:
        """The tickets that are not deleted."""
        return [life for life in self.lives.by_id.values() if life.deleted is None]


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Truth:
    """An account over nine days and four syncs, in which tickets change, come back and go."""
    folder = tmp_path_factory.mktemp("questions")
    by_id: dict[str, Life] = {}
    world = World(seed=11, tickets=150, reports=40, warehouses=3, now=BORN)
    with pytest.MonkeyPatch.context() as patch, SandboxServer(world) as sandbox:
        patch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
        recommended = _name_reports(world)
        for turn in range(SYNCS):
            if turn:
                world.advance(world.now + 3 * DAY, created=12, changed=60, deleted=4)
            sync(make_pipeline(folder), settings_for(sandbox, contents="all"))
            remember(by_id, world.rows("tickets"), world.now)
        make_pipeline(folder).deactivate()
    path = folder / "cogny.duckdb"
    with duckdb.connect(str(path)) as connection:
        store = DuckDbModelStore(connection, ("cogny", "cogny_data"), ("cogny", "cogny_data_models"))
        build_models(store, {"cogny_timezone": "Europe/Berlin"})
        answers = {
            it.question.number: [dict(zip(it.columns, row, strict=True)) for row in it.rows] for it in ask(store)
        }
        broken = [it.test.name for it in run_tests(store) if it.level == "error"]
        _, [(as_of,)] = store.query(f"SELECT tickets_as_of FROM {store.model('int_cogny__as_of')}")
    names = {row["id"]: row["name"] for row in world.rows("warehouses")}
    lives = Lives(by_id, as_of, ZoneInfo("Europe/Berlin"))
    return Truth(lives, world.rows("reports"), names, recommended, answers, broken)


def _name_reports(world: World) -> dict[tuple[str, int], str]:
    """Let a ticket name each recommendation by its report and title; returns the tickets by report and place."""
    wanted = []
    for report in world.rows("reports"):
        if report["status"] == "completed":
            told = report_content(world.seed, report)["recommendations"]
            titles = Counter(_plain(recommendation["title"]) for recommendation in told)
            wanted += [
                (report["id"], place, recommendation["title"])
                for place, recommendation in enumerate(told)
                if titles[_plain(recommendation["title"])] == 1 and _plain(recommendation["title"])
            ]
    named = {}
    for (report_id, place, title), row in zip(wanted, world.rows("tickets"), strict=False):
        world.put("tickets", row | {"supporting_data": {"report_id": report_id}, "title": f"– {title}!"})
        named[report_id, place] = row["id"]
    return named


def _plain(title: str) -> str:
    """The words of a title."""
    return re.sub(r"[\W_]+", " ", title).strip().lower()


def test_no_law_is_broken(truth: Truth) -> None:
    """The account is an odd one, and whole."""
    assert truth.broken == []
    assert any(life.deleted for life in truth.lives.by_id.values())
    assert any(life.reopenings for life in truth.lives.by_id.values())


def test_throughput_by_week(truth: Truth) -> None:
    """Whole weeks, the newest first."""
    lives = truth.lives
    counts: dict[str, Counter[date]] = defaultdict(Counter)
    for life in lives.by_id.values():
        counts["opened"] += lives.count([life.states[0][0]])
        counts["reopened"] += lives.count(life.reopenings)
        for moment, status in life.closings:
            counts[status] += lives.count([moment])
        if life.deleted and life.now["status"] not in CLOSED:
            counts["deleted"] += lives.count([life.deleted])
    monday = lives.last_day - timedelta(days=lives.last_day.weekday())
    expected = []
    for week in (monday - timedelta(weeks=number) for number in range(1, 14)):
        days = [week + timedelta(days=number) for number in range(7)]
        flows = {kind: sum(counts[kind][day] for day in days) for kind in ("opened", "reopened", *CLOSED, "deleted")}
        expected.append({"date_week": week, **flows, "open_at_end": len(lives.open_on(days[-1]))})
    assert truth.answers[1] == expected


def test_backlog_and_age(truth: Truth) -> None:
    """Of the last day."""
    ages: dict[str, list[int]] = defaultdict(list)
    for life in truth.present:
        if life.is_open:
            ages[life.now["priority"]].append((truth.lives.last_day - truth.lives.day(life.created)).days)
    found = {
        row["priority"]: (row["open_tickets"], row["open_for_30_days"], row["open_for_90_days"], row["mean_age_days"])
        for row in truth.answers[2]
    }
    assert found == {
        priority: (
            len(days),
            sum(day >= 30 for day in days),
            sum(day >= 90 for day in days),
            pytest.approx(fmean(days)),
        )
        for priority, days in ages.items()
    }


def test_time_in_each_status(truth: Truth) -> None:
    """Stays whose beginning and end were seen."""
    spans: dict[str, list[float]] = defaultdict(list)
    for life in truth.lives.by_id.values():
        for (began, status), (ended, _) in pairwise(life.stays):
            if status != UNSEEN:
                spans[status].append((ended - began) / DAY)
    found = {row["status"]: (row["stays"], row["mean_days"]) for row in truth.answers[3]}
    assert found == {status: (len(days), pytest.approx(fmean(days))) for status, days in spans.items()}


def test_completion_rate_by_category(truth: Truth) -> None:
    """Of what is closed and not deleted."""
    closed: dict[str, list[str]] = defaultdict(list)
    for life in truth.present:
        closed[life.now["category"]] += [life.now["status"]] if life.now["status"] in CLOSED else []
    found = {row["category"]: (row["closed"], row["completed"], row["completed_percent"]) for row in truth.answers[4]}
    assert found == {
        category: (
            len(own),
            own.count("completed"),
            pytest.approx(100 * own.count("completed") / len(own)) if own else None,
        )
        for category, own in closed.items()
    }


def test_impact_of_open_work(truth: Truth) -> None:
    """By warehouse and metric."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for life in truth.present:
        impact = life.now["estimated_impact"]
        if life.is_open and impact:
            groups[truth.warehouses[life.now["warehouse_id"]], impact["metric"]].append(impact)
    found = {(row["warehouse"], row["impact_metric"]): row for row in truth.answers[5]}
    assert found.keys() == groups.keys()
    for key, impacts in groups.items():
        row = found[key]
        change = sum(impact["projected_value"] - impact["current_value"] for impact in impacts)
        assert (row["open_tickets"], row["projected_change"]) == (len(impacts), pytest.approx(change))
        assert row["mean_increase_percentage"] == pytest.approx(fmean(it["increase_percentage"] for it in impacts))


def test_accepted_and_dismissed(truth: Truth) -> None:
    """With the reason that the notes name."""
    expected: Counter[tuple[str, str | None]] = Counter()
    for life in truth.present:
        status, notes = life.now["status"], life.now["notes"] or ""
        if status == "dismissed":
            expected["dismissed", notes.removeprefix("Dismissed: ") if notes.startswith("Dismissed: ") else None] += 1
        elif status in ("in_progress", "completed"):
            expected["accepted", None] += 1
    assert {(row["answer"], row["reason"]): row["tickets"] for row in truth.answers[6]} == expected


def test_report_success_and_duration(truth: Truth) -> None:
    """Reports that are not finished have no outcome."""
    durations: dict[str | None, list[float]] = defaultdict(list)
    counts: Counter[str | None] = Counter()
    for row in truth.reports:
        outcome = row["status"] if row["status"] in ("completed", "failed", "cancelled") else None
        counts[outcome] += 1
        if outcome == "completed":
            span = instant(row["completed_at"]) - instant(row["created_at"])
            durations[outcome].append(span.total_seconds() / 60)
    found = {row["outcome"]: row for row in truth.answers[7]}
    assert {outcome: row["reports"] for outcome, row in found.items()} == counts
    minutes = durations["completed"]
    assert (found["completed"]["mean_minutes"], found["completed"]["longest_minutes"]) == (
        pytest.approx(fmean(minutes)),
        pytest.approx(max(minutes)),
    )


def test_recommendations_that_led_to_tickets(truth: Truth) -> None:
    """Those whose report and title a ticket names, however it is written."""
    found = {(row["report_id"], row["position"]): (row["tickets"], row["ticket_outcome"]) for row in truth.answers[8]}
    statuses = {key: truth.lives.by_id[ticket].now["status"] for key, ticket in truth.recommended.items()}
    assert found == {key: (1, status if status in CLOSED else None) for key, status in statuses.items()}
    assert len(found) > 20


def test_load_by_assignee(truth: Truth) -> None:
    """Open tickets, the oldest by its creation."""
    groups: dict[str, list[Life]] = defaultdict(list)
    for life in truth.present:
        if life.is_open:
            groups[life.now["assignee"] or "nobody"].append(life)
    found = {row["assignee"]: row for row in truth.answers[9]}
    assert found.keys() == groups.keys()
    for name, own in groups.items():
        assert found[name]["open_tickets"] == len(own)
        assert found[name]["in_progress"] == sum(life.now["status"] == "in_progress" for life in own)
        assert found[name]["critical"] == sum(life.now["priority"] == "critical" for life in own)
        oldest = (truth.lives.as_of - min(life.created for life in own)) / DAY
        assert found[name]["oldest_days"] == pytest.approx(oldest)


def test_backlog_at_each_days_end(truth: Truth) -> None:
    """Of the last thirty days, the newest first."""
    days = list(truth.lives.each_day())[:-31:-1]
    assert truth.answers[10] == [{"date_day": day, "open_tickets": len(truth.lives.open_on(day))} for day in days]
