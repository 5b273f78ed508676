"""Verification: each difference by its name, and whether it is fresh."""

from __future__ import annotations

from typing import Any

import pytest

from cogny_source.extract.context import Difference
from tests.simulation.oracle import Oracle
from tests.simulation.play import Simulation, simulated
from tests.simulation.scenario import Event, RunScript, Scenario
from tests.simulation.spoil import ITEMS, ROWS, load_and_spoil
from tests.simulation.world import Habits


def verify(simulation: Simulation, **script: Any) -> list[Difference]:
    """The differences after a run that mends nothing, by table and key."""
    ended = simulation.run(RunScript(verify=True, census="never", **script))
    assert ended.green
    differences = ended.runs["tickets"].counts.differences
    assert differences is not None
    return sorted(differences, key=lambda one: (one.table, one.key))


def test_each_fault_is_named() -> None:
    """With the columns that differ; faults are not fresh, but for a row that may have gone since the counts agreed."""
    with simulated():
        found = verify(load_and_spoil(Habits()))
    assert found == [
        Difference("tickets", "tkt_001", "missing"),
        Difference("tickets", "tkt_002", "differs", ("title",)),
        Difference("tickets", "tkt_003", "marked deleted, but listed"),
        Difference("tickets", "tkt_004", "differs", ("updated_at",)),
        Difference("tickets", "tkt_005", "not listed"),
        Difference(ITEMS, "tkt_orphan", "without a parent"),
    ]


def load(events: tuple[Event, ...], **habits: Any) -> Simulation:
    """Nine rows, and a run after which some changed; call it inside `simulated()`."""
    simulation = Simulation(Scenario(births=ROWS, habits=Habits(**habits)))
    simulation.run(RunScript())
    return simulation


@pytest.mark.parametrize(
    ("event", "kind", "key"),
    [("change", "differs", "tkt_001"), ("create", "missing", "tkt_010"), ("delete", "not listed", "tkt_001")],
)
def test_what_happens_after_the_sync_is_fresh(event: Any, kind: str, key: str) -> None:
    """The next sync brings it; the counts agreed before."""
    with simulated():
        simulation = load(())
        quiet = simulation.run(RunScript(verify=True, census="never"))
        assert quiet.runs["tickets"].counts.differences == ()
        found = verify(simulation, events=(Event(2, event),))
        assert {(one.key, one.kind, one.fresh) for one in found if one.table == "tickets"} == {(key, kind, True)}
        simulation.run(RunScript())
        assert Oracle(simulation).differences("tickets") == []
        assert verify(simulation) == []


@pytest.mark.parametrize(("event", "fresh"), [("alter_silently", False), ("change", True)])
def test_change_without_a_stamp_is_a_fault(event: Any, fresh: bool) -> None:
    """No sync would bring it by its timestamp."""
    with simulated():
        found = verify(load(()), events=(Event(2, event, place=3),))
    assert {(one.key, one.fresh) for one in found} == {("tkt_004", fresh)}


def test_rows_before_the_start_date_are_left_out() -> None:
    """Neither side counts them."""
    with simulated():
        simulation = Simulation(Scenario(births=ROWS, start_days=15.5))
        simulation.run(RunScript())
        assert len(simulation.tables.rows["tickets"]) == 4
        assert verify(simulation) == []
        del simulation.tables.rows["tickets"]["tkt_009"]
        assert [(one.key, one.kind) for one in verify(simulation) if one.table == "tickets"] == [("tkt_009", "missing")]
