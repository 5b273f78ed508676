"""A census: what it claims to have compared, and when."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from unittest.mock import patch

import pytest

from cogny_source.api.meter import Meter
from cogny_source.extract.context import ReadContext
from cogny_source.extract.full_scan import FullScan
from cogny_source.reconcile.census import Verdicts
from cogny_source.reconcile.comparison import Differing
from cogny_source.records.chunk import Chunk, ChunkBuilder
from cogny_source.timestamps import to_micros
from tests.simulation.api import Api
from tests.simulation.model import SMALL_ENDPOINTS
from tests.simulation.oracle import Oracle
from tests.simulation.play import Simulation, simulated
from tests.simulation.scenario import Event, RunScript, Scenario
from tests.simulation.spoil import ITEMS, load_and_spoil
from tests.simulation.world import BORN, Habits, World

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


@pytest.mark.parametrize(
    ("single_rows", "chunk_rows", "requests", "loads"),
    [
        ("right", 2, 11, 7), ("right", 1000, 11, 6), ("none", 2, 16, 9), ("none", 1000, 16, 7),
        ("refused", 2, 16, 9), ("refused", 1000, 16, 7), ("kept", 2, 16, 9), ("kept", 1000, 16, 7),
    ],
)  # fmt: skip
def test_census_mends_each_fault_and_counts_it_once(
    single_rows: str, chunk_rows: int, requests: int, loads: int
) -> None:
    """Whether single rows tell what they are, or a second listing must; a list that belongs to no row is removed."""
    with simulated():
        simulation = load_and_spoil(Habits(single_rows=single_rows))  # type: ignore[arg-type]
        ended = simulation.run(RunScript(census="always", chunk_rows=chunk_rows))
        oracle = Oracle(simulation)
        oracle.check_run(ended)
        assert oracle.differences("tickets") == []
    counts = ended.runs["tickets"].counts
    assert counts.corrections == {"missing": 1, "differs": 1, "marked deleted, but listed": 1, "stepped back": 1}
    assert (counts.deleted_rows, counts.live_rows, counts.unexplained_rows) == (1, 8, 0)
    assert simulation.tables.find_marked("tickets") == {"tkt_005"}
    assert simulation.tables.lists[ITEMS]["tkt_orphan"] == []
    assert (ended.requests, simulation.tables.loads) == (requests, loads)


def test_census_of_a_list_that_is_not_complete_marks_nothing() -> None:
    """It asks for no single row, as none is known to be gone, and claims no comparison."""

    class Incomplete(FullScan):
        def chunks(self) -> Iterator[Chunk]:
            yield from super().chunks()
            self.complete = False

    with simulated(), patch("cogny_source.reconcile.census.FullScan", Incomplete):
        simulation = load_and_spoil(Habits())
        ended = simulation.run(RunScript(census="always"))
    counts = ended.runs["tickets"].counts
    assert simulation.tables.find_marked("tickets") == set()
    assert (counts.deleted_rows, counts.live_rows, counts.unexplained_rows) == (None, 9, -1)
    assert ended.requests == 9


def test_version_that_comes_twice_in_the_first_listing_is_counted_with_the_second() -> None:
    """Where single rows tell nothing, only the second listing decides; where they do, the first one has counted it."""
    counted = {}
    for way, listings in (("refused", 2), ("right", 2)):
        world = World(Habits(single_rows=way), {"tickets": ((9.0, 8.0),)})  # type: ignore[arg-type]
        endpoint = SMALL_ENDPOINTS["tickets"]
        context = ReadContext(Api(world, lambda: None), endpoint, Meter(), lambda: None, 1000)
        row = world.rows["tickets"]["tkt_001"]
        builder = ChunkBuilder(endpoint.table)
        builder.add([row])
        chunk = builder.build(None)
        differing = Differing(["tkt_001"], {"tkt_001": to_micros(datetime.fromisoformat(row["updated_at"]))}, 0, 0)
        verdicts, loaded = Verdicts(context), []
        for _ in range(listings):
            verdicts.begin_listing()
            loaded.append([verdicts.choose(chunk, differing).rows for _ in range(2)])
        assert not verdicts.open
        counted[way] = loaded, context.counts.corrections["stepped back"], context.meter.requests
    assert counted == {"refused": ([[0, 1], [1, 1]], 1, 3), "right": ([[1, 1], [1, 1]], 1, 1)}
