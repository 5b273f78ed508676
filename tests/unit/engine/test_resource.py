"""One resource in a sync: what a run claims about the rows that it read."""

from __future__ import annotations

from datetime import datetime, timedelta

from tests.simulation.play import Simulation, simulated
from tests.simulation.scenario import RunScript, Scenario
from tests.simulation.world import BORN, Habits

ROWS = {"tickets": tuple((9.0 - place, 8.5 - place) for place in range(4))}


def refresh(**habits: object) -> tuple[Simulation, datetime | None]:
    """A full refresh after a row was deleted, and since when it claims that all rows were compared."""
    with simulated():
        simulation = Simulation(Scenario(births=ROWS, habits=Habits(**habits)))  # type: ignore[arg-type]
        simulation.run(RunScript())
        simulation.world.delete("tickets", 0)
        counts = simulation.run(RunScript(full_refresh=True)).runs["tickets"].counts
    return simulation, counts.compared_since


def test_full_refresh_of_an_api_that_does_not_count_compares_no_row_that_is_gone() -> None:
    """Nothing shows that a row of the table is no longer listed."""
    simulation, since = refresh(count=None)
    assert [row["deleted_at"] for row in simulation.tables.rows["tickets"].values()] == [None] * 4
    assert since is None


def test_first_load_into_an_empty_table_compares_all() -> None:
    """What was just read is as the API lists it, from the first page on."""
    with simulated():
        simulation = Simulation(Scenario(births=ROWS, habits=Habits(count=None)))
        counts = simulation.run(RunScript()).runs["tickets"].counts
    assert counts.compared_since is not None
    assert BORN < counts.compared_since < simulation.world.now


def test_full_refresh_compares_all_rows_that_the_api_counts() -> None:
    """The row that is gone is marked by a census, which compares all."""
    simulation, since = refresh()
    assert simulation.tables.rows["tickets"]["tkt_001"]["deleted_at"] is not None
    assert since is not None
    assert since > BORN + timedelta(seconds=120)
