"""How little memory DuckDB needs for a commit, and when it is to join row groups: a plan, and the settings for it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb

logger = logging.getLogger(__name__)

MEGABYTE = 2**20
# What DuckDB may hold of its file and of rows on their way; what is more it writes to the disk.
COMMIT_MEGABYTES = 32
# Of a row that is deleted it keeps a note until the transaction is in the file, and those of a vector together.
VECTOR_ROWS = 2048
VECTOR_NOTE_BYTES = 2**15
# Of a first load's chunk only those rows are there before that it shares with the one before, or that changed since.
FEW_ROWS = 200
# Each load adds a row group to its tables. DuckDB joins those that are not full by writing all their rows again, at
# each checkpoint as many as there are: here one batch of them, once in so many loads, and none after a load whose own
# groups are large enough.
ROWS_A_GROUP = 122_880
LARGE_ENOUGH_ROWS = 7_680
LOADS_A_JOIN = 16
JOIN_MEGABYTES = 96
# To join wide rows takes memory for a whole group of them, which no limit bounds.
WIDE_MEGABYTES = 128
LOADS_A_WIDE_JOIN = 512


@dataclass(frozen=True)
class Portion:
    """What a commit brings into one table.

    Attributes:
        rows: How many rows.
        size: Their bytes in Arrow.
        table_rows: How many rows the table has before.
        replaces: Whether many of them may be there already; of a first load few are.
    """

    rows: int
    size: int
    table_rows: int
    replaces: bool

    @property
    def is_wide(self) -> bool:
        """Whether a row group of such rows is too large to be joined in little memory."""
        return min(self.table_rows + self.rows, ROWS_A_GROUP) * self.size / self.rows > WIDE_MEGABYTES * MEGABYTE


@dataclass(frozen=True)
class Bounds:
    """What DuckDB may do in a commit.

    Attributes:
        megabytes: What it may hold; None for as much as it may anyway.
        joins: Whether it joins a batch of row groups; by its own defaults it joins all.
    """

    megabytes: int | None
    joins: bool = False


UNBOUNDED = Bounds(None)


def plan_bounds(portions: Sequence[Portion], loads: int) -> Bounds:
    """The bounds of a commit.

    Args:
        portions: What it brings into the tables of the API's rows; of those without rows nothing.
        loads: How many loads there were before.
    """
    size = 0
    for portion in portions:
        replaced = min(portion.rows if portion.replaces else FEW_ROWS, portion.table_rows // VECTOR_ROWS)
        size += 2 * portion.size + VECTOR_NOTE_BYTES * replaced
    enough = max(COMMIT_MEGABYTES, size // MEGABYTE)
    # Without rows of the API, nobody knows how wide those in the tables are.
    is_narrow = bool(portions) and not any(portion.is_wide for portion in portions)
    # A run with news loads twice, and the second time no rows of the API: one of two in a row has some.
    is_time = loads % (LOADS_A_JOIN if is_narrow else LOADS_A_WIDE_JOIN) < 2
    if not is_time or any(portion.rows >= LARGE_ENOUGH_ROWS for portion in portions):
        return Bounds(enough)
    return Bounds(max(enough, JOIN_MEGABYTES) if is_narrow else None, joins=True)


@contextmanager
def keep_within(bounds: Bounds, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Within the block, let DuckDB keep to bounds, and write a commit into the file at once.

    Else it would write the rows into its log, and from that into the file. It still does where another connection of
    this process writes too. The settings hold for that connection as well, and are set back.
    """
    wanted: dict[str, object] = {"max_vacuum_tasks": int(bounds.joins), "checkpoint_threshold": "0B"}
    if bounds.megabytes is not None:
        # One thread: a chunk is too small for more, and each takes memory of its own.
        wanted |= {"memory_limit": f"{bounds.megabytes}MB", "threads": 1}
    asked = ", ".join(f"current_setting('{name}')" for name in wanted)
    [found] = connection.execute(f"SELECT {asked}").fetchall()
    try:
        _set(connection, wanted)
        yield
    finally:
        try:
            _set(connection, dict(zip(wanted, found, strict=True)))
        except duckdb.FatalException as error:
            logger.debug("the database is to be opened again: %s", error)


def _set(connection: duckdb.DuckDBPyConnection, settings: Mapping[str, object]) -> None:
    for name, value in settings.items():
        try:
            connection.execute(f"SET GLOBAL {name} = '{value}'")
        except duckdb.OutOfMemoryException as error:  # more is in use, and cannot be let go
            logger.debug("the bound of memory stays: %s", error)
