"""Delta tables that hold the latest state: a load's rows merged into each in one commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote, unquote

import duckdb
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
from dlt.common.libs.deltalake import deltalake_storage_options, evolve_delta_table_schema
from dlt.destinations.impl.filesystem.configuration import FilesystemDestinationClientConfiguration
from fsspec import AbstractFileSystem

from cogny_source.destinations.scan import Scanner, connect, stage
from cogny_source.destinations.shapes import Shape

# So many files are made one, and what a week of time travel does not need is deleted.
COMPACT_FROM_FILES = 50
GONE = "_gone"


class DeltaTables:
    """The Delta tables of a folder.

    Args:
        url: The folder as a URL without escapes, with a slash at its end.
        shapes: The tables, each after its parent.
        config: dlt's configuration of the folder, with the credentials.
        filesystem: What DuckDB reads the folder by; None for local files.
    """

    def __init__(
        self,
        url: str,
        shapes: Mapping[str, Shape],
        config: FilesystemDestinationClientConfiguration,
        filesystem: AbstractFileSystem | None = None,
    ) -> None:
        self._url = quote(url, safe=":/")
        self._shapes = shapes
        self._options = deltalake_storage_options(config.credentials, config.deltalake_storage_options)
        self._configuration = config.deltalake_configuration
        self._filesystem = filesystem

    def files(self, table: str) -> list[str]:
        """The paths of the files that hold a table's rows now."""
        found = self._open(table)
        return [] if found is None else list_files(found)

    def merge(self, package: Mapping[str, Sequence[str]]) -> None:
        """Merge a load's rows, each table in one commit.

        A row takes the place of the one with its key, and a list's elements that of all that its parent had; a
        tombstone stands for a list without any. A package that comes twice changes nothing the second time.

        Args:
            package: Table name to the local Parquet files with its rows.
        """
        with connect() as db:
            scanner = Scanner(db, self._filesystem)
            for name, shape in self._shapes.items():
                if package.get(name):
                    self._merge_table(db, scanner, shape, package[name])

    def _merge_table(self, db: duckdb.DuckDBPyConnection, scanner: Scanner, shape: Shape, files: Sequence[str]) -> None:
        live = stage(db, shape, files)
        rows = _cast(db.execute(f"{live} ORDER BY {', '.join(shape.order)}").to_arrow_table(), shape)
        table = self._open(shape.name)
        if table is None:
            self._create(shape, rows)
            return
        paths = list_files(table)
        there = scanner.scan("there", paths) if paths else "blank"
        keys = ", ".join(shape.key)
        [(replaced,)] = db.execute(f"SELECT count(*) FROM {there} SEMI JOIN incoming USING ({keys})").fetchall()
        evolve_delta_table_schema(table, rows.schema)
        if replaced:
            gone = rows.slice(0, 0)
            if shape.is_list:
                places = ", ".join(shape.order)
                query = f"FROM {there} SEMI JOIN incoming USING ({keys}) ANTI JOIN ({live}) USING ({places})"
                gone = _cast(db.execute(query).to_arrow_table(), shape)
            _replace_rows(table, shape, rows, gone)
        elif len(rows):
            write_deltalake(table, rows, mode="append")
        if len(list_files(table)) >= COMPACT_FROM_FILES:
            table.optimize.compact()
            table.vacuum(dry_run=False)

    def _create(self, shape: Shape, rows: pa.Table) -> None:
        write_deltalake(
            self._url + shape.name,
            rows,
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


def _replace_rows(table: DeltaTable, shape: Shape, rows: pa.Table, gone: pa.Table) -> None:
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
        )
        .when_matched_delete(f"source.{GONE}")
        .when_matched_update(updates)
        .when_not_matched_insert(updates, predicate=f"NOT source.{GONE}")
        .execute()
    )


def _cast(rows: pa.Table, shape: Shape) -> pa.Table:
    """Rows with the types and descriptions of their table."""
    schema = shape.widen(rows.schema)
    return rows.select(schema.names).cast(schema)
