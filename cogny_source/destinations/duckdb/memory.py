"""Plans and sets the memory of a commit into DuckDB, and decides when DuckDB joins row groups."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb

logger = logging.getLogger(__name__)

MEGABYTE = 2**20
# The memory for blocks of the file and rows in transit; DuckDB writes the rest to the disk.
COMMIT_MEGABYTES = 32
# DuckDB holds undo data for deleted rows until the checkpoint: 32 KB per touched vector of 2,048 rows, and about half
# as much beside it.
VECTOR_ROWS = 2048
UNDO_BYTES_A_VECTOR = 3 * 2**14
# In a backfill by creation time, rows that are replaced are close together or few.
FEW_VECTORS = 100
# Each load adds a row group to its tables. At each checkpoint DuckDB joins all groups that are not full, and writes
# all their rows again. Here it joins one batch of groups every LOADS_A_JOIN loads, and none if this load or the
# average of all loads makes groups of LARGE_ENOUGH_ROWS.
ROWS_A_GROUP = 122_880
LARGE_ENOUGH_ROWS = 7_680
LOADS_A_JOIN = 16
JOIN_MEGABYTES = 64
# Joining wide rows takes memory for a whole group, which no limit bounds.
WIDE_MEGABYTES = 128
LOADS_A_WIDE_JOIN = 512
SIZE = re.compile(r"(\d+\.\d) (\w+)")
UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB")


@dataclass(frozen=True)
class TableLoad:
    """The rows that a commit loads into one table.

    Attributes:
        rows: Number of rows.
        size: Their bytes in Arrow.
        table_rows: Rows of the table before the commit.
        scattered: Whether the rows that they replace may be anywhere in the table.
    """

    rows: int
    size: int
    table_rows: int
    scattered: bool

    @property
    def is_wide(self) -> bool:
        """Whether a row group of such rows is too large to join in little memory."""
        return min(self.table_rows + self.rows, ROWS_A_GROUP) * self.size / self.rows > WIDE_MEGABYTES * MEGABYTE


@dataclass(frozen=True)
class MemoryPlan:
    """DuckDB's limits in a commit.

    Attributes:
        megabytes: The memory limit; None to leave DuckDB's limit.
        joins: Whether it joins a batch of row groups; DuckDB's default joins all.
    """

    megabytes: int | None
    joins: bool = False


UNBOUNDED = MemoryPlan(None)


@dataclass(frozen=True)
class FileStats:
    """The file before a commit.

    Attributes:
        loads: Number of loads so far.
        rows: Rows of the largest table.
        size: Bytes of the file that are in use.
    """

    loads: int
    rows: int = 0
    size: int = 0

    @property
    def is_wide(self) -> bool:
        """Whether a row group of the largest table, with its child rows, is too large to join in little memory."""
        return self.size / max(1, self.rows) * min(self.rows, ROWS_A_GROUP) > WIDE_MEGABYTES * MEGABYTE

    @property
    def has_large_groups(self) -> bool:
        """Whether an average load so far makes a group of `LARGE_ENOUGH_ROWS`."""
        return self.rows >= LARGE_ENOUGH_ROWS * max(1, self.loads)


def plan_memory(loads: Sequence[TableLoad], stats: FileStats) -> MemoryPlan:
    """Plan the memory of a commit.

    Args:
        loads: The rows for each table of the API's rows; tables that get none are left out.
        stats: The file before the commit; a checkpoint joins the row groups of all tables.
    """
    size = 0
    for load in loads:
        touched = min(load.rows if load.scattered else FEW_VECTORS, load.table_rows // VECTOR_ROWS)
        size += 2 * load.size + UNDO_BYTES_A_VECTOR * touched
    enough = max(COMMIT_MEGABYTES, size // MEGABYTE)
    is_narrow = not stats.is_wide and not any(load.is_wide for load in loads)
    # A run that has rows commits twice (rows, then the run record), so accept two consecutive load counts.
    is_time = stats.loads % (LOADS_A_JOIN if is_narrow else LOADS_A_WIDE_JOIN) < 2
    is_large = stats.has_large_groups or any(load.rows >= LARGE_ENOUGH_ROWS for load in loads)
    if is_large or not is_time:
        return MemoryPlan(enough)
    return MemoryPlan(max(enough, JOIN_MEGABYTES) if is_narrow else None, joins=True)


@contextmanager
def keep_within(plan: MemoryPlan, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Apply a plan to DuckDB within the block, and make each commit write into the file directly.

    By default DuckDB writes the rows into its log first. The settings are those of the whole database and are restored
    at the end of the block. A lower memory limit is kept.
    """
    wanted: dict[str, object] = {"max_vacuum_tasks": int(plan.joins), "checkpoint_threshold": "0B"}
    if plan.megabytes is not None:
        # One thread: a chunk is too small for more, and each thread takes memory of its own.
        wanted |= {"memory_limit": f"{plan.megabytes}MB", "threads": 1}
    columns = ", ".join(f"current_setting('{name}')" for name in wanted)
    [current] = connection.execute(f"SELECT {columns}").fetchall()
    before: dict[str, object] = {name: _widen(value) for name, value in zip(wanted, current, strict=True)}
    if plan.megabytes is not None and _count_bytes(str(before["memory_limit"])) <= plan.megabytes * 10**6:
        del wanted["memory_limit"]
    try:
        _set(connection, wanted)
        yield
    finally:
        try:
            _set(connection, before)
        except duckdb.FatalException as error:
            logger.debug("the database must be opened again: %s", error)


def _widen(value: object) -> object:
    """A setting's value to restore. DuckDB truncates sizes to a tenth; half a tenth more restores the shown value."""
    size = SIZE.fullmatch(str(value))
    return f"{size[1]}5 {size[2]}" if size else value


def _count_bytes(text: str) -> float:
    number, _, unit = text.partition(" ")
    return float(number) * float(1024 ** UNITS.index(unit))


def _set(connection: duckdb.DuckDBPyConnection, settings: Mapping[str, object]) -> None:
    for name, value in settings.items():
        try:
            connection.execute(f"SET GLOBAL {name} = '{value}'")
        except duckdb.OutOfMemoryException as error:  # more is in use and cannot be freed
            logger.debug("the memory limit is not changed: %s", error)
