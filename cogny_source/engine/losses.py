"""Tables and columns that somebody took out of the destination: found, told, made anew, and read again."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from typing import Any, Protocol, cast, runtime_checkable

import dlt
from dlt.destinations.sql_client import SqlClientBase

from cogny_source.destinations.dlt_internals import DuckDbSqlClient
from cogny_source.destinations.dlt_source import make_package_source
from cogny_source.destinations.duckdb.commit import Committer
from cogny_source.destinations.duckdb.declared_schema import (
    SCHEMA_NAME,
    SchemaVersion,
    forget_version,
    restored_schema,
)
from cogny_source.destinations.loader import name_load
from cogny_source.destinations.losses import describe_loss
from cogny_source.destinations.session import DestinationSession, loads_into_duckdb
from cogny_source.extract.endpoints import ENDPOINTS
from cogny_source.extract.state import State
from cogny_source.records.chunk import Chunk
from cogny_source.records.package import Package, list_tables
from cogny_source.schema import SYNC_RUNS

logger = logging.getLogger(__name__)

# Table name to the columns that a load has brought into it.
Columns = Mapping[str, Collection[str]]


@runtime_checkable
class LooksAtTables(Protocol):
    """A client of a destination that keeps tables otherwise than a database."""

    def find_losses(self, tables: Columns) -> dict[str, str]:
        """What tables lack: the name of each that lacks something, and that as a sentence."""


def mend_losses(destination: DestinationSession, states: Mapping[str, State], turn: str) -> dict[str, State]:
    """Forget what the states claim of tables that are no longer what was loaded; to be called while it is held.

    That is committed before any table is made anew: a run that is killed in between leaves no state that claims rows of
    an empty table.

    Args:
        destination: The destination.
        states: The states that it holds, by resource.
        turn: What names the package in the state.

    Returns:
        The states that hold now.
    """
    if not states:
        return dict(states)
    with destination.hold() as client, destination.translating_errors():
        tables = _list_expected(destination.pipeline)
        if isinstance(client, LooksAtTables):
            losses = client.find_losses(tables)
        elif loads_into_duckdb(destination.pipeline):
            losses = find_in_database(client, tables)
        else:
            return dict(states)
        if not losses:
            return dict(states)
        forgotten = {
            name: {"origin": states[name].get("origin")}
            for name in ENDPOINTS
            if name in states and losses.keys() & list_tables(name, history=True).keys()
        }
        for table, sentence in losses.items():
            owner = next((name for name in ENDPOINTS if table in list_tables(name, history=True)), None)
            logger.warning("%s; %s", sentence, f"{owner} is read again whole" if owner else "it is made anew")
        if forgotten:
            _commit(destination, client, Package({name: Chunk(state=s) for name, s in forgotten.items()}, turn))
        if loads_into_duckdb(destination.pipeline):
            history = any(name.endswith("_history") for name in tables)
            _make_anew(destination, client, Package(dict.fromkeys(ENDPOINTS, Chunk()), f"{turn}:anew", history=history))
    return {**states, **forgotten}


def find_in_database(client: SqlClientBase[Any], tables: Columns) -> dict[str, str]:
    """What tables of a DuckDB file lack."""
    query = "SELECT table_name, column_name FROM duckdb_columns() WHERE database_name = current_database()"
    there: dict[str, set[str]] = {}
    rows = client.native_connection.execute(f"{query} AND schema_name = ?", [client.dataset_name]).fetchall()
    for table, column in rows:
        there.setdefault(table, set()).add(column)
    told = {table: describe_loss(table, columns, there.get(table)) for table, columns in tables.items()}
    return {table: sentence for table, sentence in told.items() if sentence}


def _list_expected(pipeline: dlt.Pipeline) -> Columns:
    """The columns of the connector's tables, by dlt's record of them; as they are declared where that is gone too."""
    schema = restored_schema(pipeline)
    if schema is None and SCHEMA_NAME in pipeline.schema_names:
        return {}
    known = {} if schema is None else schema.tables
    is_recorded = not ENDPOINTS.keys().isdisjoint(known)
    found = {}
    for spec in [SYNC_RUNS, *(spec for name in ENDPOINTS for spec in list_tables(name, history=True).values())]:
        if spec.name in known:
            columns = known[spec.name]["columns"]
            found[spec.name] = [name for name, hints in columns.items() if hints.get("data_type")]
        elif not is_recorded and not spec.name.endswith("_history"):
            found[spec.name] = [column.name for column in spec.columns]
    return found


def _commit(destination: DestinationSession, client: SqlClientBase[Any], package: Package) -> None:
    """Commit states alone."""
    if not loads_into_duckdb(destination.pipeline):
        destination.load(make_package_source(package))
        return
    schema = restored_schema(destination.pipeline)
    version = SchemaVersion(SCHEMA_NAME, "" if schema is None else schema.version_hash)
    committer = Committer(destination, cast(DuckDbSqlClient, client), version)
    committer.commit(package, name_load(committer.find_newest_load()))


def _make_anew(destination: DestinationSession, client: SqlClientBase[Any], package: Package) -> None:
    """Let dlt make what its schema has and the database lacks: it looks where it does not find the schema's version."""
    forget_version(client)
    destination.load(make_package_source(package.without_rows()))
