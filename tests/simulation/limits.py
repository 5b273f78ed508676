"""Where exactness ends by the nature of the API: classes of differences that no listing of changes and no count shows.

Each is found by the next census or within a week of syncs. A row that differs, and that no class explains, is a fault.
"""

from __future__ import annotations

from collections.abc import Mapping

from tests.simulation.scenario import Scenario
from tests.simulation.world import World

CLASSES = {
    "uncounted": "The API gives no count of the rows that the tables should hold: a row that is gone leaves no trace.",
    "unchanged stamp": "A row came back, or changed, with the updated_at that it had or an older one.",
    "places counted": "A row moved before the place where a list went on, which nothing shows: the API gives no count,"
    " lists lag, or the list was interrupted.",
    "balanced": "As many rows are gone as are missing for one of these reasons, so that the counts agree.",
    "account": "No row that the API lists is in the tables: rows of another account look the same, and are refused.",
}


def find_limits(
    scenario: Scenario, world: World, differing: Mapping[str, set[str]], *, counted: bool, broken: bool
) -> tuple[str, ...] | None:
    """The classes of the rows that differ.

    Args:
        scenario: The scenario.
        world: Its world at the end.
        differing: The keys of the rows that differ, by resource.
        counted: Whether the API counts the rows that the tables should hold.
        broken: Whether a run did not come to its end.

    Returns:
        The classes; None if one of the rows is in none.
    """
    found = set[str]()
    for name, keys in differing.items():
        gone = keys - world.rows[name].keys()
        came_back = keys & world.revived[name]
        slipped = (keys - gone - came_back) & find_unseen(scenario, world, name, broken=broken)
        if keys - gone - came_back - slipped:
            return None
        if gone and (not counted or scenario.habits.surplus):
            found.add("uncounted")
        elif len(gone) > len(came_back | slipped):
            return None
        elif gone:
            found.add("balanced")
        found |= {"unchanged stamp"} if came_back else set()
        found |= {"places counted"} if slipped else set()
    return tuple(sorted(found))


def find_unseen(scenario: Scenario, world: World, name: str, *, broken: bool) -> frozenset[str]:
    """The rows of a resource that slipped before the place where a list went on, if nothing may have shown it."""
    habits = scenario.habits
    hides = broken or habits.count != "filtered" or habits.lag_seconds or habits.lag_requests
    return world.slipped[name] if hides else frozenset()
