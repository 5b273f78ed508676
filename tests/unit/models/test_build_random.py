"""Tickets drawn by lot: the models equal what plain Python makes of the same versions, day by day."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.support.lives import CLOSED, UNSEEN, Life, Lives
from tests.support.models import KEPT, Models, Row, Tables, built, join, sync_run

STATUSES = ("open", "in_progress", "completed", "dismissed", "blocked")
PRIORITIES = ("critical", "low", None)
TICKETS = 70
# Around the day on which Berlin sets its clocks back, and the one on which New York does.
FIRST, LAST = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 8, 3, tzinfo=UTC)


def draw(seed: int) -> tuple[Tables, dict[str, Life]]:
    """Tables of tickets, and the same as lives."""
    rng = Random(seed)
    parts: list[Tables] = []
    by_id: dict[str, Life] = {}
    for number in range(TICKETS):
        identity = f"tkt_{number}"
        created = draw_instant(rng, FIRST, LAST)
        row: Row = {"id": identity, "warehouse_id": f"wh_{number % 2}", "category": "retention", "created_at": created}
        began = created if rng.random() < 0.7 else draw_instant(rng, created, LAST)
        versions = []
        for _ in range(rng.randint(1, 6)):
            changed = {"status": rng.choice(STATUSES), "priority": rng.choice(PRIORITIES), "updated_at": began}
            versions.append({**row, **changed})
            began += timedelta(seconds=rng.randrange(1, 10 * 86_400))
        deleted = draw_instant(rng, created, LAST) if rng.random() < 0.2 else None
        by_id[identity] = Life(created, [(version["updated_at"], version) for version in versions], deleted)
        history = [{name: version.get(name) for name in ("id", "updated_at", *KEPT)} for version in versions]
        parts.append({"tickets": [{**versions[-1], "deleted_at": deleted}], "tickets_history": history})
    rng.shuffle(parts)
    return join(*parts, sync_run("tickets", LAST.strftime("%Y-%m-%d %H:%M"))), by_id


def draw_instant(rng: Random, start: datetime, end: datetime) -> datetime:
    """An instant between two, to the second; often near midnight in Berlin or New York."""
    instant = start + timedelta(seconds=rng.randrange(int((end - start).total_seconds()) + 1))
    if rng.random() < 0.5:
        near = instant.replace(hour=rng.choice((4, 5, 22, 23)), minute=0, second=0) + timedelta(
            seconds=rng.choice((-1, 0, 1))
        )
        instant = near if start <= near <= end else instant
    return instant


@pytest.mark.parametrize(
    ("seed", "zone"),
    [
        (1, "Europe/Berlin"),
        (2, "America/New_York"),
        *(
            pytest.param(seed, zone, marks=pytest.mark.long)
            for seed, zone in enumerate(("Pacific/Auckland", "Asia/Kolkata", "UTC", "America/Sao_Paulo") * 10, 3)
        ),
    ],
)
def test_models_equal_plain_python(seed: int, zone: str) -> None:
    """Backlog, flow, closings, and seconds in each status."""
    tables, by_id = draw(seed)
    lives = Lives(by_id, LAST, ZoneInfo(zone))
    with built(tables, timezone=zone) as models:
        assert_backlog(models, lives)
        assert_flow(models, lives)
        assert_metrics(models, lives)
        broken = [outcome.test.name for outcome in models.broken()]
        assert set(broken) <= {"accepted_values_stg_cogny__tickets_status"}


def assert_backlog(models: Models, lives: Lives) -> None:
    """Each day and group, with the ages."""
    found = {
        tuple(row[name] for name in ("date_day", "status", "warehouse_id", "priority")): (
            *(row[name] for name in ("open_tickets", "open_for_7_days", "open_for_30_days", "age_days")),
        )
        for row in models.read("cogny_ticket_backlog_daily")
    }
    ages: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for day in lives.each_day():
        for status, (warehouse, _, priority), created in lives.open_on(day):
            ages[day, status, warehouse, priority].append((day - created).days)
    assert found == {
        group: (len(days), sum(age >= 7 for age in days), sum(age >= 30 for age in days), sum(days))
        for group, days in ages.items()
    }


def assert_flow(models: Models, lives: Lives) -> None:
    """What came and went on each day."""
    expected: Counter[tuple[Any, str]] = Counter()
    for life in lives.by_id.values():
        expected[lives.day(life.states[0][0]), "opened"] += 1
        for moment, status in life.closings:
            expected[lives.day(moment), status] += 1
        for moment in life.reopenings:
            expected[lives.day(moment), "reopened"] += 1
        if life.ended and life.now["status"] not in CLOSED:
            expected[lives.day(life.ended), "deleted"] += 1
    found: Counter[tuple[Any, str]] = Counter()
    for row in models.read("cogny_ticket_flow_daily"):
        for kind in ("opened", "reopened", "completed", "dismissed", "deleted"):
            found[row["date_day"], kind] += row[kind]
    assert found == expected


def assert_metrics(models: Models, lives: Lives) -> None:
    """Each ticket's closings and the seconds in each status."""
    for row in models.read("cogny_ticket_metrics"):
        life = lives.by_id[row["ticket_id"]]
        closings = [moment for moment, _ in life.closings]
        assert row["first_closed_at"] == (closings[0] if closings else None)
        assert row["closed_at"] == (closings[-1] if life.now["status"] in CLOSED else None)
        assert row["reopened_times"] == len(life.reopenings)
        end = life.ended or max(lives.as_of, life.stays[-1][0])
        seconds: Counter[str] = Counter()
        for (began, status), (ended, _) in zip(life.stays, [*life.stays[1:], (end, "")], strict=True):
            seconds[status if status in (*STATUSES[:4], UNSEEN) else "other"] += int((ended - began).total_seconds())
        for status in (*STATUSES[:4], UNSEEN, "other"):
            assert row[f"{status}_seconds"] == seconds[status], (row["ticket_id"], status)
        assert row["life_seconds"] == sum(seconds.values())
