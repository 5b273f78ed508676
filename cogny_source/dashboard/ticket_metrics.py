"""Ticket metrics: opened and closed, age, projected impact, and time in each status.

Deleted tickets are left out. A ticket is open unless its status is `completed` or `dismissed`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from cogny_source.destinations.portable_sql import NOT_GIVEN, OTHER, SECOND, Inquiry, Spread, one_of, quote
from cogny_source.formatting import DAY
from cogny_source.schema import TICKETS

STATUSES = ("open", "in_progress", "completed", "dismissed")
CLOSED = ("completed", "dismissed")
PRIORITIES = ("critical", "high", "medium", "low")
EFFORTS = ("low", "medium", "high")
WEEKS_SHOWN = 26
WEEK = 7 * DAY * SECOND
# The first Monday before 1970 is three days before it.
MONDAY = 3 * DAY * SECOND
AGES_DAYS = (7, 30, 90, 180)
PROMISES_SHOWN = 8
TITLE_CHARACTERS = 140
IS_OPEN = f"deleted_at IS NULL AND (status IS NULL OR status NOT IN ({quote(CLOSED)}))"
# A ticket is closed at the first version of its last closed period, or at its last change if no version shows it.
CLOSINGS = f"""
    SELECT id, min(began) AS closed_at FROM (
        SELECT id, status, updated_at AS began,
            max(CASE WHEN status IN ({quote(CLOSED)}) THEN NULL ELSE updated_at END) OVER (PARTITION BY id) AS last_open
        FROM tickets_history) AS versions
    WHERE status IN ({quote(CLOSED)}) AND (last_open IS NULL OR began > last_open) GROUP BY id
"""
# A visit is the time between two changes of the status; a visit that has not ended has no value.
VISITS = f"""
    SELECT {one_of("status", STATUSES)} AS kind, {{ended}} - {{began}} AS value FROM (
        SELECT status, updated_at AS began, lead(updated_at) OVER (PARTITION BY id ORDER BY updated_at) AS ended FROM (
            SELECT id, status, updated_at, coalesce(status, '') AS named,
                lag(coalesce(status, '')) OVER (PARTITION BY id ORDER BY updated_at) AS before
            FROM tickets_history) AS versions
        WHERE before IS NULL OR before <> named) AS changes
"""


@dataclass(frozen=True)
class Week:
    """A week of the tickets.

    Attributes:
        start: Its Monday, in microseconds since 1970.
        opened: Tickets created in it.
        closed: Closed tickets whose last closing was in it.
    """

    start: int
    opened: int
    closed: int


@dataclass(frozen=True)
class Promise:
    """An open ticket with a high projected increase and low effort."""

    title: str
    priority: str
    metric: str
    increase: float
    confidence: float | None
    age_seconds: float | None


@dataclass(frozen=True)
class Tickets:
    """The metrics.

    Attributes:
        statuses: The number of tickets by status.
        weeks: The last weeks, the present one last.
        ages: The number of open tickets by priority and age, as in `AGES_DAYS`, without undated ones.
        impacts: The distribution of the projected increase of open tickets in per cent, by effort.
        promises: Open tickets with low effort and the highest projected increase.
        visits: The distribution of ended visits in seconds, by status; None without history.
    """

    statuses: Counter[str]
    weeks: tuple[Week, ...]
    ages: dict[str, tuple[int, ...]]
    impacts: dict[str, Spread]
    promises: tuple[Promise, ...]
    visits: dict[str, Spread] | None

    @property
    def unnamed(self) -> int:
        """The number of tickets without a documented status."""
        return self.statuses[OTHER] + self.statuses[NOT_GIVEN]


def read_tickets(inquiry: Inquiry) -> Tickets | None:
    """Query the metrics; None without a table."""
    if not inquiry.has(TICKETS.name):
        return None
    has_history = inquiry.has(f"{TICKETS.name}_history")
    statuses = inquiry.query(
        f"SELECT {one_of('status', STATUSES)} AS kind, count(*) FROM tickets WHERE deleted_at IS NULL GROUP BY kind"
    )
    return Tickets(
        Counter(dict(statuses)),
        _read_weeks(inquiry, has_history=has_history),
        _read_ages(inquiry),
        inquiry.spreads(
            f"SELECT {one_of('effort', EFFORTS)} AS kind, estimated_impact__increase_percentage AS value"
            f" FROM tickets WHERE {IS_OPEN}"
        ),
        _read_promises(inquiry),
        _read_visits(inquiry) if has_history else None,
    )


def _read_weeks(inquiry: Inquiry, *, has_history: bool) -> tuple[Week, ...]:
    opened = _count_weeks(inquiry, "SELECT created_at AS moment FROM tickets WHERE deleted_at IS NULL")
    closed_at, joined = "updated_at", ""
    if has_history:
        closed_at, joined = "coalesce(c.closed_at, t.updated_at)", f" LEFT JOIN ({CLOSINGS}) AS c ON c.id = t.id"
    closed = _count_weeks(
        inquiry,
        f"SELECT {closed_at} AS moment FROM tickets AS t{joined}"
        f" WHERE t.deleted_at IS NULL AND t.status IN ({quote(CLOSED)})",
    )
    present = (inquiry.now + MONDAY) // WEEK
    return tuple(
        Week(week * WEEK - MONDAY, opened[week], closed[week]) for week in range(present - WEEKS_SHOWN + 1, present + 1)
    )


def _count_weeks(inquiry: Inquiry, instants: str) -> Counter[int]:
    """The number of a query's instants `moment` in each of the last weeks."""
    first = ((inquiry.now + MONDAY) // WEEK - WEEKS_SHOWN + 1) * WEEK - MONDAY
    micros = inquiry.micros("moment")
    found = inquiry.query(
        f"SELECT CAST(floor(({micros} + {MONDAY}) / {float(WEEK)}) AS BIGINT) AS week_number, count(*)"
        f" FROM ({instants}) AS given WHERE {micros} >= {first} GROUP BY week_number"
    )
    return Counter(dict(found))


def _read_ages(inquiry: Inquiry) -> dict[str, tuple[int, ...]]:
    age = f"({inquiry.now} - {inquiry.micros('created_at')})"
    classes = " ".join(f"WHEN {age} < {days * DAY * SECOND} THEN {place}" for place, days in enumerate(AGES_DAYS))
    found = inquiry.query(
        f"SELECT {one_of('priority', PRIORITIES)} AS kind, CASE {classes} ELSE {len(AGES_DAYS)} END AS place, count(*)"
        f" FROM tickets WHERE {IS_OPEN} AND created_at IS NOT NULL GROUP BY kind, place"
    )
    counts = {(kind, place): rows for kind, place, rows in found}
    kinds = [kind for kind in (*PRIORITIES, OTHER, NOT_GIVEN) if any(kind == known for known, _ in counts)]
    return {kind: tuple(counts.get((kind, place), 0) for place in range(len(AGES_DAYS) + 1)) for kind in kinds}


def _read_promises(inquiry: Inquiry) -> tuple[Promise, ...]:
    found: Sequence[tuple[str | None, str, str | None, float, float | None, int | None]] = inquiry.query(
        f"SELECT substr(title, 1, {TITLE_CHARACTERS + 1}), {one_of('priority', PRIORITIES)},"
        " substr(estimated_impact__metric, 1, 40), estimated_impact__increase_percentage AS increase,"
        f" estimated_impact__confidence, {inquiry.micros('created_at')}"
        f" FROM tickets WHERE {IS_OPEN} AND effort = '{EFFORTS[0]}' AND estimated_impact__increase_percentage > 0"
        f" ORDER BY increase DESC, id LIMIT {PROMISES_SHOWN}"
    )
    return tuple(
        Promise(
            title or "",
            priority,
            metric or "",
            increase,
            confidence,
            None if created is None else (inquiry.now - created) / SECOND,
        )
        for title, priority, metric, increase, confidence, created in found
    )


def _read_visits(inquiry: Inquiry) -> dict[str, Spread]:
    spreads = inquiry.spreads(VISITS.format(ended=inquiry.micros("ended"), began=inquiry.micros("began")))
    return {kind: Spread(found.count, tuple(rank / SECOND for rank in found.ranks)) for kind, found in spreads.items()}
