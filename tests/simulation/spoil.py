"""Faults that somebody made in the tables, and that no change and no count of the API shows."""

from __future__ import annotations

from datetime import timedelta

from tests.simulation.play import Simulation
from tests.simulation.scenario import RunScript, Scenario
from tests.simulation.world import Habits

# Nine rows, on five pages.
ROWS = {"tickets": tuple((20.0 - place, 19.5 - place) for place in range(9))}
ITEMS = "tickets__action_items"


def load_and_spoil(habits: Habits) -> Simulation:
    """Load nine rows, and spoil one in each way; call it inside `simulated()`.

    One is missing, the next has another title, the next is marked deleted, the next has a version that the API never
    had, and the next is gone from the API. A list belongs to no row.
    """
    simulation = Simulation(Scenario(births=ROWS, habits=habits))
    assert simulation.run(RunScript()).green
    tables = simulation.tables
    rows = tables.rows["tickets"]
    missing, other, marked, newer, gone = list(rows)[:5]
    del rows[missing]
    del tables.lists[ITEMS][missing]
    rows[other] |= {"title": "spoiled"}
    rows[marked] |= {"deleted_at": simulation.world.now}
    rows[newer] |= {"updated_at": rows[newer]["updated_at"] + timedelta(hours=1)}
    simulation.world.changed_at |= {("tickets", key): simulation.world.now for key in (missing, other, marked, newer)}
    simulation.world.delete("tickets", int(gone.removeprefix("tkt_")) - 1)
    tables.lists[ITEMS]["tkt_orphan"] = [{"ticket_id": "tkt_orphan", "position": 0, "value": "x"}]
    return simulation
