"""The models of tickets: lives that are odd, each as the smallest case of its kind."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from typing import Any

import pytest

from tests.support.model_cases import LIVES
from tests.support.models import Models, Row, at, built, join, sync_run, ticket

DAY = 86_400.0


@pytest.fixture(scope="module")
def models() -> Iterator[Models]:
    """All cases, built together."""
    with built(LIVES) as found:
        yield found


@pytest.fixture
def of_ticket(models: Models) -> Any:
    """A ticket's row of the metrics."""
    rows = {row["ticket_id"]: row for row in models.read("cogny_ticket_metrics")}
    return rows.__getitem__


def test_no_law_is_broken(models: Models) -> None:
    """Of however odd lives."""
    assert models.broken() == []


def test_seconds_in_each_status(of_ticket: Any) -> None:
    """From change to change; the last one goes on up to what is known."""
    closed = of_ticket("closed")
    assert (closed["open_seconds"], closed["in_progress_seconds"], closed["completed_seconds"]) == (
        2 * DAY,
        2 * DAY,
        6 * DAY,
    )
    assert (closed["first_response_at"], closed["closed_at"]) == (at("2026-10-03"), at("2026-10-05"))
    assert (closed["seconds_to_close"], closed["age_seconds"]) == (4 * DAY, None)
    plain = of_ticket("plain")
    assert (plain["open_seconds"], plain["age_seconds"], plain["closed_at"]) == (10 * DAY, 10 * DAY, None)


def test_reopened_once_and_closed_twice(of_ticket: Any) -> None:
    """From dismissed to completed it stays closed."""
    row = of_ticket("reopened")
    assert (row["reopened_times"], row["transitions"], row["outcome"]) == (1, 4, "completed")
    assert (row["first_closed_at"], row["closed_at"]) == (at("2026-10-02"), at("2026-10-08"))
    assert (row["open_seconds"], row["completed_seconds"], row["dismissed_seconds"]) == (5 * DAY, 4 * DAY, DAY)


def test_a_life_ends_with_the_deletion(of_ticket: Any) -> None:
    """However the two clocks stamp it."""
    assert of_ticket("deleted")["life_seconds"] == 5 * DAY
    odd = of_ticket("deleted before its change")
    assert (odd["unseen_seconds"], odd["open_seconds"], odd["life_seconds"]) == (6 * DAY, 0, 6 * DAY)


def test_nothing_is_invented_before_the_first_version(of_ticket: Any) -> None:
    """It may have been answered already; the time until then has no status."""
    for name, outcome in (("unseen beginning", "completed"), ("without history", "dismissed")):
        row = of_ticket(name)
        assert (row["has_unseen_beginning"], row["seen_from"]) == (True, at("2026-10-06"))
        assert (row["first_response_at"], row["seconds_to_first_response"]) == (None, None)
        assert (row["unseen_seconds"], row["open_seconds"], row[f"{outcome}_seconds"]) == (5 * DAY, 0, 5 * DAY)


def test_unknown_statuses_count_as_open(of_ticket: Any) -> None:
    """One that the API does not document, and none."""
    row = of_ticket("unknown status")
    assert (row["is_open"], row["other_seconds"], row["open_seconds"]) == (True, 10 * DAY, 0)
    assert row["first_response_at"] == at("2026-10-01")


def test_a_change_without_a_date_is_the_newest(of_ticket: Any) -> None:
    """It takes the place of the last version that was seen."""
    row = of_ticket("undated change")
    assert (row["outcome"], row["completed_seconds"], row["open_seconds"]) == ("completed", 10 * DAY, 0)


def test_a_ticket_without_a_date_has_no_life(of_ticket: Any) -> None:
    """It is counted as open, and as nothing else."""
    row = of_ticket("undated")
    assert (row["is_open"], row["life_seconds"], row["age_seconds"], row["transitions"]) == (True, None, None, 0)
    never_created = of_ticket("never created")
    assert (never_created["life_seconds"], never_created["age_seconds"]) == (8 * DAY, None)


def test_a_life_may_begin_before_its_creation(models: Models) -> None:
    """Where the API stamps a change earlier; the ticket's age in the backlog begins with it."""
    rows = models.rows("SELECT age_days FROM cogny_ticket_backlog_daily WHERE status = 'in_progress' AND is_last_day")
    assert rows == [(3,)]


def test_versions_that_the_api_took_back_do_not_count(of_ticket: Any) -> None:
    """The last span is the ticket as it is loaded."""
    assert (of_ticket("plain")["reopened_times"], of_ticket("plain")["completed_seconds"]) == (0, 0)


def test_transitions_are_bounded_by_what_syncs_saw(models: Models) -> None:
    """A change between two syncs happened after the first of them, and after the change before."""
    rows = models.rows(
        "SELECT transition_number, kind, from_status, to_status, happened_after, is_seen FROM cogny_ticket_transitions"
        " WHERE ticket_id = 'reopened' ORDER BY 1"
    )
    assert rows == [
        (1, "created", None, "open", None, True),
        (2, "closed", "open", "completed", at("2026-10-01"), True),
        (3, "reopened", "completed", "open", at("2026-10-02"), True),
        (4, "closed", "open", "dismissed", at("2026-10-05"), True),
        (5, "moved", "dismissed", "completed", at("2026-10-08"), True),
    ]
    [unseen] = models.rows(
        "SELECT kind, from_status, happened_after, is_seen FROM cogny_ticket_transitions"
        " WHERE ticket_id = 'unseen beginning' AND transition_number = 2"
    )
    assert unseen == ("closed", None, at("2026-10-01"), False)


def test_backlog_of_each_day(models: Models) -> None:
    """What is stamped later than what is known counts on the last day."""
    days: dict[date, int] = dict(
        models.rows("SELECT date_day, sum(open_tickets) FROM cogny_ticket_backlog_daily GROUP BY 1 ORDER BY 1")
    )
    expected = {1: 9, 2: 8, 3: 9, 4: 10, 5: 9, 6: 6, 7: 5, 8: 5, 9: 5, 10: 5, 11: 4}
    assert days == {date(2026, 10, day): count for day, count in expected.items()}


def test_flow_of_the_whole(models: Models) -> None:
    """Each ticket with a place in time is opened once, what is born closed too."""
    [row] = models.rows(
        "SELECT sum(opened), sum(reopened), sum(completed), sum(dismissed), sum(deleted), sum(change)"
        " FROM cogny_ticket_flow_daily"
    )
    assert row == (13, 1, 6, 2, 2, 4)


def test_backlog_by_age_and_status() -> None:
    """A ticket that nobody had seen has the status `unseen`; ages are counted in days from its creation."""
    cases = join(
        ticket("old", "2026-01-01", ("2026-04-01", "in_progress")),
        ticket("none", "2026-03-25", priority=None, category=None, warehouse_id=None),
        sync_run("tickets", "2026-04-02"),
    )
    with built(cases) as models:
        rows = models.rows(
            "SELECT date_day, warehouse_id, status, open_tickets, open_for_7_days, open_for_30_days, open_for_90_days,"
            " age_days FROM cogny_ticket_backlog_daily WHERE date_day >= DATE '2026-03-31' ORDER BY 1, 2"
        )
        assert models.broken() == []
    assert rows == [
        (date(2026, 3, 31), "wh_1", "unseen", 1, 1, 1, 0, 89),
        (date(2026, 3, 31), None, "open", 1, 0, 0, 0, 6),
        (date(2026, 4, 1), "wh_1", "in_progress", 1, 1, 1, 1, 90),
        (date(2026, 4, 1), None, "open", 1, 1, 0, 0, 7),
        (date(2026, 4, 2), "wh_1", "in_progress", 1, 1, 1, 1, 91),
        (date(2026, 4, 2), None, "open", 1, 1, 0, 0, 8),
    ]


def test_late_versions_change_the_past() -> None:
    """A version that comes late stands where it began, not where it was loaded."""
    versions = (("2026-10-01", "open"), ("2026-10-03", "completed"), ("2026-10-09", "open"))
    run = sync_run("tickets", "2026-10-10")
    for seen, reopened in ((versions[::2], 0), (versions, 1)):
        with built(join(ticket("late", "2026-10-01", *seen), run)) as models:
            [row] = models.read("cogny_ticket_metrics")
            assert row["reopened_times"] == reopened
            assert models.broken() == []


def test_a_ticket_that_is_back_from_deletion_was_always_there() -> None:
    """The mark is gone, so that the backlog of the past holds it again."""
    for deleted, life in ((at("2026-10-04"), 3 * DAY), (None, 9 * DAY)):
        case = join(ticket("back", "2026-10-01", deleted_at=deleted), sync_run("tickets", "2026-10-10"))
        with built(case) as models:
            [row] = models.read("cogny_ticket_metrics")
            assert row["life_seconds"] == life
            assert models.broken() == []


@pytest.mark.parametrize(
    ("zone", "opened", "closed"),
    [
        ("Europe/Berlin", date(2026, 10, 25), date(2026, 10, 26)),
        ("America/New_York", date(2026, 10, 24), date(2026, 10, 25)),
    ],
)
def test_days_are_those_of_the_reader(zone: str, opened: date, closed: date) -> None:
    """The day on which Berlin sets its clocks back has 25 hours, of which 23:30 is the last."""
    case = join(
        ticket("night", "2026-10-24 22:30", ("2026-10-24 22:30", "open"), ("2026-10-25 23:30", "completed")),
        ticket("other", "2026-10-20"),
        sync_run("tickets", "2026-10-27 12:00"),
    )
    with built(case, timezone=zone) as models:
        rows = models.rows(
            "SELECT min(date_day) FILTER (opened > 0), min(date_day) FILTER (completed > 0)"
            " FROM cogny_ticket_flow_daily WHERE date_day > DATE '2026-10-21'"
        )
        assert rows == [(opened, closed)]
        [metrics] = models.rows("SELECT open_seconds FROM cogny_ticket_metrics WHERE ticket_id = 'night'")
        assert metrics == (25 * 3600.0,)
        assert models.broken() == []


@pytest.mark.parametrize(("start", "week"), [("monday", date(2026, 10, 19)), ("sunday", date(2026, 10, 25))])
def test_weeks_begin_as_the_reader_says(start: str, week: date) -> None:
    """Each week from the first to the present one has a row."""
    case = join(ticket("a", "2026-10-25"), ticket("b", "2026-11-09"), sync_run("tickets", "2026-11-17"))
    with built(case, week_start=start) as models:
        weeks = models.rows("SELECT date_week, opened, open_at_end FROM cogny_ticket_flow_weekly ORDER BY 1")
        assert models.broken() == []
    assert weeks[0] == (week, 1, 1)
    assert {(later - earlier).days for (earlier, *_), (later, *_) in pairwise(weeks)} == {7}
    assert weeks[-1][1:] == (0, 2)


def test_priority_and_category_may_change() -> None:
    """The ticket leaves one group and comes into another; the total stays."""
    case = ticket("mover", "2026-10-01", ("2026-10-01", "open"), ("2026-10-03", "open"))
    case["tickets_history"][1]["priority"] = case["tickets"][0]["priority"] = "low"
    with built(join(case, sync_run("tickets", "2026-10-05"))) as models:
        rows = models.rows(
            "SELECT date_day, priority, opened, moved_in, moved_out, change FROM cogny_ticket_flow_daily ORDER BY 1, 2"
        )
        assert models.broken() == []
    assert rows == [
        (date(2026, 10, 1), "high", 1, 0, 0, 1),
        (date(2026, 10, 3), "high", 0, 0, 1, -1),
        (date(2026, 10, 3), "low", 0, 1, 0, 1),
    ]


def test_closing_curve_counts_what_is_still_open() -> None:
    """Of three tickets one is closed in its first week, one in its third, one is watched for five weeks."""
    case = join(
        ticket("fast", "2026-09-01", ("2026-09-01", "open"), ("2026-09-03", "completed")),
        ticket("slow", "2026-09-01", ("2026-09-01", "open"), ("2026-09-17", "completed")),
        ticket("open", "2026-09-01"),
        sync_run("tickets", "2026-10-08"),
    )
    with built(case) as models:
        rows = models.rows(
            "SELECT week_of_age, at_risk, closed, share_closed FROM cogny_ticket_closing_curve ORDER BY 1"
        )
    assert rows == [(0, 3, 1, pytest.approx(1 / 3)), (2, 2, 1, pytest.approx(2 / 3)), (5, 1, 0, pytest.approx(2 / 3))]


def test_impact_is_told_for_each_metric() -> None:
    """First and last projection of each, and which one holds now."""
    versions = [("2026-10-01", "open")] * 3
    case = ticket("impact", "2026-10-01", *versions)
    told: list[Row] = [
        {"updated_at": at("2026-10-01"), "estimated_impact__metric": "churn_rate", "estimated_impact__confidence": 0.5},
        {"updated_at": at("2026-10-02"), "estimated_impact__metric": "churn_rate", "estimated_impact__confidence": 0.7},
        {"updated_at": at("2026-10-03"), "estimated_impact__metric": "monthly_revenue"},
    ]
    for row, values in zip(case["tickets_history"], told, strict=True):
        row.update(values)
    case["tickets"][0].update(told[-1], estimated_impact__current_value=10.0, estimated_impact__projected_value=12.5)
    with built(join(case, sync_run("tickets", "2026-10-05"))) as models:
        rows = models.rows(
            "SELECT impact_metric, is_current, is_good_when_rising, first_confidence, last_confidence,"
            " last_projected_change FROM cogny_ticket_impact ORDER BY 1"
        )
        assert models.broken() == []
    assert rows == [("churn_rate", False, False, 0.5, 0.7, None), ("monthly_revenue", True, True, None, None, 2.5)]


def test_why_a_ticket_was_dismissed() -> None:
    """The API's own field wins over notes; the reason is that of the last dismissal."""
    days = [("2026-10-01", "open"), ("2026-10-02", "dismissed"), ("2026-10-03", "open"), ("2026-10-04", "dismissed")]
    told = {
        ("other", "field"): ('{"dismissal_reason": "other"}', "Dismissed: not_applicable"),
        ("resource_constraints", "notes"): (None, "Dismissed: resource_constraints"),
        (None, None): ("{}", "we lack people"),
    }
    tickets = [
        ticket(str(reason), "2026-10-01", *days, extra=extra, notes=notes) for reason, (extra, notes) in told.items()
    ]
    with built(join(*tickets, sync_run("tickets", "2026-10-05"))) as models:
        rows = models.rows(
            "SELECT ticket_id, is_last, reason, reason_from, came_back FROM cogny_dismissals ORDER BY 1, 2"
        )
    assert sorted(rows) == sorted(
        row for reason in told for row in ((str(reason), False, None, None, True), (str(reason), True, *reason, False))
    )
