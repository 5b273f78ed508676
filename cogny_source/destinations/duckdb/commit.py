"""A package committed into DuckDB in one transaction: its rows, the state, and the record of the load.

dlt makes the tables, keeps the schema and restores the state, whose form is kept here. Rows do not travel its way: it
writes each package to files, normalises and loads them, a third of a second however few they are.
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
from cogny_source.records.package import Package, list_tables, stamp
from cogny_source.schema import LOAD_ID, SYNC_RUNS, TOMBSTONE, ChildSpec, TableSpec

logger = logging.getLogger(__name__)

INCOMING = "incoming"
# Of a file that nobody else has open in this process: dlt's own, and a copy of it.
OWN_CONNECTIONS = 2


@dataclass(frozen=True)
class Batch:
    """Rows for one table.

    Attributes:
        spec: The table.
        rows: The rows.
        scattered: Whether those of them that are there already may lie anywhere in the table.
    """

    spec: TableSpec | ChildSpec
    rows: pa.Table
    scattered: bool


class Committer:
    """Commits packages into a DuckDB file.

    Args:
        session: The file, which is held. The pipeline's local state is moved on too.
        client: The connection.
        schema: What the destination keeps.
    """

    def __init__(self, session: Session, client: DuckDbSqlClient, schema: SchemaVersion) -> None:
        self._session = session
        self._client = client
        self._schema = schema

    def find_newest_load(self) -> str | None:
        """The highest id of a load that the dataset holds, of whichever machine and source."""
        [(load_id,)] = self._connection.execute(f"SELECT max(load_id) FROM {self._name(LOADS_TABLE_NAME)}").fetchall()
        return None if load_id is None else str(load_id)

    def commit(self, package: Package, load_id: str) -> None:
        """Commit a package whose tables are there.

        Args:
            package: The package.
            load_id: The id of the load, as dlt makes them.

        Raises:
            duckdb.Error: If the database refuses it; nothing of it is there then.
            ConfigError: If an index that somebody made does.
        """
        is_committed = False
        try:
            with self._session.pipeline.managed_state() as state:
                source = state.setdefault("sources", {}).setdefault(SCHEMA_NAME, {})
                resources = source.setdefault("resources", {})
                batches = list(_list_batches(package, resources))
                resources |= {name: chunk.state for name, chunk in package.chunks.items() if chunk.state is not None}
                source["turn"] = package.turn
                row, digest = make_state_row(state, load_id)
                self._write_with_little(batches, row)
                is_committed = True
                mark_state_extracted(state, digest)
        except duckdb.ConstraintException as error:
            self._name_unique_index(error)
            raise
        except OSError as error:
            if not is_committed:
                raise
            # The next run takes the state from the destination anyway.
            logger.warning("the state cannot be kept in the working directory too: %s", error)

    @property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        connection: duckdb.DuckDBPyConnection = self._client.native_connection
        return connection

    def _write_with_little(self, batches: list[Batch], record: dict[str, Any]) -> None:
        """Write with little memory, and where that is too little with as much as there is."""
        if self._is_shared:
            self._write(batches, record)
            return
        holdings = self._weigh_file()
        news = [batch for batch in batches if len(batch.rows) and batch.spec != SYNC_RUNS]
        bounds = plan_memory(list(map(self._weigh, news)), holdings)
        try:
            with keep_within(bounds, self._connection):
                self._write(batches, record)
        except duckdb.Error as error:
            logger.debug("again without a bound of memory: %s", error)
            # DuckDB 1.5 does not take every deletion back that ran out of memory, and would call it a conflict; and
            # after a checkpoint that failed it wants to be started again.
            self._session.reopen()
            if self._has_load(record[LOAD_ID.name]):  # in DuckDB's log, which it could not write into the file
                return
            # Another machine was quicker; the next run reads its state.
            if self._count(LOADS_TABLE_NAME) != holdings.loads:
                raise
            with keep_within(UNBOUNDED, self._connection):
                self._write(batches, record)

    def _name_unique_index(self, error: duckdb.ConstraintException) -> None:
        """Tell which index stops rows from being replaced: DuckDB checks it before the old row is gone."""
        query = "SELECT index_name, table_name FROM duckdb_indexes() WHERE schema_name = ? AND is_unique"
        found = self._connection.execute(query, [self._client.dataset_name]).fetchall()
        if found:
            names = ", ".join(f"{index} on {table}" for index, table in found)
            drops = "; ".join(f'DROP INDEX {self._client.dataset_name}."{index}"' for index, _ in found)
            raise ConfigError(f"DuckDB replaces no row under a unique index ({names}): {drops}") from error

    @property
    def _is_shared(self) -> bool:
        """Whether this process has the file open elsewhere too: DuckDB's settings are then not ours alone."""
        [(connections,)] = self._connection.execute("FROM duckdb_connection_count()").fetchall()
        is_external = self._client.credentials.external_conn() is not None
        return is_external or int(connections) > OWN_CONNECTIONS

    def _weigh(self, batch: Batch) -> TableLoad:
        return TableLoad(len(batch.rows), batch.rows.nbytes, self._count(batch.spec.name), batch.scattered)

    def _weigh_file(self) -> FileStats:
        used = "SELECT used_blocks * block_size FROM pragma_database_size() WHERE database_name = current_database()"
        most = "SELECT max(estimated_size) FROM duckdb_tables() WHERE schema_name = ? AND NOT internal"
        query = f"SELECT ({used}), ({most})"
        [(size, rows)] = self._connection.execute(query, [self._client.dataset_name]).fetchall()
        return FileStats(self._count(LOADS_TABLE_NAME), rows or 0, size or 0)

    def _has_load(self, load_id: str) -> bool:
        query = f"SELECT count(*) FROM {self._name(LOADS_TABLE_NAME)} WHERE load_id = ?"
        [(found,)] = self._connection.execute(query, [load_id]).fetchall()
        return bool(found)

    def _count(self, table: str) -> int:
        [(rows,)] = self._connection.execute(f"SELECT count(*) FROM {self._name(table)}").fetchall()
        return int(rows)

    def _write(self, batches: list[Batch], record: dict[str, Any]) -> None:
        self._connection.begin()
        is_done = False
        try:
            for batch in batches:
                self._merge(batch.spec, stamp(batch.rows, record[LOAD_ID.name]))
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
        for take_back in (self._connection.rollback, partial(self._connection.unregister, INCOMING)):
            try:
                take_back()
            except duckdb.Error as error:  # DuckDB has done so itself
                logger.debug("nothing to take back: %s", error)

    def _merge(self, spec: TableSpec | ChildSpec, rows: pa.Table) -> None:
        name = self._name(spec.name)
        kept = f" WHERE {TOMBSTONE} IS NOT TRUE" if spec.is_child else ""
        self._connection.register(INCOMING, rows)
        merge_rows(self._connection.execute, name, INCOMING, ", ".join(spec.merge_key), kept)
        # Where that fails, this waits for the rollback: DuckDB 2 would raise an error in place of the first.
        self._connection.unregister(INCOMING)

    def _insert(self, table: str, row: dict[str, Any]) -> None:
        places = ", ".join("?" for _ in row)
        self._connection.execute(
            f"INSERT INTO {self._name(table)} ({', '.join(row)}) VALUES ({places})", list(row.values())
        )

    def _name(self, table: str) -> str:
        return self._client.make_qualified_table_name(table)


def _list_batches(package: Package, states: Mapping[str, Any]) -> Iterator[Batch]:
    """What a package brings into each table, onto what is there by the states before it."""
    for name, chunk in package.chunks.items():
        specs = list_tables(name, history=package.history)
        before = states.get(name, {})
        scattered = bool(before) and "backfill" not in before
        yield from (Batch(specs[table], rows, scattered) for table, rows in chunk.tables.items())
    if package.runs is not None:
        yield Batch(SYNC_RUNS, package.runs, scattered=False)
