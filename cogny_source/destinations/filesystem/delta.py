"""Delta tables that hold the latest state: a load's rows merged into each in one commit."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote

import duckdb
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError
from fsspec import AbstractFileSystem

from cogny_source.destinations.duckdb_engine import open_arrow, read_arrow
from cogny_source.destinations.filesystem.delta_versions import Versions, is_set_back
from cogny_source.destinations.filesystem.dlt_internals import (
    FilesystemDestinationClientConfiguration,
    deltalake_storage_options,
    evolve_delta_table_schema,
)
from cogny_source.destinations.filesystem.scan import ROWS_A_BATCH, Scanner, run_in_memory, stage
from cogny_source.destinations.filesystem.table_layout import TableLayout
from cogny_source.destinations.losses import describe_loss

logger = logging.getLogger(__name__)

# So many files are made one, and what a week of time travel does not need is deleted.
COMPACT_FROM_FILES = 50
GONE = "_gone"
# A commit that another has come before is refused: what is to be replaced was looked up in the state before it.
ALONE = CommitProperties(max_commit_retries=0)
ATTEMPTS = 10


@dataclass(frozen=True)
class Incoming:
    """What is merged into a table.

    Attributes:
        live: The query for its rows, without tombstones.
        rows: The same as Arrow.
        table: The table, as it was opened.
    """

    live: str
    rows: pa.Table
    table: DeltaTable


class DeltaTables:
    """The Delta tables of a folder.

    Args:
        url: The folder as a URL without escapes, with a slash at its end.
        shapes: The tables, each after its parent.
        config: dlt's configuration of the folder, with the credentials.
        versions: The record of the tables' versions.
        filesystem: What DuckDB reads the folder by; None for local files.
    """

    def __init__(
        self,
        url: str,
        shapes: Mapping[str, TableLayout],
        config: FilesystemDestinationClientConfiguration,
        versions: Versions,
        filesystem: AbstractFileSystem | None = None,
    ) -> None:
        self._url = quote(url, safe=":/")
        self._shapes = shapes
        self._options = deltalake_storage_options(config.credentials, config.deltalake_storage_options)
        self._configuration = config.deltalake_configuration
        self._versions = versions
        self._filesystem = filesystem

    def files(self, table: str) -> list[str]:
        """The paths of the files that hold a table's rows now."""
        found = self._open(table)
        return [] if found is None else list_files(found)

    def find_loss(self, table: str, columns: Collection[str]) -> str | None:
        """What a table lacks, as a sentence: it is gone, lacks columns, or was set back to what it was before."""
        found = self._open(table)
        if found is None:
            return describe_loss(table, columns, None)
        if is_set_back(found, self._versions.read().get(table)):
            return f"the table {table} was set back to an earlier version"
        return describe_loss(table, columns, [field.name for field in found.schema().fields])

    def note(self, names: Collection[str]) -> None:
        """Note the version that some tables have now, which a later sync compares; that of all where none is named."""
        opened = {name: self._open(name) for name in names or self._shapes}
        found = {name: table.version() for name, table in opened.items() if table is not None}
        self._versions.write({**self._versions.read(), **found})

    def merge(self, package: Mapping[str, Sequence[str]]) -> None:
        """Merge a load's rows, each table in one commit.

        A row takes the place of the one with its key, and a list's elements that of all that its parent had; a
        tombstone stands for a list without any. A package that comes twice changes nothing the second time.

        Args:
            package: Table name to the local Parquet files with its rows.
        """
        run_in_memory(lambda db: self._merge(db, package))

    def _merge(self, db: duckdb.DuckDBPyConnection, package: Mapping[str, Sequence[str]]) -> None:
        scanner = Scanner(db, self._filesystem)
        for name, shape in self._shapes.items():
            if package.get(name):
                self._merge_table(db, scanner, shape, package[name])

    def _merge_table(
        self, db: duckdb.DuckDBPyConnection, scanner: Scanner, shape: TableLayout, files: Sequence[str]
    ) -> None:
        """Merge into one table, and again where another process committed into it since it was opened."""
        live = stage(db, shape, files)
        rows = _cast(read_arrow(db, f"{live} ORDER BY {', '.join(shape.order)}"), shape)
        for attempt in range(1, ATTEMPTS + 1):
            table = self._open(shape.name)
            try:
                if table is None:
                    self._create(shape, rows)
                else:
                    self._merge_rows(db, scanner, shape, Incoming(live, rows, table))
            except DeltaError as error:
                if attempt == ATTEMPTS or not self._is_overtaken(shape.name, table):
                    raise
                logger.info("another process writes into the table %s too; merged again: %s", shape.name, error)
                continue
            return

    def _merge_rows(
        self, db: duckdb.DuckDBPyConnection, scanner: Scanner, shape: TableLayout, incoming: Incoming
    ) -> None:
        table, rows = incoming.table, incoming.rows
        evolve_delta_table_schema(table, rows.schema)
        paths = list_files(table)
        there = scanner.scan("there", paths) if paths else "blank"
        keys, places = ", ".join(shape.key), ", ".join(shape.order if shape.is_list else shape.key)
        replaced = f"FROM {there} SEMI JOIN incoming USING ({keys})"
        [(count, distinct)] = db.execute(f"SELECT count(*), count(DISTINCT ({places})) {replaced}").fetchall()
        if count > distinct:
            self._rewrite(db, shape, f"FROM {there} ANTI JOIN incoming USING ({keys})", incoming)
        elif count:
            gone = rows.slice(0, 0)
            if shape.is_list:
                query = f"FROM blank UNION ALL BY NAME {replaced} ANTI JOIN ({incoming.live}) USING ({places})"
                gone = _cast(read_arrow(db, query), shape)
            _replace_rows(table, shape, rows, gone)
        elif len(rows):
            write_deltalake(table, rows, mode="append", commit_properties=ALONE)
        if len(list_files(table)) >= COMPACT_FROM_FILES:
            table.optimize.compact(commit_properties=ALONE)
            table.vacuum(dry_run=False)

    def _rewrite(self, db: duckdb.DuckDBPyConnection, shape: TableLayout, kept: str, incoming: Incoming) -> None:
        """Write the whole table anew, where a key stands in it more than once: a merge would change each of its rows.

        Args:
            db: The connection.
            shape: The table.
            kept: The query for the rows that nothing takes the place of.
            incoming: What is merged.
        """
        logger.warning(
            "%s holds keys more than once; it is written anew, with each of those that come once", shape.name
        )
        query = f"FROM blank UNION ALL BY NAME {kept} UNION ALL BY NAME {incoming.live}"
        with open_arrow(db, query, batch_rows=ROWS_A_BATCH) as reader:
            schema = shape.widen(reader.schema)
            batches = (batch.select(schema.names).cast(schema) for batch in reader)
            rows = pa.RecordBatchReader.from_batches(schema, batches)
            write_deltalake(incoming.table, rows, mode="overwrite", commit_properties=ALONE)

    def _is_overtaken(self, name: str, table: DeltaTable | None) -> bool:
        """Whether a table is no longer what it was when it was opened."""
        now = self._open(name)
        return now is not None and (table is None or now.version() != table.version())

    def _create(self, shape: TableLayout, rows: pa.Table) -> None:
        write_deltalake(
            self._url + shape.name,
            rows,
            mode="error",
            name=shape.name,
            description=shape.description,
            configuration=self._configuration,
            storage_options=self._options,
        )

    def _open(self, name: str) -> DeltaTable | None:
        if not DeltaTable.is_deltatable(self._url + name, self._options):
            return None
        return DeltaTable(self._url + name, storage_options=self._options)


def list_files(table: DeltaTable) -> list[str]:
    """The paths of a table's files, as DuckDB reads them."""
    return [unquote(uri.removeprefix("file://")) for uri in table.file_uris()]


def _replace_rows(table: DeltaTable, shape: TableLayout, rows: pa.Table, gone: pa.Table) -> None:
    """Put rows in the places of those with their keys, and take others away, in one commit."""
    marked = [
        part.append_column(GONE, pa.repeat(pa.scalar(value), len(part)))
        for part, value in ((rows, False), (gone, True))
    ]
    key = shape.order if shape.is_list else shape.key
    updates = {f"`{name}`": f"source.`{name}`" for name in rows.column_names}
    (
        table.merge(
            pa.concat_tables(marked),
            predicate=" AND ".join(f"target.`{name}` = source.`{name}`" for name in key),
            source_alias="source",
            target_alias="target",
            commit_properties=ALONE,
        )
        .when_matched_delete(f"source.{GONE}")
        .when_matched_update(updates)
        .when_not_matched_insert(updates, predicate=f"NOT source.{GONE}")
        .execute()
    )


def _cast(rows: pa.Table, shape: TableLayout) -> pa.Table:
    """Rows with the types and descriptions of their table."""
    schema = shape.widen(rows.schema)
    return rows.select(schema.names).cast(schema)
