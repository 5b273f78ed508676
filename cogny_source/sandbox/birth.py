"""The initial rows of a world, spread over the year before it."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from cogny_source.sandbox import data
from cogny_source.sandbox.instants import DAY, MINUTE, draw_between
from cogny_source.sandbox.rows import Row, new_id, new_report, new_ticket, new_warehouse, show, turn_report

YEAR = 365 * DAY

Times = tuple[int, int]


def born_tickets(rng: Random, count: int, now: int, ties: float, warehouse_ids: tuple[str, ...]) -> Iterator[Row]:
    """Make the tickets; the first eight have every category, status and priority."""
    ids = _draw_ids(rng, "tkt", count)
    times: Times = (now - YEAR, now - YEAR)
    for number, identity in enumerate(ids):
        status = _draw_status(rng, number, data.TICKET_STATUSES, (0.45, 0.65, 0.88))
        times = _draw_times(rng, now, ties, times, may_rest=status == "open")
        row = new_ticket(rng, identity, data.pick(rng, warehouse_ids), times[0])
        row["status"] = status
        if number < len(data.CATEGORIES):
            row["category"] = data.CATEGORIES[number]
            row["priority"] = data.PRIORITIES[(number + number // 4) % 4]
        if status == "dismissed":
            row["notes"] = f"Dismissed: {data.pick(rng, data.DISMISSALS)}"
        if times[1] != times[0]:
            row["updated_at"] = show(rng, times[1])
        yield row


def born_reports(rng: Random, count: int, now: int, ties: float, warehouse_ids: tuple[str, ...]) -> Iterator[Row]:
    """Make the reports; the first five have every status, and unfinished ones are at most two days old."""
    ids = _draw_ids(rng, "rpt", count)
    times: Times = (now - YEAR, now - YEAR)
    for number, identity in enumerate(ids):
        status = _draw_status(rng, number, data.REPORT_STATUSES, (0.05, 0.1, 0.85, 0.95))
        since = now - 2 * DAY if status in ("queued", "processing") else now - YEAR
        times = _draw_times(rng, now, ties, times, may_rest=status == "queued", since=since, lasting=60 * MINUTE)
        created, updated = times
        row = new_report(rng, identity, data.pick(rng, warehouse_ids), created)
        if status == "queued":
            times = (created, created)
        else:
            row = turn_report(rng, row, status, updated)
        yield row


def born_warehouses(rng: Random, count: int, now: int, timestamps: bool) -> list[Row]:
    """Make the warehouses, with timestamps if asked for."""
    rows: list[Row] = []
    for number, identity in enumerate(_draw_ids(rng, "wh", count)):
        row = new_warehouse(rng, identity, number)
        if timestamps:
            created = draw_between(rng, now - YEAR, now - 1)
            updated = draw_between(rng, created, now)
            row |= {"created_at": show(rng, created), "updated_at": show(rng, updated)}
        rows.append(row)
    return rows


def _draw_ids(rng: Random, prefix: str, count: int) -> list[str]:
    ids: dict[str, None] = {}
    while len(ids) < count:
        ids[new_id(rng, prefix)] = None
    return list(ids)


def _draw_status(rng: Random, number: int, statuses: tuple[Any, ...], steps: tuple[float, ...]) -> str:
    if number < 2 * len(statuses):
        return str(statuses[number % len(statuses)])
    draw = rng.random()
    return str(statuses[sum(draw >= step for step in steps)])


def _draw_times(
    rng: Random,
    now: int,
    ties: float,
    neighbour: Times,
    *,
    may_rest: bool,
    since: int | None = None,
    lasting: int = YEAR,
) -> Times:
    """Draw when a row was created and last updated; sometimes at the same instants as the row before it.

    Args:
        rng: The random numbers.
        now: No instant is later.
        ties: The probability that an instant is taken from the neighbour.
        neighbour: The instants of the row before.
        may_rest: Whether the row may be unchanged since its creation; otherwise it was updated later.
        since: The row is created after this instant.
        lasting: The longest time between the two instants.
    """
    start = now - YEAR if since is None else since
    created = draw_between(rng, start, now - 1)
    tied = rng.random() < ties
    if tied and start < neighbour[0] < now:
        created = neighbour[0]
    if may_rest and rng.random() < 0.7:
        return created, created
    if tied and created < neighbour[1] <= created + lasting:
        return created, neighbour[1]
    return created, draw_between(rng, created, min(now, created + lasting))
