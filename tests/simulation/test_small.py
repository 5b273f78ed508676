"""Some of the small worlds, all of them by `make simulate-small`: whatever happens, the next quiet sync is exact."""

from __future__ import annotations

from dataclasses import astuple
from unittest.mock import patch

from tests.simulation.campaign import describe_scenario
from tests.simulation.limits import CLASSES
from tests.simulation.memory import Memory
from tests.simulation.small import SHAPES, explore, list_groups, list_habits, list_parts
from tests.simulation.small_figures import describe_deviations, read_figures
from tests.simulation.world import Habits

# Each kind of cursor, bound and lag.
PARTS = (0, 1, 4, 5, 8, 9, 12, 13)


class Forgetful(Memory):
    """A memory that recalls nothing."""

    @property
    def begins(self) -> dict:  # type: ignore[override]
        """No beginning."""
        return {}

    @begins.setter
    def begins(self, begins: dict) -> None:
        """Keep none."""


def test_recalled_runs_are_those_that_would_be_played() -> None:
    """With a memory of other parts, and with none, the same worlds end in the same ways."""
    numbers, memory = [0, 1, 19], Memory()
    with patch("tests.simulation.small.MOST_CHANGES", 1):
        recalled = [explore(number, memory) for number in numbers]
        played = [explore(number, Forgetful()) for number in numbers]
    assert list(map(astuple, recalled)) == list(map(astuple, played))
    assert memory.played + memory.recalled == sum(tally.runs for tally in played)
    assert memory.played < memory.recalled


def test_small_worlds_end_exact() -> None:
    """One row, two changes and a kill at any point of two runs, over lists that are counted and heed what is asked."""
    memory = Memory()
    found = {number: explore(number, memory) for number in PARTS}
    for number, tally in found.items():
        habits, (rows, _) = list_parts()[number]
        assert (habits.order, habits.ignored, habits.count, rows) == ("heeded", frozenset(), "filtered", 1)
        assert not tally.failures, "\n\n".join(map(describe_scenario, tally.failures.values()))
    assert describe_deviations(found, read_figures()) == []


def test_figures_are_of_parts_and_classes_that_there_are() -> None:
    """`make simulate-small` holds each part to them; all parts of one row have some."""
    figures = read_figures()
    assert {*range(len(list_habits()))} <= figures.keys() <= {*range(len(list_parts()))}
    assert {name for told in figures.values() for name in told["classes"]} <= CLASSES.keys()


def test_parts_are_each_kind_of_listing_with_each_number_of_rows() -> None:
    """None is left out, and none comes twice; those that are played in one process are alike."""
    assert list_parts()[0] == (Habits(tick_seconds=0.0), SHAPES[0])
    assert len(list_parts()) == len(list_habits()) * len(SHAPES) == 144
    assert len(set(map(repr, list_parts()))) == 144
    groups = list_groups(range(144))
    assert sorted(number for group in groups for number in group) == list(range(144))
    assert {len(group) for group in groups} == {12}
