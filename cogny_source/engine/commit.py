"""A package committed into DuckDB in one transaction: its rows, the state, and the record of the load.

dlt makes the tables, keeps the schema and restores the state, whose form is kept here. Rows do not travel its way: it
writes each package to files, normalises and loads them, a third of a second however few they are.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import dlt
import duckdb
import pyarrow as pa
from dlt.common.normalizers.utils import generate_dlt_id
from dlt.common.schema import Schema
from dlt.common.schema.typing import LOADS_TABLE_NAME, PIPELINE_STATE_TABLE_NAME
from dlt.destinations.sql_client import SqlClientBase
from dlt.pipeline.state_sync import bump_pipeline_state_version_if_modified, mark_state_extracted, state_doc

from cogny_source.schema import LOAD_ID, SYNC_RUNS, TOMBSTONE, ListSpec, TableSpec
from cogny_source.source import Package, list_tables, stamp

logger = logging.getLogger(__name__)

MEGABYTE = 2**20
# What DuckDB may hold of its file and of rows on their way; what is more it writes to the disk.
COMMIT_MEGABYTES = 32
JOIN_MEGABYTES = 96
# Row groups that are not full are joined where there are so many for each full one: all rows are written again for it.
ROWS_A_GROUP = 122_880
MOST_GROUPS = 16
# To join wide rows takes memory for a whole group of them, which no limit bounds: it is put off.
WIDE_MEGABYTES = 128
MOST_WIDE_GROUPS = 512
NARROW, WIDE = "narrow", "wide"
INCOMING = "incoming"
Batch = tuple[TableSpec | ListSpec, pa.Table]


def is_laid_out(pipeline: dlt.Pipeline, package: Package) -> bool:
    """Whether the destination has the tables that a package fills, as they are declared, by the schema it keeps."""
    if not pipeline.default_schema_name:
        return False
    schema = pipeline.default_schema
    specs: list[TableSpec | ListSpec] = [SYNC_RUNS]
    for name in package.chunks:
        specs += list_tables(name, history=package.history).values()
    return PIPELINE_STATE_TABLE_NAME in schema.tables and all(_has_table(schema, spec) for spec in specs)


def _has_table(schema: Schema, spec: TableSpec | ListSpec) -> bool:
    table = schema.tables.get(spec.name)
    if table is None or table.get("description") != spec.description:
        return False
    return all(
        (known := table["columns"].get(column.name)) is not None
        and known.get("data_type") == column.type
        and known.get("nullable", True) == column.nullable
        and known.get("description") == column.description
        for column in spec.columns
    )


def merge_rows(execute: Callable[[str], Any], table: str, rows: str, keys: str, kept: str = "") -> None:
    """Put rows into a table in place of those that have the same keys.

    Args:
        execute: Runs a statement, within a transaction.
        table: The table's name, quoted.
        rows: What stands after FROM for the rows.
        keys: The columns that are compared, quoted, with commas between.
        kept: The condition for the rows that are put in, with its WHERE; all are where there is none.
    """
    execute(f"DELETE FROM {table} WHERE ({keys}) IN (SELECT ({keys}) FROM {rows})")
    execute(f"INSERT INTO {table} BY NAME SELECT * FROM {rows}{kept}")


class Committer:
    """Commits packages into a DuckDB file.

    Args:
        pipeline: Its pipeline, whose local state is moved on too.
        client: An open connection.
    """

    def __init__(self, pipeline: dlt.Pipeline, client: SqlClientBase[Any]) -> None:
        self._pipeline = pipeline
        self._client = client

    def commit(self, package: Package, load_id: str) -> None:
        """Commit a package whose tables are there.

        Args:
            package: The package.
            load_id: The id of the load, as dlt makes them.

        Raises:
            duckdb.Error: If the database refuses it; nothing of it is there then.
        """
        batches = list(_list_batches(package))
        with self._pipeline.managed_state() as state:
            source = state.setdefault("sources", {}).setdefault("cogny", {})
            resources = source.setdefault("resources", {})
            resources |= {name: chunk.state for name, chunk in package.chunks.items() if chunk.state is not None}
            source["turn"] = package.turn
            _, digest, _ = bump_pipeline_state_version_if_modified(state)
            self._write_with_little(batches, {**state_doc(state, load_id), "_dlt_id": generate_dlt_id()})
            mark_state_extracted(state, digest)

    @property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        connection: duckdb.DuckDBPyConnection = self._client.native_connection
        return connection

    def _write_with_little(self, batches: list[Batch], record: dict[str, Any]) -> None:
        """Write with little memory, and where that is too little with as much as there is."""
        size = sum(table.nbytes for _, table in batches)
        try:
            with _bounded(self._connection, max(COMMIT_MEGABYTES, 2 * size // MEGABYTE)):
                self._write(batches, record)
        except duckdb.Error as error:
            logger.debug("again without a bound of memory: %s", error)
            self._reopen_if_broken()
            self._write(batches, record)
        self._tidy(batches)

    def _write(self, batches: list[Batch], record: dict[str, Any]) -> None:
        self._connection.begin()
        try:
            for spec, table in batches:
                self._merge(spec, stamp(table, record[LOAD_ID.name]))
            schema = self._pipeline.default_schema
            self._insert(PIPELINE_STATE_TABLE_NAME, record)
            self._insert(
                LOADS_TABLE_NAME,
                {
                    "load_id": record[LOAD_ID.name],
                    "schema_name": schema.name,
                    "status": 0,
                    "inserted_at": datetime.now(UTC),
                    "schema_version_hash": schema.version_hash,
                },
            )
            self._connection.commit()
        except duckdb.Error:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        try:
            self._connection.rollback()
        except duckdb.Error as error:  # DuckDB has done so itself
            logger.debug("nothing to take back: %s", error)

    def _merge(self, spec: TableSpec | ListSpec, rows: pa.Table) -> None:
        name = self._client.make_qualified_table_name(spec.name)
        keys = (spec.parent_column,) if isinstance(spec, ListSpec) else spec.primary_key
        kept = f" WHERE {TOMBSTONE} IS NOT TRUE" if isinstance(spec, ListSpec) else ""
        self._connection.register(INCOMING, rows)
        try:
            merge_rows(self._connection.execute, name, INCOMING, ", ".join(keys), kept)
        finally:
            self._connection.unregister(INCOMING)

    def _insert(self, table: str, row: dict[str, Any]) -> None:
        places = ", ".join("?" for _ in row)
        name = self._client.make_qualified_table_name(table)
        self._connection.execute(f"INSERT INTO {name} ({', '.join(row)}) VALUES ({places})", list(row.values()))

    def _tidy(self, batches: list[Batch]) -> None:
        """Write what is committed from the log into the file; join row groups where many are small.

        What cannot be done now, as another connection of this process writes, DuckDB does later.
        """
        try:
            with _bounded(self._connection, COMMIT_MEGABYTES):
                due = [self._are_groups_due(spec, table) for spec, table in batches if len(table)]
                if not any(due):
                    self._connection.execute("CHECKPOINT")
                    return
            with _bounded(self._connection, None if WIDE in due else JOIN_MEGABYTES, joins=True):
                self._connection.execute("CHECKPOINT")
        except duckdb.Error as error:
            logger.debug("the log stays as it is: %s", error)
            self._reopen_if_broken()

    def _are_groups_due(self, spec: TableSpec | ListSpec, sample: pa.Table) -> str | None:
        """Whether the row groups of a table are to be joined: `narrow` or `wide` as its rows are, None where not."""
        name = self._client.make_qualified_table_name(spec.name)
        groups = "SELECT count(DISTINCT row_group_id) FROM pragma_storage_info(?)"
        query = f"SELECT ({groups}), (SELECT count(*) FROM {name})"
        [(found, rows)] = self._connection.execute(query, [name]).fetchall()
        is_wide = min(rows, ROWS_A_GROUP) * sample.nbytes / len(sample) > WIDE_MEGABYTES * MEGABYTE
        most = (MOST_WIDE_GROUPS if is_wide else MOST_GROUPS) * max(1, rows / ROWS_A_GROUP)
        return (WIDE if is_wide else NARROW) if found > most else None

    def _reopen_if_broken(self) -> None:
        """After a failed checkpoint DuckDB wants to be started again; what was committed is in its log."""
        try:
            self._connection.execute("SELECT 1")
        except duckdb.Error:
            self._client.close_connection()
            self._client.open_connection()


def _list_batches(package: Package) -> Iterator[Batch]:
    for name, chunk in package.chunks.items():
        specs = list_tables(name, history=package.history)
        yield from ((specs[table_name], table) for table_name, table in chunk.tables.items())
    if package.runs is not None:
        yield SYNC_RUNS, package.runs


@contextmanager
def _bounded(connection: duckdb.DuckDBPyConnection, megabytes: int | None, *, joins: bool = False) -> Iterator[None]:
    """Within the block, let DuckDB take little memory, and let it join row groups only where that is asked for.

    The file may be open elsewhere in this process, where the settings hold too; they are set back.
    """
    wanted: dict[str, object] = {} if joins else {"max_vacuum_tasks": 0}
    if megabytes is not None:
        # One thread: a chunk is too small for more, and each takes memory of its own.
        wanted |= {"memory_limit": f"{megabytes}MB", "threads": 1}
    before = _read_settings(connection, wanted)
    _set(connection, wanted)
    try:
        yield
    finally:
        try:
            _set(connection, before)
        except duckdb.FatalException as error:
            logger.debug("the database is to be opened again: %s", error)


def _read_settings(connection: duckdb.DuckDBPyConnection, names: Iterable[str]) -> dict[str, object]:
    return {name: connection.execute("SELECT current_setting(?)", [name]).fetchall()[0][0] for name in names}


def _set(connection: duckdb.DuckDBPyConnection, settings: dict[str, object]) -> None:
    for name, value in settings.items():
        connection.execute(f"SET GLOBAL {name} = '{value}'")
