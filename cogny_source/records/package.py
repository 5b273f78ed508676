"""Packages: the chunks of resources, their states and the record of the run that one commit takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from cogny_source.records.chunk import Chunk
from cogny_source.records.columns import arrow_schema
from cogny_source.schema import LOAD_ID, RESOURCE_TABLES, SYNC_RUNS, ChildSpec, TableSpec


@dataclass(frozen=True)
class Package:
    """The chunks, states and run record that are committed together.

    Attributes:
        chunks: Resource name to the chunk to load.
        token: A token in the source's state. It changes with each package, so that each commits a state: runs on
            other machines detect by the states that this one also loads.
        runs: Rows for `sync_runs`; None while the run continues.
        history: Whether the history tables are filled.
    """

    chunks: Mapping[str, Chunk]
    token: str
    runs: pa.Table | None = None
    history: bool = True

    def without_rows(self) -> Package:
        """The package's tables and `sync_runs` without rows; the states of its resources do not change."""
        chunks = {
            name: Chunk(
                {table: make_empty_table(spec) for table, spec in list_tables(name, history=self.history).items()}
            )
            for name in self.chunks
        }
        return Package(chunks, self.token, make_empty_table(SYNC_RUNS), self.history)


def list_tables(resource: str, *, history: bool) -> dict[str, TableSpec | ChildSpec]:
    """The tables that a resource fills, by name: its own, its child tables, its history table.

    Args:
        resource: The resource.
        history: Whether to include the history table.
    """
    spec = RESOURCE_TABLES[resource]
    specs: list[TableSpec | ChildSpec] = [spec, *spec.child_tables]
    if history and spec.versions is not None:
        specs.append(spec.versions)
    return {table.name: table for table in specs}


def make_empty_table(spec: TableSpec | ChildSpec) -> pa.Table:
    """A table without rows."""
    return arrow_schema(spec.columns).empty_table()


def add_load_id(table: pa.Table, load_id: str) -> pa.Table:
    """Add `_dlt_load_id`, which is known only when a load begins."""
    return table.append_column(pa.field(LOAD_ID.name, pa.string()), pa.repeat(pa.scalar(load_id), table.num_rows))
