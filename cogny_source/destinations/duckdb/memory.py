"""How little memory DuckDB needs for a commit, and when it is to join row groups: a plan, and the settings for it."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb

logger = logging.getLogger(__name__)

MEGABYTE = 2**20
# What DuckDB may hold of its file and of rows on their way; what is more it writes to the disk.
COMMIT_MEGABYTES = 32
# Of a row that is deleted it keeps a note until the transaction is in the file, and those of a vector together: 32 KB,
# and about half as much beside them.
VECTOR_ROWS = 2048
VECTOR_NOTE_BYTES = 3 * 2**14
# Where rows are read by creation, those that are there already lie together, or are few.
FEW_VECTORS = 100
# Each load adds a row group to its tables. DuckDB joins those that are not full by writing all their rows again, at
# each checkpoint as many as there are: here one batch of them, once in so many loads, and none where the groups are
# large enough, of this load or of all before it.
ROWS_A_GROUP = 122_880
LARGE_ENOUGH_ROWS = 7_680
LOADS_A_JOIN = 16
JOIN_MEGABYTES = 64
# To join wide rows takes memory for a whole group of them, which no limit bounds.
WIDE_MEGABYTES = 128
LOADS_A_WIDE_JOIN = 512
SIZE = re.compile(r"(\d+\.\d) (\w+)")
UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB")


@dataclass(frozen=True)
class TableLoad:
    """What a commit brings into one table.

    Attributes:
        rows: How many rows.
        size: Their bytes in Arrow.
        table_rows: How many rows the table has before.
        scattered: Whether those of them that are there already may lie anywhere in the table.
    """

    rows: int
    size: int
    table_rows: int
    scattered: bool

    @property
    def is_wide(self) -> bool:
        """Whether a row group of such rows is too large to be joined in little memory."""
        return min(self.table_rows + self.rows, ROWS_A_GROUP) * self.size / self.rows > WIDE_MEGABYTES * MEGABYTE


@dataclass(frozen=True)
class MemoryPlan:
    """What DuckDB may do in a commit.

    Attributes:
        megabytes: What it may hold; None for as much as it may anyway.
        joins: Whether it joins a batch of row groups; by its own defaults it joins all.
    """

    megabytes: int | None
    joins: bool = False


UNBOUNDED = MemoryPlan(None)


@dataclass(frozen=True)
class FileStats:
    """What the file holds before a commit.

    Attributes:
        loads: How many loads brought it.
        rows: Of the largest table.
        size: Bytes of the file that are in use.
    """

    loads: int
    rows: int = 0
    size: int = 0

    @property
    def is_wide(self) -> bool:
        """Whether a row group of the largest table, with what belongs to its rows, is too large to be joined so."""
        return self.size / max(1, self.rows) * min(self.rows, ROWS_A_GROUP) > WIDE_MEGABYTES * MEGABYTE

    @property
    def has_large_groups(self) -> bool:
        """Whether the loads so far brought, one with another, as many rows as make a group large enough."""
        return self.rows >= LARGE_ENOUGH_ROWS * max(1, self.loads)


def plan_memory(portions: Sequence[TableLoad], holdings: FileStats) -> MemoryPlan:
    """The bounds of a commit.

    Args:
        portions: What it brings into the tables of the API's rows; of those without rows nothing.
        holdings: What is there before. The row groups of all tables are joined, whatever the commit brings.
    """
    size = 0
    for portion in portions:
        touched = min(portion.rows if portion.scattered else FEW_VECTORS, portion.table_rows // VECTOR_ROWS)
        size += 2 * portion.size + VECTOR_NOTE_BYTES * touched
    enough = max(COMMIT_MEGABYTES, size // MEGABYTE)
    is_narrow = not holdings.is_wide and not any(portion.is_wide for portion in portions)
    # A run with news loads twice, and the second time no rows of the API: one of two in a row has some.
    is_time = holdings.loads % (LOADS_A_JOIN if is_narrow else LOADS_A_WIDE_JOIN) < 2
    is_large = holdings.has_large_groups or any(portion.rows >= LARGE_ENOUGH_ROWS for portion in portions)
    if is_large or not is_time:
        return MemoryPlan(enough)
    return MemoryPlan(max(enough, JOIN_MEGABYTES) if is_narrow else None, joins=True)


@contextmanager
def keep_within(bounds: MemoryPlan, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Within the block, let DuckDB keep to bounds, and write a commit into the file at once.

    Else it would write the rows into its log, and from that into the file. The settings are the whole database's, and
    are set back. A tighter limit of memory stays.
    """
    wanted: dict[str, object] = {"max_vacuum_tasks": int(bounds.joins), "checkpoint_threshold": "0B"}
    if bounds.megabytes is not None:
        # One thread: a chunk is too small for more, and each takes memory of its own.
        wanted |= {"memory_limit": f"{bounds.megabytes}MB", "threads": 1}
    asked = ", ".join(f"current_setting('{name}')" for name in wanted)
    [found] = connection.execute(f"SELECT {asked}").fetchall()
    before: dict[str, object] = {name: _widen(value) for name, value in zip(wanted, found, strict=True)}
    if bounds.megabytes is not None and _count_bytes(str(before["memory_limit"])) <= bounds.megabytes * 10**6:
        del wanted["memory_limit"]
    try:
        _set(connection, wanted)
        yield
    finally:
        try:
            _set(connection, before)
        except duckdb.FatalException as error:
            logger.debug("the database is to be opened again: %s", error)


def _widen(value: object) -> object:
    """A size as DuckDB tells it, cut to a tenth of its unit, with half a tenth more: set, it is told as before."""
    size = SIZE.fullmatch(str(value))
    return f"{size[1]}5 {size[2]}" if size else value


def _count_bytes(text: str) -> float:
    number, _, unit = text.partition(" ")
    return float(number) * float(1024 ** UNITS.index(unit))


def _set(connection: duckdb.DuckDBPyConnection, settings: Mapping[str, object]) -> None:
    for name, value in settings.items():
        try:
            connection.execute(f"SET GLOBAL {name} = '{value}'")
        except duckdb.OutOfMemoryException as error:  # more is in use, and cannot be let go
            logger.debug("the bound of memory stays: %s", error)
