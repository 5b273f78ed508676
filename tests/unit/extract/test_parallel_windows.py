"""A long first load that parallel readers share: what it costs, and what is left of it when it is interrupted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from cogny_source.api.meter import Meter
from cogny_source.api.pagination import Page
from cogny_source.extract.context import ReadContext, RowCounts
from cogny_source.extract.endpoints import ENDPOINTS
from cogny_source.extract.listing import Listing
from cogny_source.extract.parallel import WORTHWHILE_ROWS, is_worthwhile
from cogny_source.windows import CREATED, Window
from tests.simulation.play import Ended, Simulation, simulated
from tests.simulation.scenario import Event, RunScript, Scenario
from tests.simulation.world import ALL_FILTERS, BORN, Habits

# Days since 24 rows were created: one each day, and all but the first within the last one.
EVEN = tuple((24.0 - place, 24.0 - place) for place in range(24))
UNEVEN = tuple((20.0 if place == 0 else 1.0 - place / 50, 0.5) for place in range(24))
ROWS = {"even": EVEN, "uneven": UNEVEN}
KEYS = {f"tkt_{number:03}" for number in range(1, 25)}


def load(
    rows: str = "even", events: tuple[Event, ...] = (), workers: int = 3, **habits: Any
) -> tuple[Simulation, Ended]:
    """A first load by three readers of an API whose answers take half a second."""
    scenario = Scenario(seed=3, births={"tickets": ROWS[rows]}, habits=Habits(tick_seconds=0.5, **habits))
    with simulated():
        simulation = Simulation(scenario)
        return simulation, simulation.run(RunScript(workers=workers, chunk_rows=4, events=events))


@pytest.mark.parametrize(
    ("habits", "even", "uneven"),
    [
        ({}, 16, 39),
        ({"page_rows": 1}, 28, 48),
        ({"cursors": "count"}, 16, 39),
        ({"ignored": ALL_FILTERS}, 29, 28),
        ({"ignored": frozenset({"created_before"})}, 20, 20),
        ({"count": "all"}, 18, 18),
        ({"count": None}, 14, 14),
        ({"order": "oldest_first"}, 14, 14),
        ({"order": "newest_first"}, 13, 13),
    ],
)
def test_windows_bring_every_row_and_cost_little_where_they_are_not_honoured(
    habits: dict[str, Any], even: int, uneven: int
) -> None:
    """A window with more rows than its share is divided; an API that ignores windows gets one reader."""
    for rows, requests in (("even", even), ("uneven", uneven)):
        simulation, ended = load(rows, **habits)
        assert ended.green
        assert simulation.tables.rows["tickets"].keys() == KEYS
        assert (rows, ended.requests) == (rows, requests)


def tell_left(simulation: Simulation) -> tuple[list[list[float | None]], list[list[float | None]]]:
    """The windows that the committed state has left to read, and those that were read but not proven, in days."""
    state = simulation.tables.newest_states["tickets"]
    assert datetime.fromisoformat(state["backfill"]["updated_after"]) == BORN + timedelta(seconds=60.5)

    def count_days(text: str | None) -> float | None:
        return None if text is None else round((BORN - datetime.fromisoformat(text)).total_seconds() / 86_400, 3)

    left = [[count_days(start), count_days(end)] for start, end in state["backfill"]["windows"]]
    return left, [[count_days(start), count_days(end)] for _, start, end, *_ in state.get("unproven", [])]


# The bounds between the windows of the even rows, of which the list had shown the first four.
BOUNDS = [24 - 23 * place / 12 for place in range(1, 12)]


def windows(first: int, last: int | None = None) -> list[list[float | None]]:
    """Whole windows by number."""
    bounds = [None, *(round(bound, 3) for bound in BOUNDS), None]
    return [list(window) for window in list(pairwise(bounds))[first:last]]


@pytest.mark.parametrize(
    ("step", "left", "unproven"),
    [
        (8, [*windows(0, 2), [19.0, 18.25], *windows(3)], [[20.167, 19.0]]),
        (12, [[23.0, 22.083], *windows(1, 2), [17.0, 16.333], *windows(4)], [[None, 23.0], [18.25, 17.0]]),
        (16, [*windows(1, 2), [15.0, 14.417], *windows(6)], [[16.333, 15.0]]),
    ],
)
def test_killed_load_has_the_rest_of_each_window_left(
    step: int, left: list[list[float | None]], unproven: list[list[float | None]]
) -> None:
    """What a reader had read of its window is claimed up to its last cut, and noted as read but not proven."""
    simulation, ended = load(events=(Event(step, "kill"),))
    assert ended.killed
    assert tell_left(simulation) == (left, unproven)


@pytest.mark.parametrize("step", [10, 12])
def test_failed_reader_ends_the_load_after_what_the_others_have_read(step: int) -> None:
    """Their rows are committed with the rest of each window, and the next run reads no row again but those of a cut."""
    simulation, ended = load(events=(Event(step, "fail"),))
    assert str(ended.error) == "the connection was reset"
    assert len(simulation.tables.rows["tickets"]) == 12
    left, _ = tell_left(simulation)
    with simulated():
        again = simulation.run(RunScript(workers=3, chunk_rows=4))
    assert again.green
    assert simulation.tables.rows["tickets"].keys() == KEYS
    assert again.runs["tickets"].meter.rows <= 12 + 2 * len(left)


def test_one_reader_does_not_divide() -> None:
    """Where one worker is allowed the list is read as it comes."""
    assert load(workers=1)[1].requests == load(count=None)[1].requests


@pytest.mark.parametrize(
    ("left", "has_more", "counted", "all_counted", "worthwhile"),
    [
        (4 * WORTHWHILE_ROWS, True, True, True, True),
        (4 * WORTHWHILE_ROWS - 1, True, True, True, False),
        (4 * WORTHWHILE_ROWS, False, True, True, False),
        (4 * WORTHWHILE_ROWS, True, False, True, False),
        (4 * WORTHWHILE_ROWS, True, True, False, False),
    ],
)
def test_readers_are_worthwhile_where_many_rows_are_known_to_be_left(
    left: int, has_more: bool, counted: bool, all_counted: bool, worthwhile: bool
) -> None:
    """Without a count of the list or of all rows nothing would show that one is missing."""
    client: Any = None
    counts = RowCounts(api_rows=left + 100 if all_counted else None)
    context = ReadContext(client, ENDPOINTS["tickets"], Meter(), lambda: None, 1, counts=counts)
    page = Page([], has_more, "c", left + 100 if counted else None, datetime(2026, 1, 1, tzinfo=UTC), None)
    assert is_worthwhile(Listing(context, CREATED, Window()), page, 100) is worthwhile
