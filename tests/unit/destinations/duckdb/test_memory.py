"""How much memory a commit gets, and when row groups are joined, as a pure plan."""

from __future__ import annotations

from dataclasses import replace

import duckdb
import pytest

from cogny_source.destinations.duckdb.memory import (
    COMMIT_MEGABYTES,
    JOIN_MEGABYTES,
    LARGE_ENOUGH_ROWS,
    LOADS_A_JOIN,
    LOADS_A_WIDE_JOIN,
    MEGABYTE,
    UNBOUNDED,
    FileStats,
    MemoryPlan,
    TableLoad,
    keep_within,
    plan_memory,
)

FEW = TableLoad(rows=100, size=60_000, table_rows=5_000, scattered=True)
QUIET = FileStats(loads=3)
TURN = FileStats(loads=LOADS_A_JOIN, rows=5_000, size=3 * MEGABYTE)


def test_a_chunk_of_a_first_load_gets_little() -> None:
    """Rows that are new take what they are themselves, twice; a few may be there before."""
    chunk = TableLoad(rows=15_000, size=12 * MEGABYTE, table_rows=1_000_000, scattered=False)
    assert plan_memory([chunk], QUIET) == MemoryPlan(COMMIT_MEGABYTES)
    assert plan_memory([chunk, chunk], QUIET) == MemoryPlan(57)


def test_rows_that_are_replaced_take_notes() -> None:
    """Of a thousand rows scattered over a table each has a vector's note of 48 KB; never more notes than vectors."""
    scattered = TableLoad(rows=3_200, size=MEGABYTE, table_rows=100_000_000, scattered=True)
    assert plan_memory([scattered], QUIET) == MemoryPlan(152)
    everywhere = TableLoad(rows=15_000, size=MEGABYTE, table_rows=2048 * 2_000, scattered=True)
    assert plan_memory([everywhere], QUIET) == MemoryPlan(95)


def test_row_groups_are_joined_once_in_many_loads() -> None:
    """Two loads in a row, of which one brings rows, have their turn; the others add a group each."""
    turns = [loads for loads in range(3 * LOADS_A_JOIN) if plan_memory([FEW], replace(TURN, loads=loads)).joins]
    assert turns == [0, 1, 16, 17, 32, 33]
    assert plan_memory([FEW], TURN) == MemoryPlan(JOIN_MEGABYTES, joins=True)


def test_large_chunks_join_nothing() -> None:
    """A chunk whose row group is large enough is written once."""
    chunk = TableLoad(rows=LARGE_ENOUGH_ROWS, size=MEGABYTE, table_rows=200_000, scattered=False)
    assert plan_memory([chunk, FEW], TURN) == MemoryPlan(COMMIT_MEGABYTES)


def test_groups_that_are_large_enough_wait() -> None:
    """After a first load in large chunks the row groups are joined once small loads outweigh them."""
    loaded = FileStats(loads=112, rows=1_000_000, size=200 * MEGABYTE)
    assert not plan_memory([FEW], loaded).joins
    assert plan_memory([FEW], replace(loaded, loads=144)).joins


@pytest.mark.parametrize(
    ("portions", "size"),
    [([FEW, TableLoad(rows=50, size=2 * MEGABYTE, table_rows=5_000, scattered=True)], 0), ([FEW], 2**28), ([], 2**28)],
)
def test_wide_rows_are_joined_seldom_and_without_a_bound(portions: list[TableLoad], size: int) -> None:
    """Those that come tell of it, and the file: the row groups of all tables are joined, whatever a load brings."""
    assert plan_memory(portions, replace(TURN, size=size)) == MemoryPlan(COMMIT_MEGABYTES)
    seldom = FileStats(loads=LOADS_A_WIDE_JOIN, rows=5_000, size=size)
    assert plan_memory(portions, seldom) == MemoryPlan(None, joins=True) != UNBOUNDED


def test_a_quiet_sync_has_its_turn_too() -> None:
    """It brings a row of `sync_runs`, whose row groups would be as many as the syncs."""
    assert plan_memory([], TURN) == MemoryPlan(JOIN_MEGABYTES, joins=True)


def read_settings(connection: duckdb.DuckDBPyConnection) -> tuple[object, ...]:
    """What a commit changes, as DuckDB tells it."""
    names = ("memory_limit", "threads", "max_vacuum_tasks", "checkpoint_threshold")
    [found] = connection.execute(f"SELECT {', '.join(f'current_setting({name!r})' for name in names)}").fetchall()
    return tuple(found)


@pytest.mark.parametrize("limit", ["1900MB", "500MiB", "12.3GB"])
def test_settings_are_set_back_as_they_were(limit: str) -> None:
    """DuckDB tells sizes to a tenth of their unit, cut; set back as told, each commit would take a tenth away."""
    with duckdb.connect() as connection:
        connection.execute(f"SET memory_limit = '{limit}'; SET threads = 3; SET checkpoint_threshold = '1gb'")
        before = read_settings(connection)
        for _ in range(3):
            with keep_within(MemoryPlan(48, joins=True), connection):
                assert read_settings(connection) == ("45.7 MiB", 1, 1, "0 bytes")
        assert read_settings(connection) == before


def test_a_tighter_limit_of_the_user_stays() -> None:
    """Whoever gave DuckDB less than a commit would get has reasons."""
    with duckdb.connect() as connection:
        connection.execute("SET memory_limit = '40MB'")
        with keep_within(MemoryPlan(96), connection):
            assert read_settings(connection)[0] == "38.1 MiB"
        assert read_settings(connection)[0] == "38.1 MiB"
