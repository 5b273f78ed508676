"""Delta tables with the newest version of each row: the rows of a load are merged into each table in one commit."""

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

# A table with this many files is compacted, and files that a week of time travel does not need are deleted.
COMPACT_FROM_FILES = 50
GONE = "_gone"
# A commit fails if another process has committed first: the rows to replace were looked up in the version before.
ALONE = CommitProperties(max_commit_retries=0)
ATTEMPTS = 10


@dataclass(frozen=True)
class Incoming:
    """The rows to merge into a table.

    Attributes:
        live: The query for the rows without tombstones.
        rows: Its result as Arrow.
        table: The opened table.
    """

    live: str
    rows: pa.Table
    table: DeltaTable


class DeltaTables:
    """The Delta tables of a folder.

    Args:
        url: The folder as a URL without escapes, with a slash at its end.
        layouts: The layouts by table name, each after its parent.
        config: dlt's configuration of the folder, with the credentials.
        versions: The record of the tables' versions.
        filesystem: The file system through which DuckDB reads; None for local files.
    """

    def __init__(
        self,
        url: str,
        layouts: Mapping[str, TableLayout],
        config: FilesystemDestinationClientConfiguration,
        versions: Versions,
        filesystem: AbstractFileSystem | None = None,
    ) -> None:
        self._url = quote(url, safe=":/")
        self._layouts = layouts
        self._options = deltalake_storage_options(config.credentials, config.deltalake_storage_options)
        self._configuration = config.deltalake_configuration
        self._versions = versions
        self._filesystem = filesystem

    def files(self, table: str) -> list[str]:
        """The paths of the files of a table's newest version."""
        opened = self._open(table)
        return [] if opened is None else list_files(opened)

    def find_loss(self, table: str, columns: Collection[str]) -> str | None:
        """A sentence about a table that is missing, has lost columns, or was set back to an earlier version."""
        opened = self._open(table)
        if opened is None:
            return describe_loss(table, columns, None)
        if is_set_back(opened, self._versions.read().get(table)):
            return f"the table {table} was set back to an earlier version"
        return describe_loss(table, columns, [field.name for field in opened.schema().fields])

    def record_versions(self, names: Collection[str]) -> None:
        """Store the present versions of tables, which a later sync compares.

        Args:
            names: The tables; empty for all.
        """
        opened = {name: self._open(name) for name in names or self._layouts}
        versions = {name: table.version() for name, table in opened.items() if table is not None}
        self._versions.write({**self._versions.read(), **versions})

    def merge(self, package: Mapping[str, Sequence[str]]) -> None:
        """Merge the rows of a load, each table in one commit.

        A row replaces the row with its key. The elements of a list replace all elements of the same parent; a tombstone
        marks an empty list. Merging a load a second time changes nothing.

        Args:
            package: Table name to the local Parquet files with its rows.
        """
        run_in_memory(lambda db: self._merge(db, package))

    def _merge(self, db: duckdb.DuckDBPyConnection, package: Mapping[str, Sequence[str]]) -> None:
        scanner = Scanner(db, self._filesystem)
        for name, layout in self._layouts.items():
            if package.get(name):
                self._merge_table(db, scanner, layout, package[name])

    def _merge_table(
        self, db: duckdb.DuckDBPyConnection, scanner: Scanner, layout: TableLayout, files: Sequence[str]
    ) -> None:
        """Merge into one table, and retry if another process commits into it at the same time."""
        live = stage(db, layout, files)
        rows = _cast(read_arrow(db, f"{live} ORDER BY {', '.join(layout.order)}"), layout)
        for attempt in range(1, ATTEMPTS + 1):
            table = self._open(layout.name)
            try:
                if table is None:
                    self._create(layout, rows)
                else:
                    self._merge_rows(db, scanner, layout, Incoming(live, rows, table))
            except DeltaError as error:
                if attempt == ATTEMPTS or not self._is_overtaken(layout.name, table):
                    raise
                logger.info("another process also writes into the table %s; merging again: %s", layout.name, error)
                continue
            return

    def _merge_rows(
        self, db: duckdb.DuckDBPyConnection, scanner: Scanner, layout: TableLayout, incoming: Incoming
    ) -> None:
        table, rows = incoming.table, incoming.rows
        evolve_delta_table_schema(table, rows.schema)
        paths = list_files(table)
        existing = scanner.scan("existing", paths) if paths else "blank"
        keys, places = ", ".join(layout.key), ", ".join(layout.order if layout.is_list else layout.key)
        replaced = f"FROM {existing} SEMI JOIN incoming USING ({keys})"
        [(count, distinct)] = db.execute(f"SELECT count(*), count(DISTINCT ({places})) {replaced}").fetchall()
        if count > distinct:
            self._rewrite(db, layout, f"FROM {existing} ANTI JOIN incoming USING ({keys})", incoming)
        elif count:
            gone = rows.slice(0, 0)
            if layout.is_list:
                query = f"FROM blank UNION ALL BY NAME {replaced} ANTI JOIN ({incoming.live}) USING ({places})"
                gone = _cast(read_arrow(db, query), layout)
            _replace_rows(table, layout, rows, gone)
        elif len(rows):
            write_deltalake(table, rows, mode="append", commit_properties=ALONE)
        if len(list_files(table)) >= COMPACT_FROM_FILES:
            table.optimize.compact(commit_properties=ALONE)
            table.vacuum(dry_run=False)

    def _rewrite(self, db: duckdb.DuckDBPyConnection, layout: TableLayout, kept: str, incoming: Incoming) -> None:
        """Rewrite the whole table if it has duplicate keys: a merge would update every duplicate.

        Args:
            db: The connection.
            layout: The table.
            kept: The query for the rows that are not replaced.
            incoming: The rows to merge.
        """
        logger.warning("%s has duplicate keys; the table is rewritten with one row per key of this load", layout.name)
        query = f"FROM blank UNION ALL BY NAME {kept} UNION ALL BY NAME {incoming.live}"
        with open_arrow(db, query, batch_rows=ROWS_A_BATCH) as reader:
            schema = layout.widen(reader.schema)
            batches = (batch.select(schema.names).cast(schema) for batch in reader)
            rows = pa.RecordBatchReader.from_batches(schema, batches)
            write_deltalake(incoming.table, rows, mode="overwrite", commit_properties=ALONE)

    def _is_overtaken(self, name: str, table: DeltaTable | None) -> bool:
        """Whether a table has a newer version than the opened one."""
        now = self._open(name)
        return now is not None and (table is None or now.version() != table.version())

    def _create(self, layout: TableLayout, rows: pa.Table) -> None:
        write_deltalake(
            self._url + layout.name,
            rows,
            mode="error",
            name=layout.name,
            description=layout.description,
            configuration=self._configuration,
            storage_options=self._options,
        )

    def _open(self, name: str) -> DeltaTable | None:
        if not DeltaTable.is_deltatable(self._url + name, self._options):
            return None
        return DeltaTable(self._url + name, storage_options=self._options)


def list_files(table: DeltaTable) -> list[str]:
    """The paths of a table's files, in the form that DuckDB reads."""
    return [unquote(uri.removeprefix("file://")) for uri in table.file_uris()]


def _replace_rows(table: DeltaTable, layout: TableLayout, rows: pa.Table, gone: pa.Table) -> None:
    """Insert rows or replace those with their keys, and delete the rows of `gone`, in one commit."""
    marked = [
        part.append_column(GONE, pa.repeat(pa.scalar(value), len(part)))
        for part, value in ((rows, False), (gone, True))
    ]
    key = layout.order if layout.is_list else layout.key
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


def _cast(rows: pa.Table, layout: TableLayout) -> pa.Table:
    """Rows with the types and descriptions of the table's columns."""
    schema = layout.widen(rows.schema)
    return rows.select(schema.names).cast(schema)
