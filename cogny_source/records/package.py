"""What is loaded and committed together: chunks of resources, their states, and the record of the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa

from cogny_source.records.chunk import Chunk
from cogny_source.records.columns import arrow_schema
from cogny_source.schema import LOAD_ID, RESOURCE_TABLES, SYNC_RUNS, ChildSpec, TableSpec


@dataclass(frozen=True)
class Package:
    """What is loaded and committed together.

    Attributes:
        chunks: Resource name to the chunk to load.
        turn: Names the package in the source's state, so that each commits one, even where nothing else changes in it:
            by their states runs on other machines see that this one loads too.
        runs: Rows for `sync_runs`; None where the run goes on.
        history: Whether the tables of versions are filled.
    """

    chunks: Mapping[str, Chunk]
    turn: str
    runs: pa.Table | None = None
    history: bool = True

    def without_rows(self) -> Package:
        """The package's tables, and `sync_runs`, without a row; the states of its resources stay as they are."""
        chunks = {
            name: Chunk({table: make_empty(spec) for table, spec in list_tables(name, history=self.history).items()})
            for name in self.chunks
        }
        return Package(chunks, self.turn, make_empty(SYNC_RUNS), self.history)


def list_tables(resource: str, *, history: bool) -> dict[str, TableSpec | ChildSpec]:
    """The tables that a resource fills, by name: its own, its child tables, that of its versions.

    Args:
        resource: The resource.
        history: Whether versions are kept.
    """
    spec = RESOURCE_TABLES[resource]
    specs: list[TableSpec | ChildSpec] = [spec, *spec.child_tables]
    if history and spec.versions is not None:
        specs.append(spec.versions)
    return {table.name: table for table in specs}


def make_empty(spec: TableSpec | ChildSpec) -> pa.Table:
    """A table without a row."""
    return arrow_schema(spec.columns).empty_table()


def stamp(table: pa.Table, load_id: str) -> pa.Table:
    """Add `_dlt_load_id`, which is known only when a load begins."""
    return table.append_column(pa.field(LOAD_ID.name, pa.string()), pa.repeat(pa.scalar(load_id), table.num_rows))
