"""A census: what it claims to have compared, and when."""

from __future__ import annotations

from datetime import timedelta

from tests.simulation.play import Simulation, simulated
from tests.simulation.scenario import Event, RunScript, Scenario
from tests.simulation.world import BORN, Habits

TICK = 0.05
ROWS = {"tickets": tuple((9.0 - place, 8.5 - place) for place in range(6))}


def test_two_listings_compare_what_the_first_one_began_with() -> None:
    """A row that the first listing has and the second one lacks is still live; nothing after the first is claimed."""
    # The eighth request is the first of the second listing.
    events = (Event(4, "delete", place=5), Event(7, "delete"))
    runs = (RunScript(), RunScript(census="always", events=events))
    with simulated():
        simulation = Simulation(Scenario(births=ROWS, habits=Habits(single_rows="none", tick_seconds=TICK), runs=runs))
        simulation.run(runs[0])
        counts = simulation.run(runs[1]).runs["tickets"].counts
    rows, listed = simulation.tables.rows["tickets"], simulation.world.rows["tickets"]
    assert [key for key in rows if key not in listed] == ["tkt_001", "tkt_006"]
    assert [key for key, row in rows.items() if row["deleted_at"] is not None] == ["tkt_006"]
    assert counts.compared_since is not None
    assert counts.compared_since < BORN + timedelta(seconds=120 + 8 * TICK)
