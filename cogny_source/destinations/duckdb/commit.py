"""Commits a package into DuckDB in one transaction: its rows, the state, and the record of the load.

dlt creates the tables, stores the schema and restores the state, so the state is written here in dlt's format. dlt
does not load the rows: it would write each package to files and normalise them, a third of a second for any number.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import duckdb
import pyarrow as pa
from dlt.common.schema.typing import LOADS_TABLE_NAME, PIPELINE_STATE_TABLE_NAME

from cogny_source.destinations.adapter import Session
from cogny_source.destinations.dlt_internals import DuckDbSqlClient, make_state_row, mark_state_extracted
from cogny_source.destinations.dlt_schema import SCHEMA_NAME
from cogny_source.destinations.duckdb.declared_schema import SchemaVersion
from cogny_source.destinations.duckdb.memory import UNBOUNDED, FileStats, TableLoad, keep_within, plan_memory
from cogny_source.destinations.duckdb.merge import merge_rows
from cogny_source.errors import ConfigError
from cogny_source.records.package import Package, add_load_id, list_tables
from cogny_source.schema import LOAD_ID, SYNC_RUNS, TOMBSTONE, ChildSpec, TableSpec

logger = logging.getLogger(__name__)

INCOMING = "incoming"
# Connections to a file that only dlt has open in this process: its own and its cursor's duplicate.
OWN_CONNECTIONS = 2


@dataclass(frozen=True)
class Batch:
    """Rows for one table.

    Attributes:
        spec: The table.
        rows: The rows.
        scattered: Whether the rows that they replace may be anywhere in the table.
    """

    spec: TableSpec | ChildSpec
    rows: pa.Table
    scattered: bool


class Committer:
    """Commits packages into a DuckDB file.

    Args:
        session: The connected session. A commit also updates the pipeline's local state.
        client: Its open connection.
        schema: The schema version in the destination.
    """

    def __init__(self, session: Session, client: DuckDbSqlClient, schema: SchemaVersion) -> None:
        self._session = session
        self._client = client
        self._schema = schema

    def find_newest_load(self) -> str | None:
        """The highest load id in the dataset, of any machine and source; None without a load."""
        [(load_id,)] = self._connection.execute(f"SELECT max(load_id) FROM {self._name(LOADS_TABLE_NAME)}").fetchall()
        return None if load_id is None else str(load_id)

    def commit(self, package: Package, load_id: str) -> None:
        """Commit a package whose tables exist.

        Args:
            package: The package.
            load_id: The id of the load, in dlt's format.

        Raises:
            duckdb.Error: If the database refuses the package; nothing of it is committed then.
            ConfigError: If a unique index that somebody created refuses it.
        """
        is_committed = False
        try:
            with self._session.pipeline.managed_state() as state:
                source = state.setdefault("sources", {}).setdefault(SCHEMA_NAME, {})
                resources = source.setdefault("resources", {})
                batches = list(_list_batches(package, resources))
                resources |= {name: chunk.state for name, chunk in package.chunks.items() if chunk.state is not None}
                source["turn"] = package.token
                row, digest = make_state_row(state, load_id)
                self._write_in_little_memory(batches, row)
                is_committed = True
                mark_state_extracted(state, digest)
        except duckdb.ConstraintException as error:
            self._refuse_unique_index(error)
            raise
        except OSError as error:
            if not is_committed:
                raise
            # The next run restores the state from the destination anyway.
            logger.warning("the state is in the database, but cannot be saved in the working directory: %s", error)

    @property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        connection: duckdb.DuckDBPyConnection = self._client.native_connection
        return connection

    def _write_in_little_memory(self, batches: list[Batch], record: dict[str, Any]) -> None:
        """Write with little memory, and again without a limit if that is too little."""
        if self._is_shared:
            self._write(batches, record)
            return
        stats = self._read_stats()
        filled = [batch for batch in batches if len(batch.rows) and batch.spec != SYNC_RUNS]
        plan = plan_memory(list(map(self._measure, filled)), stats)
        try:
            with keep_within(plan, self._connection):
                self._write(batches, record)
        except duckdb.Error as error:
            logger.debug("a commit in little memory failed: %s", error)
            # DuckDB 1.5 does not roll back every deletion that ran out of memory, and would report a conflict. After a
            # failed checkpoint it must be opened again.
            self._session.reopen()
            if self._has_load(record[LOAD_ID.name]):  # committed to DuckDB's log; only the checkpoint failed
                return
            # Another machine has committed in between; the next run reads its state.
            if self._count(LOADS_TABLE_NAME) != stats.loads:
                raise
            with keep_within(UNBOUNDED, self._connection):
                self._write(batches, record)

    def _refuse_unique_index(self, error: duckdb.ConstraintException) -> None:
        """Raise a `ConfigError` that names the unique indexes: DuckDB checks them before the old row is deleted."""
        query = "SELECT index_name, table_name FROM duckdb_indexes() WHERE schema_name = ? AND is_unique"
        indexes = self._connection.execute(query, [self._client.dataset_name]).fetchall()
        if indexes:
            names = ", ".join(f"{index} on {table}" for index, table in indexes)
            drops = "; ".join(f'DROP INDEX {self._client.dataset_name}."{index}"' for index, _ in indexes)
            raise ConfigError(f"DuckDB cannot replace rows under a unique index ({names}): run {drops}") from error

    @property
    def _is_shared(self) -> bool:
        """Whether this process has other connections to the file, which share DuckDB's settings."""
        [(connections,)] = self._connection.execute("FROM duckdb_connection_count()").fetchall()
        is_external = self._client.credentials.external_conn() is not None
        return is_external or int(connections) > OWN_CONNECTIONS

    def _measure(self, batch: Batch) -> TableLoad:
        return TableLoad(len(batch.rows), batch.rows.nbytes, self._count(batch.spec.name), batch.scattered)

    def _read_stats(self) -> FileStats:
        used = "SELECT used_blocks * block_size FROM pragma_database_size() WHERE database_name = current_database()"
        most = "SELECT max(estimated_size) FROM duckdb_tables() WHERE schema_name = ? AND NOT internal"
        query = f"SELECT ({used}), ({most})"
        [(size, rows)] = self._connection.execute(query, [self._client.dataset_name]).fetchall()
        return FileStats(self._count(LOADS_TABLE_NAME), rows or 0, size or 0)

    def _has_load(self, load_id: str) -> bool:
        query = f"SELECT count(*) FROM {self._name(LOADS_TABLE_NAME)} WHERE load_id = ?"
        [(count,)] = self._connection.execute(query, [load_id]).fetchall()
        return bool(count)

    def _count(self, table: str) -> int:
        [(rows,)] = self._connection.execute(f"SELECT count(*) FROM {self._name(table)}").fetchall()
        return int(rows)

    def _write(self, batches: list[Batch], record: dict[str, Any]) -> None:
        self._connection.begin()
        is_done = False
        try:
            for batch in batches:
                self._merge(batch.spec, add_load_id(batch.rows, record[LOAD_ID.name]))
            self._insert(PIPELINE_STATE_TABLE_NAME, record)
            self._insert(
                LOADS_TABLE_NAME,
                {
                    "load_id": record[LOAD_ID.name],
                    "schema_name": self._schema.name,
                    "status": 0,
                    "inserted_at": datetime.now(UTC),
                    "schema_version_hash": self._schema.version_hash,
                },
            )
            self._connection.commit()
            is_done = True
        finally:
            if not is_done:
                self._roll_back()

    def _roll_back(self) -> None:
        for undo in (self._connection.rollback, partial(self._connection.unregister, INCOMING)):
            try:
                undo()
            except duckdb.Error as error:  # DuckDB has undone it already
                logger.debug("nothing to undo: %s", error)

    def _merge(self, spec: TableSpec | ChildSpec, rows: pa.Table) -> None:
        name = self._name(spec.name)
        kept = f" WHERE {TOMBSTONE} IS NOT TRUE" if spec.is_child else ""
        self._connection.register(INCOMING, rows)
        merge_rows(self._connection.execute, name, INCOMING, ", ".join(spec.merge_key), kept)
        # After an error, only the rollback may unregister: DuckDB 2 would raise a second error and hide the first.
        self._connection.unregister(INCOMING)

    def _insert(self, table: str, row: dict[str, Any]) -> None:
        places = ", ".join("?" for _ in row)
        self._connection.execute(
            f"INSERT INTO {self._name(table)} ({', '.join(row)}) VALUES ({places})", list(row.values())
        )

    def _name(self, table: str) -> str:
        return self._client.make_qualified_table_name(table)


def _list_batches(package: Package, states: Mapping[str, Any]) -> Iterator[Batch]:
    """The rows of a package by table.

    Args:
        package: The package.
        states: The states before it, by resource.
    """
    for name, chunk in package.chunks.items():
        specs = list_tables(name, history=package.history)
        before = states.get(name, {})
        scattered = bool(before) and "backfill" not in before
        yield from (Batch(specs[table], rows, scattered) for table, rows in chunk.tables.items())
    if package.runs is not None:
        yield Batch(SYNC_RUNS, package.runs, scattered=False)
