"""Verification: each difference by its name, and whether it is fresh."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from cogny_source.api.calls import Params
from cogny_source.api.envelope import Answer
from cogny_source.api.meter import Meter
from cogny_source.extract.context import Difference, ReadContext, RowCounts
from cogny_source.reconcile.verification import EXPLAINED_ROWS
from cogny_source.reconcile.verification import verify as check
from cogny_source.records.chunk import ChunkBuilder
from cogny_source.records.package import Package
from tests.simulation.model import SMALL_ENDPOINTS
from tests.simulation.oracle import Oracle
from tests.simulation.play import Simulation, simulated
from tests.simulation.scenario import Event, RunScript, Scenario
from tests.simulation.spoil import ITEMS, ROWS, load_and_spoil
from tests.simulation.tables import Tables
from tests.simulation.world import BORN, Habits, stamp

ENDPOINT = SMALL_ENDPOINTS["tickets"]


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


class Listed:
    """An API that lists tickets, each as it was created and changed so many hours before `BORN`.

    Args:
        hours: The hours, by key.
    """

    def __init__(self, hours: dict[str, float]) -> None:
        self._rows = [make_row(key, ago) for key, ago in hours.items()]

    def get(self, path: str, params: Params, meter: Meter, *, scope: str | None = None, patient: bool = True) -> Answer:
        """All of them."""
        return Answer(self._rows, {"has_more": False, "total_count": len(self._rows)}, BORN, None)


def make_row(key: str, ago: float | None, title: str = "a") -> dict[str, Any]:
    """A ticket."""
    instant = stamp(None if ago is None else BORN - timedelta(hours=ago))
    return {"id": key, "title": title, "created_at": instant, "updated_at": instant, "action_items": []}


def compare(
    listed: dict[str, float],
    held: list[dict[str, Any]],
    state: dict[str, Any],
    counts: RowCounts,
    chunk_rows: int = 1000,
) -> dict[str, tuple[str, bool]]:
    """The kind of each difference, and whether it is fresh, by key."""
    tables, builder = Tables(lambda _: None), ChunkBuilder(ENDPOINT.table)
    builder.add(held)
    tables.load(Package({"tickets": builder.build({})}, "token"))
    context = ReadContext(Listed(listed), ENDPOINT, Meter(), lambda: None, 1000, counts=counts)
    with simulated():
        found = check(context, state, tables)
    return {one.key: (one.kind, one.fresh) for one in found if one.table == "tickets"}


MARK = {"updated_after": stamp(BORN - timedelta(hours=5))}


@pytest.mark.parametrize(
    ("listed", "counts", "fresh"),
    [
        ({}, RowCounts(unexplained_rows=0), True),
        ({}, RowCounts(unexplained_rows=None), False),
        ({}, RowCounts(unexplained_rows=1), False),
        ({}, RowCounts(unexplained_rows=1, deleted_rows=0), True),
        ({"tkt_new": 4.0}, RowCounts(unexplained_rows=0), True),
        ({"tkt_old": 6.0}, RowCounts(unexplained_rows=0), False),
        ({"tkt_other": 6.0}, RowCounts(unexplained_rows=0), True),
    ],
)
def test_row_that_is_not_listed_left_since_the_sync_if_counts_agreed(
    listed: dict[str, float], counts: RowCounts, fresh: bool
) -> None:
    """Or if a census had just listed every row; a row that is missing and older can have made the counts agree."""
    held = [make_row("tkt_gone", 6.0), make_row("tkt_other", 6.0, "b")]
    found = compare({"tkt_other": 6.0} | listed, held, MARK, counts)
    assert found["tkt_gone"] == ("not listed", fresh)
    assert found["tkt_other"] == ("differs", False)


@pytest.mark.parametrize(("hours", "fresh"), [(5.1, False), (5.0, True), (4.9, True)])
def test_row_that_changed_at_the_watermark_or_later_is_fresh(hours: float, fresh: bool) -> None:
    """The pass of the sync may not have seen it."""
    held = [make_row("tkt_1", 9.0), make_row("tkt_2", 9.0)]
    found = compare({"tkt_1": hours, "tkt_2": 9.0}, held, MARK, RowCounts())
    assert found == {"tkt_1": ("differs", fresh)}
    assert compare({"tkt_1": hours, "tkt_2": 9.0}, held, {}, RowCounts()) == {"tkt_1": ("differs", False)}


def test_row_without_a_date_is_not_missed_behind_a_start_date() -> None:
    """The filter may have hidden it."""
    held, start = [make_row("tkt_1", 3.0), make_row("tkt_2", None)], stamp(BORN - timedelta(hours=4))
    assert compare({"tkt_1": 3.0}, held, {**MARK, "start_date": start}, RowCounts()) == {}
    assert compare({"tkt_1": 3.0}, held, MARK, RowCounts()) == {"tkt_2": ("not listed", False)}


def test_columns_are_named_for_the_first_rows_alone() -> None:
    """A table that differs as a whole is not held in memory."""
    with simulated():
        simulation = Simulation(Scenario(births={"tickets": tuple((9.0, 8.0) for _ in range(EXPLAINED_ROWS + 9))}))
        simulation.run(RunScript())
        for key, row in simulation.tables.rows["tickets"].items():
            simulation.tables.rows["tickets"][key] = {**row, "title": "spoiled"}
        found = verify(simulation, chunk_rows=20)
    assert len(found) == EXPLAINED_ROWS + 9
    assert [one.columns for one in found] == [("title",)] * EXPLAINED_ROWS + [()] * 9


@pytest.mark.parametrize(
    ("event", "spoiled", "told"),
    [
        ("change", None, {"wh_001": ("differs", True)}),
        ("delete", None, {"wh_001": ("not listed", True)}),
        (None, {"name": "spoiled"}, {"wh_001": ("differs", False)}),
        (None, {"id": "wh_009"}, {"wh_001": ("missing", False), "wh_009": ("not listed", False)}),
    ],
)
def test_list_that_is_always_read_whole_tells_by_its_digests_what_is_fresh(
    event: Any, spoiled: dict[str, Any] | None, told: dict[str, tuple[str, bool]]
) -> None:
    """What it listed during the sync is known."""
    names = ("warehouses",)
    births = {"warehouses": ((9.0, 9.0), (8.0, 8.0), (7.0, 7.0))}
    with simulated():
        simulation = Simulation(Scenario(births=births, resources=names))
        simulation.run(RunScript(resources=names))
        if spoiled is not None:
            row = simulation.tables.rows["warehouses"].pop("wh_001") | spoiled
            simulation.tables.rows["warehouses"][row["id"]] = row
        events = () if event is None else (Event(1, event, "warehouses"),)
        ended = simulation.run(RunScript(verify=True, census="never", resources=names, events=events))
    assert ended.requests == 2
    differences = ended.runs["warehouses"].counts.differences or ()
    assert {one.key: (one.kind, one.fresh) for one in differences} == told
