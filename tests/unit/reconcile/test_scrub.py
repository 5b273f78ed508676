"""The scrub: a slice of the table with each sync, until all of it was compared."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.simulation.oracle import Oracle
from tests.simulation.play import Simulation, simulated
from tests.simulation.scenario import DAY, Event, RunScript, Scenario
from tests.simulation.spoil import load_and_spoil
from tests.simulation.world import ALL_FILTERS, Habits

# What each day finds where single rows are given.
FOUND: tuple[dict[str, int], ...] = (
    {},
    {"missing": 1, "differs": 1, "marked deleted, but listed": 1},
    {},
    {"stepped back": 1, "not listed": 1},
    {}, {}, {}, {},
)  # fmt: skip


def sync_daily(simulation: Simulation, days: int = 8, **script: Any) -> list[tuple[dict[str, int], int, int]]:
    """The corrections, the compared rows and the requests of a sync each day."""
    told = []
    for _ in range(days):
        ended = simulation.run(RunScript(wait_seconds=DAY, **script))
        Oracle(simulation).check_run(ended)
        counts = ended.runs["tickets"].counts
        told.append((dict(counts.corrections), counts.compared_rows, ended.requests))
    return told


@pytest.mark.parametrize(
    ("single_rows", "requests"),
    [
        ("right", [2, 4, 2, 7, 2, 3, 2, 4]),
        ("none", [2, 4, 2, 10, 2, 3, 2, 4]),
        ("refused", [2, 4, 2, 10, 2, 3, 2, 4]),
        ("kept", [2, 4, 2, 10, 2, 3, 2, 4]),
    ],
)
def test_week_of_slices_mends_each_fault_and_counts_it_once(single_rows: str, requests: list[int]) -> None:
    """Of an API that counts no rows: each second day a slice of two pages, and a round within a week."""
    with simulated():
        simulation = load_and_spoil(Habits(single_rows=single_rows, count=None))  # type: ignore[arg-type]
        told = sync_daily(simulation)
        assert Oracle(simulation).differences("tickets") == []
    assert [found for found, _, _ in told] == [*FOUND]
    assert [rows for _, rows, _ in told] == [0, 3, 0, 3, 0, 2, 0, 3]
    assert [asked for _, _, asked in told] == requests


@pytest.mark.parametrize(
    "habits",
    [
        {"ignored": ALL_FILTERS},
        {"ignored": frozenset({"created_after"})},
        {"order": "newest_first"},
        {"order": "recently_updated_first"},
        {"refuses_newest": True},
        {"spare": 1},
        {"requests_per_minute": None},
        {"inclusive": True},
        {"page_rows": 1},
        {"lifetime_pages": 2, "page_rows": 3},
        {"cursors": "count"},
        {"clock": None},
    ],
)
def test_week_finds_each_fault_whatever_the_api_makes_of_slices(habits: dict[str, Any]) -> None:
    """Where it ignores order or bounds a census stands for a round."""
    with simulated():
        simulation = load_and_spoil(Habits(count=None, **habits))
        sync_daily(simulation, days=9)
        assert Oracle(simulation).differences("tickets") == []


@pytest.mark.parametrize(("gone", "marked"), [(1, True), (2, False), (3, False)])
def test_slice_marks_as_many_rows_as_need_no_consent(gone: int, marked: bool) -> None:
    """Two of them, and more than a third of the live rows, are too many."""
    births = {"tickets": ((20.0, 19.0), (18.0, 17.0), (16.0, 15.0))}
    with simulated():
        simulation = Simulation(Scenario(births=births, habits=Habits(count=None)))
        simulation.run(RunScript())
        for _ in range(gone):
            simulation.world.delete("tickets", 0)
        told = sync_daily(simulation, days=7, accept_deletions=False)
        assert len(simulation.tables.find_marked("tickets")) == (gone if marked else 0)
    assert sum((Counter(found) for found, _, _ in told), Counter()) == ({"not listed": gone} if marked else {})


def test_masses_of_rows_are_left_to_a_census() -> None:
    """A slice marks none where a person must be asked."""
    with simulated():
        rows = {"tickets": tuple((20.0 - place, 19.5 - place) for place in range(9))}
        simulation = Simulation(Scenario(births=rows, habits=Habits(count=None)))
        simulation.run(RunScript())
        simulation.world.delete_many("tickets", 0)
        told = sync_daily(simulation, accept_deletions=False)
        assert simulation.tables.find_marked("tickets") == set()
        assert not any(found for found, _, _ in told)
        sync_daily(simulation)
        assert simulation.tables.find_marked("tickets") == {f"tkt_00{number}" for number in (1, 3, 5, 7, 9)}


def test_slice_whose_second_listing_ends_elsewhere_is_compared_again() -> None:
    """What came between the two listings is not claimed."""
    events = (Event(5, "alter_silently", place=3),)
    with simulated():
        simulation = load_and_spoil(Habits(count=None, single_rows="none"))
        sync_daily(simulation, days=3)
        ended = simulation.run(RunScript(wait_seconds=DAY, events=events))
        Oracle(simulation).check_run(ended)
        sync_daily(simulation, days=8)
        assert Oracle(simulation).differences("tickets") == []


@pytest.mark.parametrize(("single_rows", "marked"), [("right", True), ("none", True), ("kept", False)])
def test_young_row_that_is_still_given_is_not_marked(single_rows: str, marked: bool) -> None:
    """The list may lag; a row that is two days old cannot lack in it for that reason, and goes in the next round."""
    births = {"tickets": ((20.0, 19.0), (18.0, 17.0), (16.0, 15.0))}
    with simulated():
        simulation = Simulation(Scenario(births=births, habits=Habits(count=None, single_rows=single_rows)))  # type: ignore[arg-type]
        simulation.run(RunScript())
        sync_daily(simulation, days=5)
        simulation.world.create("tickets")
        simulation.run(RunScript(wait_seconds=3600.0, census="never"))
        simulation.world.delete("tickets", 3)
        told = sync_daily(simulation, days=1)
        assert told[0][1] > 0
        assert (simulation.tables.find_marked("tickets") == {"tkt_004"}) is marked
        sync_daily(simulation, days=9)
        assert simulation.tables.find_marked("tickets") == {"tkt_004"}


@pytest.mark.parametrize(("day", "step", "green"), [(2, 2, False), (2, 3, True), (4, 2, False), (4, 3, True)])
def test_slice_goes_on_after_its_last_row_where_a_cursor_expires(day: int, step: int, green: bool) -> None:
    """At its first page the refusal is an answer: the run fails."""
    births = {"tickets": tuple((20.0 - place, 19.5 - place) for place in range(12))}
    with simulated():
        simulation = Simulation(Scenario(births=births, habits=Habits(count=None)))
        simulation.run(RunScript())
        sync_daily(simulation, days=day - 1)
        ended = simulation.run(RunScript(wait_seconds=DAY, events=(Event(step, "forget_cursors"),)))
        Oracle(simulation).check_run(ended)
        assert ended.green is green
        if green:
            counts = ended.runs["tickets"].counts
            usual = Simulation(simulation.scenario)
            usual.run(RunScript())
            assert 0 < counts.compared_rows <= sync_daily(usual, days=day)[-1][1]
            assert counts.corrections == {}
