"""Packages as a dlt source: chunks of the resources as dlt resources, each chunk's state committed with its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import dlt
import pyarrow as pa
from dlt.common.schema.typing import TColumnSchema, TWriteDispositionConfig
from dlt.extract import DltResource, DltSource

from cogny_source.destinations.adapter import DestinationAdapter
from cogny_source.destinations.dlt_internals import current_load_id, current_pipeline
from cogny_source.records.chunk import Chunk
from cogny_source.records.package import Package, list_tables, make_empty, stamp
from cogny_source.schema import RESOURCE_TABLES, SYNC_RUNS, TOMBSTONE, ChildSpec, Column, TableSpec

# Takes a resource's state and gives its chunks.
Supply = Callable[[dict[str, Any]], Iterator[Chunk]]
# Finds the adapter of the pipeline that extracts.
FindAdapter = Callable[[dlt.Pipeline], DestinationAdapter]

# The chunks hold one row a key; a list's rows replace all rows of their parent.
MERGE: TWriteDispositionConfig = {"disposition": "merge", "strategy": "delete-insert", "deduplicated": True}


def make_package_source(package: Package, adapter: DestinationAdapter) -> DltSource:
    """A package as a source under the same name, so that it shares schema and state."""

    def find_adapter(_: dlt.Pipeline) -> DestinationAdapter:
        return adapter

    @dlt.source(name="cogny", section="cogny")
    def package_source() -> Sequence[DltResource]:
        resources = [
            make_resource(
                RESOURCE_TABLES[name], _supply_one(chunk), find_adapter, history=package.history, turn=package.turn
            )
            for name, chunk in package.chunks.items()
        ]
        if package.runs is not None:
            resources.append(_make_runs_resource(package.runs, package.turn, adapter))
        return resources

    return package_source()


def _supply_one(chunk: Chunk) -> Supply:
    return lambda _: iter([chunk])


def make_resource(
    spec: TableSpec, supply: Supply, find_adapter: FindAdapter, *, history: bool, turn: str | None = None
) -> DltResource:
    """A dlt resource of what a supply gives for it.

    Args:
        spec: Its table.
        supply: Gives its chunks.
        find_adapter: Finds the adapter of the pipeline that extracts; may raise `ConfigError`.
        history: Whether each version of a row is kept.
        turn: What names the package in the state.
    """
    tables = list_tables(spec.name, history=history)

    def extract() -> Iterator[Any]:
        pipeline = current_pipeline()
        adapter = find_adapter(pipeline)
        state = dlt.current.resource_state()
        known = dlt.current.source_schema().tables
        with adapter.open_writer(Path(pipeline.working_dir)) as write:
            for name in tables.keys() - known.keys():
                yield from write(_stamp(make_empty(tables[name])), tables[name], _make_hints(tables[name], adapter))
            for chunk in supply(dict(state)):
                for name in list(chunk.tables):
                    # Let go of once it is on disk: the load that follows needs the memory.
                    table = _stamp(chunk.tables.pop(name))
                    yield from write(table, tables[name], _make_hints(tables[name], adapter))
                    del table
                if chunk.state is not None:
                    state.clear()
                    state.update(chunk.state)
        _note_turn(turn)

    return dlt.resource(extract, name=spec.name)


def _make_runs_resource(runs: pa.Table, turn: str, adapter: DestinationAdapter) -> DltResource:
    def extract() -> Iterator[Any]:
        with adapter.open_writer(Path(current_pipeline().working_dir)) as write:
            yield from write(_stamp(runs), SYNC_RUNS, _make_hints(SYNC_RUNS, adapter))
        _note_turn(turn)

    return dlt.resource(extract, name=SYNC_RUNS.name)


def _note_turn(turn: str | None) -> None:
    if turn is not None:
        dlt.current.source_state()["turn"] = turn


def _stamp(table: pa.Table) -> pa.Table:
    return stamp(table, current_load_id())


def _make_hints(spec: TableSpec | ChildSpec, adapter: DestinationAdapter) -> Any:
    if spec.is_child:
        marks: dict[str, TColumnSchema] = {name: {"merge_key": True} for name in spec.merge_key}
        marks[TOMBSTONE] = {"hard_delete": True}
    else:
        marks = {name: {"primary_key": True} for name in spec.primary_key}
    return dlt.mark.make_hints(
        table_name=spec.name,
        write_disposition=MERGE,
        columns=[_column_hint(column, marks.get(column.name, {})) for column in spec.columns],
        additional_table_hints={"description": spec.description, **adapter.table_hints(spec)},
    )


def _column_hint(column: Column, extra: TColumnSchema) -> TColumnSchema:
    hint: TColumnSchema = {
        "name": column.name,
        "data_type": column.type,
        "nullable": column.nullable,
        "description": column.description,
        **extra,
    }
    if column.type == "timestamp":
        hint["timezone"], hint["precision"] = True, 6
    return hint
