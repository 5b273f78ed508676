"""Older versions replace newer rows only where the API confirms them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from cogny_source.api.calls import Params
from cogny_source.api.envelope import Answer
from cogny_source.api.meter import Meter
from cogny_source.errors import NotFound
from cogny_source.extract.context import ReadContext
from cogny_source.reconcile.versions import LAG_SECONDS, VersionGuard, find_aged
from cogny_source.records.chunk import Chunk, ChunkBuilder
from cogny_source.records.package import Package
from tests.simulation.model import SMALL_ENDPOINTS
from tests.simulation.tables import Tables
from tests.simulation.world import BORN, stamp

ENDPOINT = SMALL_ENDPOINTS["tickets"]
SPEC = ENDPOINT.table
HOUR = timedelta(hours=1)


def build(hours: dict[str, float], *, state: dict[str, Any] | None = None) -> Chunk:
    """Rows that changed so many hours ago, with their versions."""
    builder = ChunkBuilder(SPEC, history=True)
    for key, ago in hours.items():
        instant = stamp(BORN - ago * HOUR)
        builder.add([{"id": key, "title": str(ago), "created_at": instant, "updated_at": instant, "action_items": []}])
    return builder.build(state, last=True)


class Rows:
    """Gives rows by their id, as they changed so many hours ago; others do not exist."""

    def __init__(self, hours: dict[str, float]) -> None:
        self.asked: list[str] = []
        self._hours = hours

    def get(self, path: str, params: Params, meter: Meter, *, scope: str | None = None, patient: bool = True) -> Answer:
        """The row."""
        key = path.rpartition("/")[2]
        self.asked.append(key)
        if key not in self._hours:
            raise NotFound("no such row", status=404)
        return Answer({"id": key, "updated_at": stamp(BORN - self._hours[key] * HOUR)}, None, BORN, None)


class Guarded:
    """A guard before a table that holds rows.

    Args:
        held: Hours since the change that the table holds of each row.
        given: Hours since the change that the API gives of each row.
        settled_hours: See `VersionGuard`.
    """

    def __init__(
        self, held: dict[str, float], given: dict[str, float] | None = None, settled_hours: float | None = None
    ) -> None:
        self.tables, self.api = Tables(lambda _: None), Rows(given or {})
        self.tables.load(Package({"tickets": build(held)}, "token"))
        self.context = ReadContext(self.api, ENDPOINT, Meter(), lambda: None, 1000, now=lambda: BORN)
        settled = None if settled_hours is None else BORN - settled_hours * HOUR
        self._guard = VersionGuard(self.context, self.tables, settled)

    def admit(self, hours: dict[str, float]) -> dict[str, str]:
        """The title of each row that is admitted."""
        chunk = self._guard.admit(build(hours, state={"kept": 1}))
        assert (chunk.state, chunk.last) == ({"kept": 1}, True)
        if not chunk.tables:
            assert chunk.rows == 0
            return {}
        assert any(map(len, chunk.tables.values()))
        table = chunk.tables["tickets"]
        assert chunk.rows == len(table)
        return dict(zip(table["id"].to_pylist(), table["title"].to_pylist(), strict=True))


def test_rows_that_are_new_or_newer_are_admitted_without_a_request() -> None:
    """And those in the version that is there, which are counted."""
    guarded = Guarded({"tkt_1": 3.0, "tkt_2": 3.0})
    assert guarded.admit({"tkt_1": 2.0, "tkt_2": 3.0, "tkt_3": 9.0}) == {"tkt_1": "2.0", "tkt_2": "3.0", "tkt_3": "9.0"}
    assert (guarded.context.counts.unchanged_rows, guarded.context.counts.corrections) == (1, {})
    assert guarded.api.asked == []


def test_older_version_needs_to_be_confirmed() -> None:
    """By the row itself; where the API gives another version, or none at all, the newer one stays."""
    held = {"tkt_1": 1.0, "tkt_2": 1.0}
    guarded = Guarded(held, {"tkt_1": 2.0, "tkt_2": 1.0})
    assert guarded.admit({"tkt_1": 2.0, "tkt_2": 2.0, "tkt_3": 5.0}) == {"tkt_1": "2.0", "tkt_3": "5.0"}
    assert sorted(guarded.api.asked) == ["tkt_1", "tkt_2"]
    assert guarded.context.counts.corrections == {"stepped back": 1}
    assert Guarded(held).admit({"tkt_1": 2.0}) == {}


def test_refused_version_stays_in_the_history() -> None:
    """It existed."""
    guarded = Guarded({"tkt_1": 1.0})
    chunk = guarded._guard.admit(build({"tkt_1": 2.0, "tkt_2": 2.0}))
    assert chunk.tables["tickets"]["id"].to_pylist() == ["tkt_2"]
    assert sorted(chunk.tables["tickets_history"]["id"].to_pylist()) == ["tkt_1", "tkt_2"]
    alone = guarded._guard.admit(build({"tkt_1": 2.0}))
    assert (alone.rows, {name: len(table) for name, table in alone.tables.items()}) == (
        0, {"tickets": 0, "tickets__action_items": 0, "tickets_history": 1},
    )  # fmt: skip


@pytest.mark.parametrize(("held", "admitted"), [(47.9, False), (48.1, True)])
def test_row_that_changed_long_ago_may_step_back(held: float, admitted: bool) -> None:
    """No copy lags by two days: an older version of such a row is a backup that was put back."""
    guarded = Guarded({"tkt_1": held})
    assert bool(guarded.admit({"tkt_1": 60.0})) is admitted
    assert bool(guarded.api.asked) is not admitted


def test_second_look_loads_what_came_late_and_nothing_else() -> None:
    """Of changes that should have come before, only those that the table lacks are loaded, and counted as late."""
    guarded = Guarded({"tkt_1": 30.0, "tkt_2": 30.0, "tkt_4": 2.0}, {"tkt_2": 31.0}, settled_hours=10.0)
    hours = {"tkt_1": 30.0, "tkt_2": 31.0, "tkt_3": 20.0, "tkt_4": 2.0, "tkt_5": 1.0}
    assert guarded.admit(hours) == {"tkt_2": "31.0", "tkt_3": "20.0", "tkt_4": "2.0", "tkt_5": "1.0"}
    assert guarded.context.counts.corrections == {"late": 1, "stepped back": 1}
    assert guarded.context.counts.unchanged_rows == 1


def test_second_look_compares_with_changes_of_any_age() -> None:
    """An older version of a row that changed long ago is none that a copy lags behind."""
    guarded = Guarded({"tkt_1": 100.0}, settled_hours=10.0)
    assert guarded.admit({"tkt_1": 120.0}) == {}
    assert guarded.api.asked == ["tkt_1"]


def test_second_look_at_the_bound_is_none() -> None:
    """A change at that instant may come now."""
    guarded = Guarded({}, settled_hours=10.0)
    assert guarded.admit({"tkt_1": 10.0}) == {"tkt_1": "10.0"}
    assert (guarded.context.counts.corrections, guarded.context.counts.unchanged_rows) == ({}, 0)


def test_row_without_a_time_of_change_is_no_late_one() -> None:
    """Nothing says when it should have come."""
    guarded = Guarded({}, settled_hours=10.0)
    builder = ChunkBuilder(SPEC)
    builder.add([{"id": "tkt_1", "updated_at": None}, {"id": "tkt_2", "updated_at": stamp(BORN - HOUR)}])
    assert guarded._guard.admit(builder.build({})).tables["tickets"]["id"].to_pylist() == ["tkt_1", "tkt_2"]
    assert guarded.context.counts.corrections == {}


def test_all_that_a_second_look_finds_is_there() -> None:
    """Nothing is loaded."""
    guarded = Guarded({"tkt_1": 30.0}, settled_hours=10.0)
    chunk = guarded._guard.admit(build({"tkt_1": 30.0}))
    assert (chunk.tables, chunk.rows) == ({}, 0)


def test_of_a_list_that_is_always_read_whole_only_what_differs_is_loaded() -> None:
    """All of it while there is no table; rows that it lacks are counted, though they have no timestamps."""
    endpoint = SMALL_ENDPOINTS["warehouses"]
    tables = Tables(lambda _: None)
    context = ReadContext(Rows({}), endpoint, Meter(), lambda: None, 1000)

    def admit(**names: str) -> list[str]:
        builder = ChunkBuilder(endpoint.table)
        builder.add({"id": key, "name": name} for key, name in names.items())
        chunk = VersionGuard(context, tables, None).admit(builder.build({"kept": 1}, last=True))
        assert (chunk.state, chunk.last) == ({"kept": 1}, True)
        tables.load(Package({"warehouses": chunk}, "token"))
        return chunk.tables["warehouses"]["id"].to_pylist() if chunk.tables else []

    assert admit(wh_1="a", wh_2="b") == ["wh_1", "wh_2"]
    assert (admit(wh_1="a", wh_2="b"), context.counts.unlisted_rows) == ([], 0)
    assert (admit(wh_2="c", wh_3="d"), context.counts.unlisted_rows) == (["wh_2", "wh_3"], 1)


def test_empty_chunk_is_admitted_as_it_is() -> None:
    """It has a state alone."""
    chunk = Chunk(state={"kept": 1})
    assert Guarded({})._guard.admit(chunk) is chunk


@pytest.mark.parametrize(
    ("created", "updated", "aged"),
    [
        (LAG_SECONDS + 1, 0.0, True),
        (LAG_SECONDS, 0.0, False),
        (0.0, LAG_SECONDS + 1, False),
        (None, LAG_SECONDS + 1, True),
        (None, 0.0, False),
        (None, None, True),
    ],
)
def test_row_is_aged_by_its_creation(created: float | None, updated: float | None, aged: bool) -> None:
    """Else by its last change; without both it is old."""
    tables = Tables(lambda _: None)

    def ago(seconds: float | None) -> datetime | None:
        return None if seconds is None else BORN - timedelta(seconds=seconds)

    builder = ChunkBuilder(SPEC)
    builder.add([{"id": "tkt_1", "created_at": stamp(ago(created)), "updated_at": stamp(ago(updated))}])
    tables.load(Package({"tickets": builder.build({})}, "token"))
    assert find_aged(tables, SPEC, ["tkt_1", "tkt_2"], BORN) == ({"tkt_1"} if aged else set())
