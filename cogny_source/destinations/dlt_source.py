"""Packages as a dlt source: chunks become dlt resources, and dlt commits each chunk's state with its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import dlt
import pyarrow as pa
from dlt.common.schema.typing import TColumnSchema, TWriteDispositionConfig
from dlt.extract import DltResource, DltSource

from cogny_source.destinations.adapter import DestinationAdapter
from cogny_source.destinations.dlt_internals import current_load_id, current_pipeline, silence_column_hints
from cogny_source.records.chunk import Chunk
from cogny_source.records.package import Package, add_load_id, list_tables, make_empty_table
from cogny_source.schema import RESOURCE_TABLES, SYNC_RUNS, TOMBSTONE, ChildSpec, Column, TableSpec

# Returns the chunks of a resource for its state.
Supply = Callable[[dict[str, Any]], Iterator[Chunk]]
# Returns the adapter for the pipeline that extracts.
FindAdapter = Callable[[dlt.Pipeline], DestinationAdapter]

# A chunk has one row per key; the rows of a list replace all rows of their parent.
MERGE: TWriteDispositionConfig = {"disposition": "merge", "strategy": "delete-insert", "deduplicated": True}


def make_package_source(package: Package, adapter: DestinationAdapter) -> DltSource:
    """A dlt source for a package, with the name of the public source, so that both share schema and state."""

    def find_adapter(_: dlt.Pipeline) -> DestinationAdapter:
        return adapter

    @dlt.source(name="cogny", section="cogny")
    def package_source() -> Sequence[DltResource]:
        resources = [
            make_resource(
                RESOURCE_TABLES[name], _supply_one(chunk), find_adapter, history=package.history, token=package.token
            )
            for name, chunk in package.chunks.items()
        ]
        if package.runs is not None:
            resources.append(_make_runs_resource(package.runs, package.token, adapter))
        return resources

    return package_source()


def _supply_one(chunk: Chunk) -> Supply:
    return lambda _: iter([chunk])


def make_resource(
    spec: TableSpec, supply: Supply, find_adapter: FindAdapter, *, history: bool, token: str | None = None
) -> DltResource:
    """A dlt resource that yields the tables of chunks.

    Args:
        spec: Its table.
        supply: Returns its chunks.
        find_adapter: Returns the adapter for the pipeline that extracts; may raise `ConfigError`.
        history: Whether the history table is filled.
        token: The package's token in the state; see `Package`.
    """
    tables = list_tables(spec.name, history=history)

    def extract() -> Iterator[Any]:
        silence_column_hints()
        pipeline = current_pipeline()
        adapter = find_adapter(pipeline)
        state = dlt.current.resource_state()
        known = dlt.current.source_schema().tables
        with adapter.open_writer(Path(pipeline.working_dir)) as write:
            for name in tables.keys() - known.keys():
                yield from write(
                    _add_load_id(make_empty_table(tables[name])), tables[name], _make_hints(tables[name], adapter)
                )
            for chunk in supply(dict(state)):
                for name in list(chunk.tables):
                    # Freed once it is on disk: the following load needs the memory.
                    table = _add_load_id(chunk.tables.pop(name))
                    yield from write(table, tables[name], _make_hints(tables[name], adapter))
                    del table
                if chunk.state is not None:
                    state.clear()
                    state.update(chunk.state)
        _store_token(token)

    return dlt.resource(extract, name=spec.name)


def _make_runs_resource(runs: pa.Table, token: str, adapter: DestinationAdapter) -> DltResource:
    def extract() -> Iterator[Any]:
        silence_column_hints()
        with adapter.open_writer(Path(current_pipeline().working_dir)) as write:
            yield from write(_add_load_id(runs), SYNC_RUNS, _make_hints(SYNC_RUNS, adapter))
        _store_token(token)

    return dlt.resource(extract, name=SYNC_RUNS.name)


def _store_token(token: str | None) -> None:
    if token is not None:
        dlt.current.source_state()["turn"] = token


def _add_load_id(table: pa.Table) -> pa.Table:
    return add_load_id(table, current_load_id())


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
