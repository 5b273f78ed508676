"""What a run asks a destination: counts, rows, and the states that others committed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, NamedTuple, Protocol

import pyarrow as pa

from cogny_source.schema import ChildSpec, TableSpec
from cogny_source.windows import Window

EVERYTHING = Window()


class LiveCount(NamedTuple):
    """The live rows of a table: those that are not marked deleted.

    Attributes:
        rows: The number of live rows.
        settled: Live rows created at or before an instant, or without `created_at`.
        updated_at: `updated_at` of one row; None if it does not exist or is not live.
        undated: Live rows without `created_at`.
    """

    rows: int
    settled: int
    updated_at: datetime | None
    undated: int = 0


class DestinationReader(Protocol):
    """Reads a destination: a `DestinationSession`, or tables in memory. A missing table has no rows.

    Each method raises `LoadFailed` if the destination does not answer.
    """

    def connect(self) -> AbstractContextManager[Any]:
        """Open a connection for the block, or reuse the open one."""

    def query_or_empty(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query as Python values."""

    def count_rows(self, spec: TableSpec) -> tuple[int, int]:
        """The number of rows of a resource's table, and of those marked deleted."""

    def count_live(
        self, spec: TableSpec, start: datetime | None, taken_at: datetime | None, key: str | None = None
    ) -> LiveCount:
        """Count the live rows of a table.

        Args:
            spec: The table.
            start: Rows created before it are left out.
            taken_at: The instant for `LiveCount.settled`; None for no bound.
            key: The row for `LiveCount.updated_at`.
        """

    def read_rows(self, spec: TableSpec, window: Window = EVERYTHING) -> Iterator[pa.Table]:
        """Read the rows of a table that were created in a window; an open end includes rows without a date."""

    def read_children(self, spec: TableSpec, child: ChildSpec, window: Window = EVERYTHING) -> Iterator[pa.Table]:
        """Read the child rows of the rows created in a window, in the order of their key.

        A window without an end also includes child rows without a parent.
        """

    def read_keys(self, spec: TableSpec, keys: Sequence[str]) -> Iterator[pa.Table]:
        """Read the rows with some keys."""

    def has_columns(self, spec: TableSpec) -> bool:
        """Whether a table exists with every declared column."""

    def read_stamps(self, spec: TableSpec, since: datetime) -> pa.Table | None:
        """Key and `updated_at` of the live rows that changed at an instant or later; None if there are none."""

    def state_ids(self) -> set[str]:
        """The load ids of the states in the destination."""

    def read_states(self, load_ids: set[str]) -> list[dict[str, Any]]:
        """The states that some load packages committed, each by resource, the oldest package first."""
