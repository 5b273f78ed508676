"""Rows that move between two pages, against the script's command, over the API's possible habits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import combinations, product
from typing import Any

import pytest

from cogny_source.sandbox import SandboxServer, World
from tests.support.syncs import Script
from tests.support.truth import Ask, assert_marked, read_gone

CHUNKS = ("--quiet", "--chunk-rows", "350", "--accept-deletions")
BUSY = {"churn_per_page": 3, "churn_creates_per_page": 1, "churn_deletes_per_page": 1}
# More tickets than a chunk holds, and more reports than a page.
TIED = {"tickets": 400, "reports": 120}


@dataclass(frozen=True)
class Habit:
    """How one resource is listed: the order that comes instead of the one asked for, and whether filters are heeded."""

    order: str | None = None
    filtered: bool = True


@dataclass(frozen=True)
class Cell:
    """Two resources of one API.

    Attributes:
        tickets: How they are listed.
        reports: How they are listed.
        switches: They hold for both.
        tied: Whether many rows share their timestamps.
        census: What the last sync is asked for.
    """

    tickets: Habit
    reports: Habit
    switches: dict[str, Any]
    tied: bool = False
    census: str = "auto"


PLAIN, UNFILTERED = Habit(), Habit(filtered=False)
INCLUSIVE, OFFSET = {"inclusive_bounds": True}, {"cursor_kind": "offset"}
DATE_ONLY = {"meta_timestamp": False}
CLOCKLESS = {"meta_timestamp": False, "date_header": False}
BEHIND = {"clock_offset_seconds": -3600}
# A server that is behind its own stamps, or does not count, leaves it to a person to ask for a census.
CENSUS = "always"
UNCOUNTED = {"total_count": False}

# Chosen so that any two of order, filter, bounds, cursor, clock and ties meet; see `test_any_two_habits_meet`.
CELLS = {
    "as documented": Cell(PLAIN, Habit("oldest_first", filtered=False), {}),
    "tied, offset": Cell(PLAIN, Habit("newest_first", filtered=False), INCLUSIVE | OFFSET, tied=True),
    "date only": Cell(
        Habit("oldest_first"), Habit("recently_updated_first", filtered=False), OFFSET | DATE_ONLY, tied=True
    ),
    "clockless, tied": Cell(Habit("newest_first", filtered=False), PLAIN, INCLUSIVE | CLOCKLESS, tied=True),
    "clockless, exclusive": Cell(Habit("recently_updated_first"), Habit("newest_first"), CLOCKLESS),
    "clockless, offset": Cell(
        Habit("recently_updated_first", filtered=False), Habit("oldest_first"), INCLUSIVE | CLOCKLESS | OFFSET
    ),
    "an hour behind": Cell(
        Habit("newest_first"), Habit("recently_updated_first"), INCLUSIVE | BEHIND, tied=True, census="always"
    ),
    "date only, keyset": Cell(UNFILTERED, Habit("newest_first"), INCLUSIVE | DATE_ONLY),
    "uncounted": Cell(UNFILTERED, Habit("recently_updated_first"), OFFSET | UNCOUNTED, tied=True, census=CENSUS),
}

ALWAYS = ("as documented",)


@pytest.fixture
def sandbox() -> Iterator[SandboxServer]:
    """A sandbox with reports over several pages; timestamps come in six formats."""
    with SandboxServer(World(seed=7, tickets=450, reports=150, warehouses=5)) as server:
        yield server


@pytest.mark.parametrize(
    "name",
    # All of them in `make test-long`; the habits one by one in `engine/test_reading.py`.
    [name if name in ALWAYS else pytest.param(name, marks=pytest.mark.long) for name in CELLS],
)
def test_moving_rows_are_exact_after_a_quiet_sync(
    name: str, sandbox: SandboxServer, sync_here: Script, database: Ask
) -> None:
    """Two syncs while rows move, one when they rest: every cell, and every deletion with the server's time."""
    cell = CELLS[name]
    set_up(sandbox, cell)
    sandbox.switches.update(BUSY)
    behind = timedelta(seconds=sandbox.switches.clock_offset_seconds)
    began = sandbox.world.now + behind
    sync_here(*CHUNKS)
    sync_here(*CHUNKS)
    sandbox.switches.update(dict.fromkeys(BUSY, 0))
    gone = read_gone(database, sandbox.world)
    assert {name: bool(gone.rows[name]) for name in TIED} == dict.fromkeys(TIED, True)
    marked = [mark for marks in gone.marks.values() for mark in marks.values() if mark is not None]
    since = sandbox.world.now + behind
    assert [mark for mark in marked if not began.replace(microsecond=0) <= mark <= since] == []
    sync_here(*CHUNKS, "--census", cell.census)
    assert_marked(database, sandbox.world, gone, since, sandbox.world.now + behind)


def set_up(sandbox: SandboxServer, cell: Cell) -> None:
    """Let the sandbox be as a cell says."""
    sandbox.switches.update(cell.switches)
    habits = {"tickets": cell.tickets, "reports": cell.reports}
    sandbox.switches.ignored_sorts = {name: habit.order for name, habit in habits.items() if habit.order}
    sandbox.switches.ignored_filters = {name: frozenset({"*"}) for name, habit in habits.items() if not habit.filtered}
    for name, count in TIED.items() if cell.tied else ():
        rows = sandbox.world.rows(name)
        stamps = {field: rows[20][field] for field in ("created_at", "updated_at")}
        for row in rows[20 : 20 + count]:
            sandbox.world.put(name, row | stamps)


def test_any_two_habits_meet() -> None:
    """Each pair of order, filter, bounds, cursor, clock and ties occurs in some listing of some cell."""
    listings = [describe(cell, habit) for cell in CELLS.values() for habit in (cell.tickets, cell.reports)]
    for one, other in combinations(range(len(listings[0])), 2):
        wanted = set(product({listing[one] for listing in listings}, {listing[other] for listing in listings}))
        assert {(listing[one], listing[other]) for listing in listings} == wanted


def describe(cell: Cell, habit: Habit) -> tuple[object, ...]:
    """How one resource of a cell is listed."""
    names = ("inclusive_bounds", "cursor_kind")
    clock = tuple(name in cell.switches for name in CLOCKLESS)
    return habit.order, habit.filtered, *(cell.switches.get(name) for name in names), clock, cell.tied
