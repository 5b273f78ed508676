"""Where exactness ends by the nature of the API: classes of differences that no listing of changes and no count shows.

Each is found by the next census or within a week of syncs; what is in no class must be right after the next sync.
"""

from __future__ import annotations

from tests.simulation.scenario import Scenario
from tests.simulation.world import World

CLASSES = {
    "uncounted": "The API gives no count of the rows that the tables should hold: a row that is gone leaves no trace.",
    "unchanged stamp": "A row came back, or changed, with the updated_at that it had: it lies behind the watermark.",
    "places counted": "Cursors count places, and rows moved during a list that was not counted, or before a kill.",
    "account": "No row that the API lists is in the tables: rows of another account look the same, and are refused.",
}


def find_limits(scenario: Scenario, world: World, *, broken: bool) -> tuple[str, ...]:
    """The classes that a scenario belongs to.

    Args:
        scenario: The scenario.
        world: Its world at the end.
        broken: Whether a run did not come to its end.
    """
    habits, found = scenario.habits, []
    counts_start = scenario.start_days is None or (
        habits.count == "filtered" and not habits.ignored & {"created_after"}
    )
    if habits.count is None or not counts_start or habits.surplus:
        found.append("uncounted")
    if any(world.revived.values()):
        found.append("unchanged stamp")
    moved = any(event.kind in ("change", "delete", "revive", "revive_changed") for event in scenario.events)
    if habits.cursors != "place" and moved and (broken or habits.count != "filtered"):
        found.append("places counted")
    return tuple(found)
