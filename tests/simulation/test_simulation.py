"""Random worlds: whatever happens between the steps of some runs, a quiet sync leaves tables that equal the API.

`make simulate` plays 10,000; `python -m tests.simulation replay 123` plays one again and shrinks it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest

from cogny_source.errors import ContractError
from cogny_source.reconcile.scrub import Scrub
from cogny_source.reconcile.verification import INCOMPLETE
from cogny_source.records.chunk import Chunk
from tests.simulation.__main__ import REPLAY
from tests.simulation.campaign import Tally, describe_failures, play_all
from tests.simulation.draw import draw_scenario
from tests.simulation.judge import judge
from tests.simulation.play import Simulation, simulated
from tests.simulation.scenario import Event, Kind, RunScript, Scenario
from tests.simulation.shrink import shrink
from tests.simulation.world import Habits

WORLDS_A_TEST = 125
WORLDS_A_FIGURE = 25
# First seed to the worlds that needed more than the next sync, by class, and to the requests of each 25 worlds. The
# classes may only shrink; a change that costs or saves requests notes it here.
FIGURES = {
    0: ({"account": 1, "unchanged stamp": 3, "uncounted": 5}, [1103, 975, 889, 1295, 1696]),
    125: ({"account": 2, "unchanged stamp": 3, "uncounted": 6}, [1228, 1182, 1384, 1242, 1028]),
    250: ({"unchanged stamp": 1, "uncounted": 2}, [1195, 1909, 1275, 1266, 1232]),
    375: ({"unchanged stamp": 5, "uncounted": 5}, [1340, 1194, 1433, 1704, 1715]),
    500: ({"account": 2, "unchanged stamp": 4, "uncounted": 7}, [1147, 1370, 1846, 1208, 1283]),
    625: ({"account": 2, "unchanged stamp": 1, "uncounted": 2}, [1101, 1010, 1626, 1100, 1105]),
    750: ({"unchanged stamp": 3, "uncounted": 4}, [1458, 1307, 1329, 1139, 1245]),
    875: ({"account": 2, "unchanged stamp": 3, "uncounted": 6}, [1809, 1129, 1038, 1222, 1209]),
}
ROWS = {"tickets": ((9.0, 8.0), (7.0, 7.0), (5.0, 1.0), (3.0, 3.0), (2.0, 0.5))}


@pytest.mark.parametrize("first", FIGURES)
def test_random_worlds_end_exact(first: int) -> None:
    """After moving rows, faults, kills and other machines, every cell is as the API lists it, and no claim is wrong."""
    tally, requests = Tally(), []
    for start in range(first, first + WORLDS_A_TEST, WORLDS_A_FIGURE):
        part = play_all(draw_scenario, range(start, start + WORLDS_A_FIGURE))
        tally.add(part)
        requests.append(part.requests)
    assert not tally.failures, describe_failures(draw_scenario, tally, REPLAY)
    assert (dict(tally.limits), requests) == FIGURES[first]


def test_world_is_the_same_each_time() -> None:
    """A seed decides everything: the runs, what each read and loaded, and how it ended."""
    with simulated():
        told = []
        for _ in range(2):
            simulation = Simulation(draw_scenario(11))
            for script in simulation.scenario.runs:
                simulation.run(script)
                simulation.catch_up()
            ends = [(ended.steps, ended.requests, str(ended.error), ended.killed) for ended in simulation.ended]
            told.append((ends, simulation.tables.rows, simulation.tables.states))
    assert told[0] == told[1]
    assert len(told[0][0]) == len(draw_scenario(11).runs)


def test_kill_leaves_what_was_committed() -> None:
    """A run that is killed at each of its steps commits nothing afterwards, and the next one goes on from there."""
    script = RunScript(chunk_rows=2, census="never")
    with simulated():
        whole = Simulation(Scenario(births=ROWS)).run(script)
        committed = []
        for step in range(whole.steps):
            simulation = Simulation(Scenario(births=ROWS))
            ended = simulation.run(replace(script, events=(Event(step, "kill"),)))
            assert ended.killed
            committed.append(len(simulation.tables.rows["tickets"]))
            assert simulation.run(script).green
            assert len(simulation.tables.rows["tickets"]) == 5
    assert committed == sorted(committed)
    assert (committed[0], committed[-1]) == (0, 5)
    assert len(set(committed)) > 2


@pytest.mark.parametrize("order", ["newest_first", "recently_updated_first", "heeded"])
def test_verification_of_a_list_that_moves_with_each_page_is_never_green_and_wrong(order: Any) -> None:
    """Where places shift before each page, and the sort is ignored, it fails by name; in a quiet world it is exact."""
    kinds: tuple[Kind, ...] = ("change", "delete", "create", "change")
    events = tuple(Event(step, kinds[step % 4], place=step) for step in range(5, 65))
    runs = (RunScript(), RunScript(events=events, verify=True))
    rows = {"tickets": tuple((9.0 - place, 8.5 - place) for place in range(8))}
    scenario = Scenario(births=rows, habits=Habits(order=order, cursors="count"), runs=runs)
    with simulated():
        simulation = Simulation(scenario)
        for script in scenario.runs:
            ended = simulation.run(script)
        assert judge(scenario).failure is None
    if order == "heeded":
        found = ended.runs["tickets"].counts.differences
        assert found
        assert all(one.fresh for one in found)
    else:
        assert isinstance(ended.error, ContractError)
        assert ended.error.message == INCOMPLETE


@pytest.mark.parametrize(
    ("broken", "scenario", "failure"),
    [
        # A census that marks nothing.
        (
            patch("cogny_source.reconcile.census.mark_deleted", lambda *_: Chunk()),
            Scenario(births=ROWS, runs=(RunScript(), RunScript(events=(Event(0, "delete"),)))),
            "compared_since is wrong",
        ),
        # What the scrub finds is not told.
        (
            patch.object(Scrub, "_find_gone", lambda *_: []),
            Scenario(
                births=ROWS,
                habits=Habits(count=None),
                runs=(RunScript(), RunScript(events=(Event(0, "delete"),))),
                settle="week",
            ),
            "compared_since is wrong",
        ),
        # A verification that finds nothing.
        (
            patch("cogny_source.reconcile.settlement.verify", lambda *_: ()),
            Scenario(
                births=ROWS,
                runs=(RunScript(), RunScript(events=(Event(50, "delete"),)), RunScript(census="never", verify=True)),
            ),
            "verification is green and wrong",
        ),
    ],
)  # fmt: skip
def test_broken_connector_is_seen(broken: object, scenario: Scenario, failure: str) -> None:
    """Each promise that is broken on purpose is told by its name, and by that alone."""
    with simulated():
        assert judge(scenario).failure is None
        with broken:  # type: ignore[attr-defined]
            assert judge(scenario).failure == failure


def test_failure_shrinks_to_what_it_needs() -> None:
    """Of a scenario with many rows, events and habits only those are left without which it does not fail."""
    needed, fault = Event(1, "delete", place=2), RunScript(census="never", verify=True)
    events = (Event(0, "create"), needed, Event(1, "change"), Event(5, "change", place=4))
    scenario = Scenario(
        births=ROWS,
        habits=Habits(page_rows=5, inclusive=True),
        runs=(RunScript(), RunScript(), RunScript(events=events, wait_seconds=3600.0), replace(fault, chunk_rows=3)),
    )
    with simulated(), patch("cogny_source.reconcile.settlement.verify", lambda *_: ()):
        failure = judge(scenario).failure
        assert failure == "verification is green and wrong"
        smallest = shrink(scenario, lambda smaller: judge(smaller).failure == failure)
    assert len(smallest.runs) == 2
    assert [event.kind for event in smallest.events] == ["create", "delete"]
    assert smallest.habits == Habits()
    assert smallest.births == {"tickets": ()}
