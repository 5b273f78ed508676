"""Ticket metrics: opened and closed, age, projected impact, and time in each status.

Deleted tickets are left out. A ticket is open unless its status is `completed` or `dismissed`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cogny_source.destinations.portable_sql import NOT_GIVEN, OTHER, SECOND, Inquiry, Spread, one_of, quote
from cogny_source.formatting import DAY
from cogny_source.schema import SYNC_RUNS, TICKETS, WAREHOUSES

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
GROUPS_SHOWN = 3
URGENT = PRIORITIES[:2]
TITLE_CHARACTERS = 140
LINK = re.compile(r"https://[\w.-]+(:\d+)?(/[!-~]*)?", re.ASCII)
IS_OPEN = f"deleted_at IS NULL AND (status IS NULL OR status NOT IN ({quote(CLOSED)}))"
# A ticket is closed at the first version of its last closed period. Of a ticket that no version shows open nobody knows
# when it was closed.
CLOSINGS = f"""
    SELECT id, min(began) AS closed_at FROM (
        SELECT id, status, updated_at AS began,
            max(CASE WHEN status IN ({quote(CLOSED)}) THEN NULL ELSE updated_at END) OVER (PARTITION BY id) AS last_open
        FROM tickets_history) AS versions
    WHERE status IN ({quote(CLOSED)}) AND began > last_open GROUP BY id
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
        closed: Closed tickets whose last closing was in it; None if it was over when the first sync began.
    """

    start: int
    opened: int
    closed: int | None


@dataclass(frozen=True)
class Group:
    """Open tickets that share a category, a warehouse or an assignee.

    Attributes:
        name: What they share; None for all others.
        tickets: Their number.
        urgent: Those of them of critical or high priority.
    """

    name: str | None
    tickets: int
    urgent: int


@dataclass(frozen=True)
class Promise:
    """An open ticket of low effort that promises much: its increase times its confidence is high."""

    id: str
    url: str | None
    title: str
    priority: str
    metric: str
    increase: float
    confidence: float | None
    age_seconds: float | None

    @property
    def link(self) -> str | None:
        """Its URL if a page may link to it: only https, and nothing that turns or ends a line."""
        return self.url if self.url and LINK.fullmatch(self.url) else None


@dataclass(frozen=True)
class Tickets:
    """The metrics.

    Attributes:
        statuses: The number of tickets by status.
        weeks: The last weeks, the present one last.
        undated: Closed tickets that were closed already when they were first seen; None without history.
        ages: The number of open tickets by priority and age, as in `AGES_DAYS`, without undated ones.
        impacts: The distribution of the projected increase of open tickets in per cent, by effort.
        groups: The largest groups of open tickets, by what they share.
        promises: Open tickets with low effort and the highest projected increase, weighed by its confidence.
        visits: The distribution of ended visits in seconds, by status; None without history.
    """

    statuses: Counter[str]
    weeks: tuple[Week, ...]
    undated: int | None
    ages: dict[str, tuple[int, ...]]
    impacts: dict[str, Spread]
    groups: dict[str, tuple[Group, ...]]
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
        *_read_weeks(inquiry, has_history=has_history),
        _read_ages(inquiry),
        inquiry.spreads(
            f"SELECT {one_of('effort', EFFORTS)} AS kind, estimated_impact__increase_percentage AS value"
            f" FROM tickets WHERE {IS_OPEN}"
        ),
        _read_groups(inquiry),
        _read_promises(inquiry),
        _read_visits(inquiry) if has_history else None,
    )


def _read_weeks(inquiry: Inquiry, *, has_history: bool) -> tuple[tuple[Week, ...], int | None]:
    """The last weeks, and how many closed tickets no week can have."""
    opened = _count_weeks(inquiry, "SELECT created_at AS moment FROM tickets WHERE deleted_at IS NULL")
    closed_now = f"t.deleted_at IS NULL AND t.status IN ({quote(CLOSED)})"
    undated, seen_from = None, None
    if has_history:
        joined = f"FROM tickets AS t LEFT JOIN ({CLOSINGS}) AS c ON c.id = t.id WHERE {closed_now}"
        closed = _count_weeks(inquiry, f"SELECT c.closed_at AS moment {joined}")
        [(undated,)] = inquiry.query(f"SELECT count(*) {joined} AND c.closed_at IS NULL")
        seen_from = _find_first_sync(inquiry)
    else:
        closed = _count_weeks(inquiry, f"SELECT t.updated_at AS moment FROM tickets AS t WHERE {closed_now}")
    present = (inquiry.now + MONDAY) // WEEK
    starts = [week * WEEK - MONDAY for week in range(present - WEEKS_SHOWN + 1, present + 1)]
    weeks = tuple(
        Week(start, opened[start], None if seen_from is not None and start + WEEK <= seen_from else closed[start])
        for start in starts
    )
    return weeks, undated


def _find_first_sync(inquiry: Inquiry) -> int | None:
    """When the first sync of tickets on record began, in microseconds since 1970; None without a record."""
    if not inquiry.has(SYNC_RUNS.name):
        return None
    began = f"min({inquiry.micros('started_at')})"
    [(micros,)] = inquiry.query(f"SELECT {began} FROM {SYNC_RUNS.name} WHERE resource = '{TICKETS.name}'")
    return None if micros is None else int(micros)


def _count_weeks(inquiry: Inquiry, instants: str) -> Counter[int]:
    """The number of a query's instants `moment` in each of the last weeks, by its Monday."""
    first = ((inquiry.now + MONDAY) // WEEK - WEEKS_SHOWN + 1) * WEEK - MONDAY
    micros = inquiry.micros("moment")
    found = inquiry.query(
        f"SELECT CAST(floor(({micros} + {MONDAY}) / {float(WEEK)}) AS BIGINT) AS week_number, count(*)"
        f" FROM ({instants}) AS given WHERE {micros} >= {first} GROUP BY week_number"
    )
    return Counter({week * WEEK - MONDAY: rows for week, rows in found})


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


def _read_groups(inquiry: Inquiry) -> dict[str, tuple[Group, ...]]:
    """The largest groups of open tickets by what they share, and all others together, last."""
    names = {"category": "t.category", "assignee": "t.assignee", "warehouse": "t.warehouse_id"}
    joined = ""
    if inquiry.has(WAREHOUSES.name):
        names["warehouse"] = "coalesce(w.name, t.warehouse_id)"
        joined = f" LEFT JOIN {WAREHOUSES.name} AS w ON w.id = t.warehouse_id"
    urgent = f"CASE WHEN t.priority IN ({quote(URGENT)}) THEN 1 ELSE 0 END"
    groups: dict[str, tuple[Group, ...]] = {}
    for kind, name in names.items():
        found = inquiry.query(
            "SELECT spot, max(name), sum(tickets), sum(urgent) FROM (SELECT name, tickets, urgent, CASE WHEN place"
            f" <= {GROUPS_SHOWN} THEN place ELSE {GROUPS_SHOWN + 1} END AS spot FROM (SELECT name, tickets, urgent,"
            " row_number() OVER (ORDER BY tickets DESC, name) AS place FROM (SELECT name, count(*) AS tickets,"
            f" sum(is_urgent) AS urgent FROM (SELECT coalesce({name}, '{NOT_GIVEN}') AS name, {urgent} AS is_urgent"
            f" FROM (SELECT * FROM tickets WHERE {IS_OPEN}) AS t{joined}) AS given GROUP BY name) AS grouped)"
            " AS ordered) AS spotted GROUP BY spot ORDER BY spot"
        )
        groups[kind] = tuple(
            Group(shown if spot <= GROUPS_SHOWN else None, int(tickets), int(urgent))
            for spot, shown, tickets, urgent in found
        )
    return groups


def _read_promises(inquiry: Inquiry) -> tuple[Promise, ...]:
    weight = "estimated_impact__increase_percentage * coalesce(estimated_impact__confidence, 0)"
    found: Sequence[tuple[Any, ...]] = inquiry.query(
        f"SELECT id, url, substr(title, 1, {TITLE_CHARACTERS + 1}), {one_of('priority', PRIORITIES)},"
        " substr(estimated_impact__metric, 1, 40), estimated_impact__increase_percentage AS increase,"
        f" estimated_impact__confidence, {inquiry.micros('created_at')}"
        f" FROM tickets WHERE {IS_OPEN} AND effort = '{EFFORTS[0]}' AND estimated_impact__increase_percentage > 0"
        f" ORDER BY {weight} DESC, increase DESC, id LIMIT {PROMISES_SHOWN}"
    )
    return tuple(
        Promise(
            key,
            url,
            title or "",
            priority,
            metric or "",
            increase,
            confidence,
            None if created is None else (inquiry.now - created) / SECOND,
        )
        for key, url, title, priority, metric, increase, confidence, created in found
    )


def _read_visits(inquiry: Inquiry) -> dict[str, Spread]:
    spreads = inquiry.spreads(VISITS.format(ended=inquiry.micros("ended"), began=inquiry.micros("began")))
    return {kind: Spread(found.count, tuple(rank / SECOND for rank in found.ranks)) for kind, found in spreads.items()}
