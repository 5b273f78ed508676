"""The dlt source: chunks of the resources as dlt resources, each chunk's state committed with its rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import dlt
import pyarrow as pa
from dlt.common.configuration import configspec
from dlt.common.configuration.container import Container
from dlt.common.configuration.specs import BaseConfiguration
from dlt.common.pipeline import PipelineContext
from dlt.common.schema.typing import TColumnSchema, TWriteDispositionConfig
from dlt.common.storages.load_package import LoadPackageStateInjectableContext
from dlt.extract import DltResource, DltSource

from cogny_source.api.client import Client, Meter, Timing
from cogny_source.api.rate_limit import Pace, RateLimiter
from cogny_source.arrow import arrow_schema
from cogny_source.engine.chunk import Chunk, merge_chunks
from cogny_source.engine.destination import check_destination, loads_into_bigquery
from cogny_source.engine.endpoints import ENDPOINTS
from cogny_source.engine.plan import make_plan
from cogny_source.engine.reader import read_resource
from cogny_source.engine.reading import Reading
from cogny_source.engine.state import claim_state
from cogny_source.errors import ConfigError
from cogny_source.schema import LOAD_ID, SYNC_RUNS, TOMBSTONE, Column, ListSpec, TableSpec
from cogny_source.settings import Settings, resolve_settings
from cogny_source.shipping import lay_out, open_shipping

# Takes a resource's state and gives its chunks.
Supply = Callable[[dict[str, Any]], Iterator[Chunk]]

# The chunks hold one row a key; a list's rows replace all rows of their parent.
MERGE: TWriteDispositionConfig = {"disposition": "merge", "strategy": "delete-insert", "deduplicated": True}


@configspec
class NothingInjected(BaseConfiguration):
    """Keeps dlt from filling the source's arguments: a stray `BASE_URL` in the environment would take the key."""


@dlt.source(name="cogny", section="cogny", spec=NothingInjected)
def cogny_source(
    api_key: str | None = None,
    base_url: str | None = None,
    auth_header: str | None = None,
    start_date: str | datetime | None = None,
) -> Sequence[DltResource]:
    """Tickets, reports and warehouses of the Cogny API.

    What is not given comes from dlt's configuration, `SOURCES__COGNY__API_KEY` and so on; see `CognyConfiguration`.
    One `pipeline.run()` holds all rows as Arrow and commits them and the state together at its end;
    `cogny_source.sync()` is the loop that commits chunk by chunk, in bounded memory, and can be resumed.

    Args:
        api_key: The key, `sk_live_…` or `sk_test_…`.
        base_url: The API's base URL.
        auth_header: `bearer` or `x-api-key`.
        start_date: Rows created before it are left out.

    Returns:
        The resources `tickets`, `reports` and `warehouses`, which yield Arrow tables.

    Raises:
        ConfigError: If the key is missing or a setting is wrong.
    """
    settings = resolve_settings(api_key=api_key, base_url=base_url, auth_header=auth_header, start_date=start_date)
    client = make_client(settings)
    plan = make_plan(settings, start_date=settings.start_date)

    def supply(name: str) -> Supply:
        reading = Reading(client, ENDPOINTS[name], Meter(), lambda: None, settings.chunk_rows, history=settings.history)

        def read_at_once(state: dict[str, Any]) -> Iterator[Chunk]:
            # One load merges all that a run yields; two versions of a row in it would both be inserted.
            chunks = read_resource(reading, claim_state(state, settings.origin), plan)
            yield merge_chunks(reading.endpoint.table, chunks)

        return read_at_once

    return [_make_resource(ENDPOINTS[name].table, supply(name), history=settings.history) for name in ENDPOINTS]


def make_client(settings: Settings, timing: Timing | None = None) -> Client:
    """A client with the limiter that its settings ask for."""
    timing = timing or Timing(clock=time.time)
    pace = Pace(settings.requests_per_minute, reserve_at_most=settings.reserve_requests)
    return Client(settings, RateLimiter(pace, timing.stopwatch, timing.clock), timing)


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
            name: Chunk({table: _make_empty(spec) for table, spec in list_tables(name, history=self.history).items()})
            for name in self.chunks
        }
        return Package(chunks, self.turn, _make_empty(SYNC_RUNS), self.history)


def list_tables(resource: str, *, history: bool) -> dict[str, TableSpec | ListSpec]:
    """The tables that a resource fills, by name: its own, its child tables, that of its versions.

    Args:
        resource: The resource.
        history: Whether versions are kept.
    """
    spec = ENDPOINTS[resource].table
    specs: list[TableSpec | ListSpec] = [spec, *spec.lists]
    if history and spec.versions is not None:
        specs.append(spec.versions)
    return {table.name: table for table in specs}


def make_package_source(package: Package) -> DltSource:
    """A package as a source under the same name, so that it shares schema and state."""

    @dlt.source(name="cogny", section="cogny")
    def package_source() -> Sequence[DltResource]:
        resources = [
            _make_resource(ENDPOINTS[name].table, _supply_one(chunk), history=package.history, turn=package.turn)
            for name, chunk in package.chunks.items()
        ]
        if package.runs is not None:
            resources.append(_make_runs_resource(package.runs, package.turn))
        return resources

    return package_source()


def select_resources(names: Sequence[str] | None) -> list[str]:
    """Check resource names that a person gave.

    Returns:
        The names in the source's order; all of them where none are given.

    Raises:
        ConfigError: If a name is unknown.
    """
    unknown = sorted(set(names or ()) - set(ENDPOINTS))
    if unknown:
        raise ConfigError(f"unknown resource {', '.join(unknown)}; there are {', '.join(ENDPOINTS)}")
    return [name for name in ENDPOINTS if not names or name in names]


def _make_empty(spec: TableSpec | ListSpec) -> pa.Table:
    return arrow_schema(spec.columns).empty_table()


def _supply_one(chunk: Chunk) -> Supply:
    return lambda _: iter([chunk])


def _make_resource(spec: TableSpec, supply: Supply, *, history: bool, turn: str | None = None) -> DltResource:
    tables = list_tables(spec.name, history=history)

    def extract() -> Iterator[Any]:
        pipeline = _current_pipeline()
        check_destination(pipeline)
        state = dlt.current.resource_state()
        known = dlt.current.source_schema().tables
        with open_shipping(pipeline) as ship:
            for name in tables.keys() - known.keys():
                yield from ship(_stamp(_make_empty(tables[name])), tables[name], _make_hints(tables[name], pipeline))
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


def stamp(table: pa.Table, load_id: str) -> pa.Table:
    """Add `_dlt_load_id`, which is known only when a load begins."""
    return table.append_column(pa.field(LOAD_ID.name, pa.string()), pa.repeat(pa.scalar(load_id), table.num_rows))


def _stamp(table: pa.Table) -> pa.Table:
    return stamp(table, Container()[LoadPackageStateInjectableContext].load_id)


def _make_hints(spec: TableSpec | ListSpec, pipeline: dlt.Pipeline) -> Any:
    if isinstance(spec, ListSpec):
        marks: dict[str, TColumnSchema] = {spec.parent_column: {"merge_key": True}, TOMBSTONE: {"hard_delete": True}}
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
