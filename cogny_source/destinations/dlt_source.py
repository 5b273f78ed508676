"""Packages as a dlt source: chunks of the resources as dlt resources, each chunk's state committed with its rows."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol, cast

import dlt
import pyarrow as pa
from dlt.common.configuration.container import Container
from dlt.common.pipeline import PipelineContext
from dlt.common.schema.typing import TColumnSchema, TWriteDispositionConfig
from dlt.common.storages.load_package import LoadPackageStateInjectableContext
from dlt.extract import DltResource, DltSource

from cogny_source.destinations.bigquery.hints import lay_out
from cogny_source.destinations.bigquery.jsonl import EMULATOR, JsonlShip
from cogny_source.destinations.session import check_destination, loads_into_bigquery
from cogny_source.records.chunk import Chunk
from cogny_source.records.package import Package, list_tables, make_empty, stamp
from cogny_source.schema import RESOURCE_TABLES, SYNC_RUNS, TOMBSTONE, ChildSpec, Column, TableSpec

# Takes a resource's state and gives its chunks.
Supply = Callable[[dict[str, Any]], Iterator[Chunk]]

# The chunks hold one row a key; a list's rows replace all rows of their parent.
MERGE: TWriteDispositionConfig = {"disposition": "merge", "strategy": "delete-insert", "deduplicated": True}


def make_package_source(package: Package) -> DltSource:
    """A package as a source under the same name, so that it shares schema and state."""

    @dlt.source(name="cogny", section="cogny")
    def package_source() -> Sequence[DltResource]:
        resources = [
            make_resource(RESOURCE_TABLES[name], _supply_one(chunk), history=package.history, turn=package.turn)
            for name, chunk in package.chunks.items()
        ]
        if package.runs is not None:
            resources.append(_make_runs_resource(package.runs, package.turn))
        return resources

    return package_source()


def _supply_one(chunk: Chunk) -> Supply:
    return lambda _: iter([chunk])


def make_resource(spec: TableSpec, supply: Supply, *, history: bool, turn: str | None = None) -> DltResource:
    """A dlt resource of what a supply gives for it."""
    tables = list_tables(spec.name, history=history)

    def extract() -> Iterator[Any]:
        pipeline = _current_pipeline()
        check_destination(pipeline)
        state = dlt.current.resource_state()
        known = dlt.current.source_schema().tables
        with open_shipping(pipeline) as ship:
            for name in tables.keys() - known.keys():
                yield from ship(_stamp(make_empty(tables[name])), tables[name], _make_hints(tables[name], pipeline))
            for chunk in supply(dict(state)):
                for name in list(chunk.tables):
                    # Let go of once it is on disk: the load that follows needs the memory.
                    table = _stamp(chunk.tables.pop(name))
                    yield from ship(table, tables[name], _make_hints(tables[name], pipeline))
                    del table
                if chunk.state is not None:
                    state.clear()
                    state.update(chunk.state)
        _note_turn(turn)

    return dlt.resource(extract, name=spec.name)


def _make_runs_resource(runs: pa.Table, turn: str) -> DltResource:
    def extract() -> Iterator[Any]:
        pipeline = _current_pipeline()
        with open_shipping(pipeline) as ship:
            yield from ship(_stamp(runs), SYNC_RUNS, _make_hints(SYNC_RUNS, pipeline))
        _note_turn(turn)

    return dlt.resource(extract, name=SYNC_RUNS.name)


def _current_pipeline() -> dlt.Pipeline:
    """`dlt.current.pipeline()` resolves a configuration on its way, 10 ms each time."""
    return cast(dlt.Pipeline, Container()[PipelineContext].pipeline())


def _note_turn(turn: str | None) -> None:
    if turn is not None:
        dlt.current.source_state()["turn"] = turn


def _stamp(table: pa.Table) -> pa.Table:
    return stamp(table, Container()[LoadPackageStateInjectableContext].load_id)


def _make_hints(spec: TableSpec | ChildSpec, pipeline: dlt.Pipeline) -> Any:
    if spec.is_child:
        marks: dict[str, TColumnSchema] = {name: {"merge_key": True} for name in spec.merge_key}
        marks[TOMBSTONE] = {"hard_delete": True}
    else:
        marks = {name: {"primary_key": True} for name in spec.primary_key}
    layout = lay_out(spec) if loads_into_bigquery(pipeline) else {}
    return dlt.mark.make_hints(
        table_name=spec.name,
        write_disposition=MERGE,
        columns=[_column_hint(column, marks.get(column.name, {})) for column in spec.columns],
        additional_table_hints={"description": spec.description, **layout},
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


class Ship(Protocol):
    """Makes of a table what dlt extracts."""

    def __call__(self, table: pa.Table, spec: TableSpec | ChildSpec, hints: Any) -> Iterator[Any]:
        """The items to yield for a table under its hints."""


@contextmanager
def open_shipping(pipeline: dlt.Pipeline) -> Iterator[Ship]:
    """What makes of a table what dlt extracts; in use until the last one is extracted.

    Args:
        pipeline: The pipeline, which knows its destination.
    """
    if not loads_into_bigquery(pipeline):
        yield _ship_arrow
        return
    # dlt links the file into its package as soon as it is given.
    with TemporaryDirectory(dir=pipeline.working_dir) as folder:
        yield JsonlShip(Path(folder), compress=EMULATOR not in os.environ)


def _ship_arrow(table: pa.Table, spec: TableSpec | ChildSpec, hints: Any) -> Iterator[Any]:  # noqa: ARG001
    yield dlt.mark.with_hints(table, hints, create_table_variant=True)
