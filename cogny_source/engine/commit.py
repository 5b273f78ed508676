"""A package committed into DuckDB in one transaction: its rows, the state, and the record of the load.

dlt makes the tables, keeps the schema and restores the state, whose form is kept here. Rows do not travel its way: it
writes each package to files, normalises and loads them, a third of a second however few they are.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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
# Of a row that is deleted it keeps a note until the transaction is in the file, and those of a vector together.
VECTOR_ROWS = 2048
VECTOR_NOTE_BYTES = 2**15
# Each load adds a row group to its tables. DuckDB joins those that are not full by writing all their rows again, at
# each checkpoint as many as there are: here one batch of them, once in so many loads, and none after a load whose own
# groups are large enough.
ROWS_A_GROUP = 122_880
LARGE_ENOUGH_ROWS = 7_680
LOADS_A_JOIN = 16
JOIN_MEGABYTES = 96
# To join wide rows takes memory for a whole group of them, which no limit bounds.
WIDE_MEGABYTES = 128
LOADS_A_WIDE_JOIN = 512
INCOMING = "incoming"


@dataclass(frozen=True)
class Batch:
    """Rows for one table.

    Attributes:
        spec: The table.
        rows: The rows.
        replaces: Whether many of them are there already; of a first load they are not.
    """

    spec: TableSpec | ListSpec
    rows: pa.Table
    replaces: bool


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
        try:
            with _bounded(self._connection, self._estimate_megabytes(batches)):
                self._write(batches, record)
        except duckdb.Error as error:
            logger.debug("again without a bound of memory: %s", error)
            # DuckDB 1.5 does not take every deletion back that ran out of memory, and would call it a conflict.
            self._reopen()
            self._write(batches, record)
        self._tidy(batches)

    def _estimate_megabytes(self, batches: list[Batch]) -> int:
        """How much memory is enough for a transaction: for its rows, and for those that they replace."""
        size = 0
        for batch in batches:
            vectors = self._count(batch.spec) // VECTOR_ROWS if batch.replaces else 0
            size += 2 * batch.rows.nbytes + VECTOR_NOTE_BYTES * min(len(batch.rows), vectors)
        return max(COMMIT_MEGABYTES, size // MEGABYTE)

    def _write(self, batches: list[Batch], record: dict[str, Any]) -> None:
        self._connection.begin()
        try:
            for batch in batches:
                self._merge(batch.spec, stamp(batch.rows, record[LOAD_ID.name]))
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
        name = self._name(spec.name)
        keys = (spec.parent_column,) if isinstance(spec, ListSpec) else spec.primary_key
        kept = f" WHERE {TOMBSTONE} IS NOT TRUE" if isinstance(spec, ListSpec) else ""
        self._connection.register(INCOMING, rows)
        try:
            merge_rows(self._connection.execute, name, INCOMING, ", ".join(keys), kept)
        finally:
            self._connection.unregister(INCOMING)

    def _insert(self, table: str, row: dict[str, Any]) -> None:
        places = ", ".join("?" for _ in row)
        self._connection.execute(
            f"INSERT INTO {self._name(table)} ({', '.join(row)}) VALUES ({places})", list(row.values())
        )

    def _tidy(self, batches: list[Batch]) -> None:
        """Write what is committed from the log into the file, and join row groups when it is time.

        What cannot be done now, as another connection of this process writes, DuckDB does later.
        """
        joins, megabytes = self._plan_join(
            [batch for batch in batches if len(batch.rows) and batch.spec is not SYNC_RUNS]
        )
        try:
            with _bounded(self._connection, megabytes, joins=joins):
                self._connection.execute("CHECKPOINT")
        except duckdb.Error as error:
            logger.debug("the log stays as it is: %s", error)
            self._reopen()

    def _plan_join(self, batches: list[Batch]) -> tuple[bool, int | None]:
        """Whether row groups are to be joined now, and the megabytes that are enough; None for no bound."""
        is_known_narrow = bool(batches) and not any(map(self._is_wide, batches))
        [(loads,)] = self._connection.execute(f"SELECT count(*) FROM {self._name(LOADS_TABLE_NAME)}").fetchall()
        # A run with news loads twice, and the second time no rows of the API: one of two in a row has some.
        is_time = loads % (LOADS_A_JOIN if is_known_narrow else LOADS_A_WIDE_JOIN) < 2
        if not is_time or any(len(batch.rows) >= LARGE_ENOUGH_ROWS for batch in batches):
            return False, COMMIT_MEGABYTES
        return True, JOIN_MEGABYTES if is_known_narrow else None

    def _is_wide(self, batch: Batch) -> bool:
        rows = min(self._count(batch.spec), ROWS_A_GROUP)
        return bool(rows * batch.rows.nbytes / len(batch.rows) > WIDE_MEGABYTES * MEGABYTE)

    def _count(self, spec: TableSpec | ListSpec) -> int:
        [(rows,)] = self._connection.execute(f"SELECT count(*) FROM {self._name(spec.name)}").fetchall()
        return int(rows)

    def _name(self, table: str) -> str:
        return self._client.make_qualified_table_name(table)

    def _reopen(self) -> None:
        """After a failed checkpoint too DuckDB wants to be started again; what was committed is in its log."""
        self._client.close_connection()
        self._client.open_connection()


def _list_batches(package: Package) -> Iterator[Batch]:
    for name, chunk in package.chunks.items():
        specs = list_tables(name, history=package.history)
        replaces = "backfill" not in (chunk.state or {})
        yield from (Batch(specs[table], rows, replaces) for table, rows in chunk.tables.items())
    if package.runs is not None:
        yield Batch(SYNC_RUNS, package.runs, replaces=False)


@contextmanager
def _bounded(connection: duckdb.DuckDBPyConnection, megabytes: int | None, *, joins: bool = False) -> Iterator[None]:
    """Within the block, let DuckDB take little memory, and join a batch of row groups only where that is asked for.

    The file may be open elsewhere in this process, where the settings hold too; they are set back.
    """
    wanted: dict[str, object] = {"max_vacuum_tasks": int(joins)}
    if megabytes is not None:
        # One thread: a chunk is too small for more, and each takes memory of its own.
        wanted |= {"memory_limit": f"{megabytes}MB", "threads": 1}
    before = _read_settings(connection, wanted)
    try:
        _set(connection, wanted)
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
        try:
            connection.execute(f"SET GLOBAL {name} = '{value}'")
        except duckdb.OutOfMemoryException as error:  # more is in use, and cannot be let go
            logger.debug("the bound of memory stays: %s", error)
