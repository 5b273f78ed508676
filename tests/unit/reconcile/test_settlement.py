"""After a resource is read: what a run does about counts that differ, what it tells, and what that costs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from cogny_source.errors import ContractError, MassDeletion
from cogny_source.reconcile.settlement import describe_difference
from tests.simulation.oracle import Oracle
from tests.simulation.play import Ended, Simulation, simulated
from tests.simulation.scenario import RunScript, Scenario
from tests.simulation.spoil import ROWS
from tests.simulation.world import Habits


def begin(**habits: Any) -> Simulation:
    """Nine rows, which a first load has read; call it inside `simulated()`."""
    simulation = Simulation(Scenario(births=ROWS, habits=Habits(**habits)))
    sync(simulation)
    return simulation


def sync(simulation: Simulation, **script: Any) -> Ended:
    """One run, whose claims hold."""
    ended = simulation.run(RunScript(**script))
    Oracle(simulation).check_run(ended)
    return ended


def counts_of(ended: Ended) -> tuple[int | None, int | None, int | None, int | None]:
    """The rows of the API, of the table, their difference, and the rows that were marked."""
    counts = ended.runs["tickets"].counts
    return counts.api_rows, counts.live_rows, counts.unexplained_rows, counts.deleted_rows


def state_of(simulation: Simulation, member: str) -> Any:
    """A member of the committed state."""
    return simulation.tables.newest_states["tickets"].get(member)


def test_refusal_to_mark_masses_of_rows_is_remembered() -> None:
    """As long as the API counts as many rows, a run fails without another listing; until a person has accepted it."""
    with simulated():
        simulation = begin()
        simulation.world.delete_many("tickets", 0)
        told = [sync(simulation, accept_deletions=False) for _ in range(2)]
        assert [ended.requests for ended in told] == [7, 3]
        for ended in told:
            assert isinstance(ended.error, MassDeletion)
            assert "no longer lists 5 of 9 rows of tickets" in str(ended.error)
            assert counts_of(ended) == (4, 9, -5, None)
            assert state_of(simulation, "refused") == 4
        assert sync(simulation, accept_deletions=False, census="always").requests == 7
        simulation.world.delete("tickets", 0)
        other = sync(simulation, accept_deletions=False)
        assert "no longer lists 6 of 9 rows" in str(other.error)
        assert (other.requests, state_of(simulation, "refused")) == (7, 3)
        never = sync(simulation, accept_deletions=False, census="never")
        assert (never.green, never.requests, counts_of(never)) == (True, 3, (3, 9, -6, None))
        assert state_of(simulation, "refused") == 3
        accepted = sync(simulation)
    assert (accepted.green, accepted.requests, counts_of(accepted)) == (True, 7, (3, 3, 0, 6))
    assert state_of(simulation, "refused") is None


def test_rows_that_are_counted_and_never_listed_fail_one_run() -> None:
    """It waits for a count that lags, and the next run accepts the difference if it finds the same one."""
    with simulated():
        simulation = Simulation(Scenario(births=ROWS, habits=Habits(surplus=2)))
        began = simulation.world.now
        first = sync(simulation)
        assert isinstance(first.error, ContractError)
        assert "the API counts 2 rows more than it lists" in str(first.error)
        assert simulation.world.now - began == timedelta(seconds=60 + 7 + 27 * 0.05)
        assert (first.requests, counts_of(first), state_of(simulation, "census")) == (27, (11, 9, 2, 0), [2])
        second, third = sync(simulation), sync(simulation)
        assert (second.green, second.requests, counts_of(second)) == (True, 17, (11, 9, 2, 0))
        assert (third.green, third.requests, counts_of(third)) == (True, 3, (11, 9, 2, None))
        assert state_of(simulation, "census") == [2, 2]
        simulation.world.delete("tickets", 0)
        later = [sync(simulation) for _ in range(2)]
    assert [(ended.requests, counts_of(ended)) for ended in later] == [(17, (10, 8, 2, 1)), (3, (10, 8, 2, None))]


def test_surplus_that_is_gone_is_forgotten() -> None:
    """Counts that agree again are no surplus."""
    with simulated():
        simulation = begin()
        simulation.tables.states[f"{simulation.tables.loads}.0"]["tickets"]["census"] = [2, 2]
        assert sync(simulation).green
    assert state_of(simulation, "census") is None


@pytest.mark.parametrize("spoiled", ["missing", "older"])
def test_newest_change_that_the_table_lacks_makes_the_changes_be_read_again(spoiled: str) -> None:
    """From before that change, however long ago it was; what comes counts as late."""
    with simulated():
        simulation = begin()
        rows = simulation.tables.rows["tickets"]
        key, row = max(rows.items(), key=lambda item: item[1]["updated_at"])
        assert (simulation.world.now - row["updated_at"]).days == 11
        if spoiled == "missing":
            del rows[key]
        else:
            rows[key] = {**row, "title": "old", "updated_at": row["updated_at"] - timedelta(hours=1)}
        ended = sync(simulation, wait_seconds=3600.0)
        assert Oracle(simulation).differences("tickets") == []
        rest = sync(simulation, wait_seconds=3600.0)
    assert ended.runs["tickets"].counts.corrections == {"late": 1}
    assert counts_of(ended) == (9, 9, 0, None)
    assert (ended.requests, rest.requests) == ({"missing": 5, "older": 3}[spoiled], 2)


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (1, "the API counts 1 row more than the destination holds"),
        (2, "the API counts 2 rows more than the destination holds"),
        (-1, "the API counts 1 row fewer than the destination holds: deleted there"),
        (0, "the API counts 0 rows fewer than the destination holds: deleted there"),
    ],
)
def test_difference_is_told_in_a_sentence(rows: int, sentence: str) -> None:
    """Which side counts more."""
    assert describe_difference(rows) == sentence
