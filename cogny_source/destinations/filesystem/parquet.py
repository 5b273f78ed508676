"""Plain Parquet files with the newest version of each row: the rows of a load are merged into them, file by file."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import duckdb
import pyarrow.parquet as pq
from fsspec import AbstractFileSystem

from cogny_source.destinations.duckdb_engine import open_arrow
from cogny_source.destinations.filesystem.file_store import SUFFIX, Draft, Store
from cogny_source.destinations.filesystem.scan import (
    ROWS_A_BATCH,
    Scanner,
    group_rows,
    run_in_memory,
    stage,
)
from cogny_source.destinations.filesystem.table_layout import TableLayout
from cogny_source.destinations.local_files import read_local
from cogny_source.destinations.losses import describe_loss

# A table with this many rows has one file per month, so that a sync rewrites only the months that it changes.
MONTHLY_FROM_ROWS = 100_000
UNDATED = "undated"


class ParquetTables:
    """The tables of a folder.

    Args:
        store: The store of their files.
        layouts: The layouts by table name, each after its parent.
        filesystem: The file system through which DuckDB reads the store; None for local files.
        monthly_from_rows: The number of rows from which a table has one file per month.
    """

    def __init__(
        self,
        store: Store,
        layouts: Mapping[str, TableLayout],
        filesystem: AbstractFileSystem | None = None,
        monthly_from_rows: int = MONTHLY_FROM_ROWS,
    ) -> None:
        self._store = store
        self._layouts = layouts
        self._filesystem = filesystem
        self._monthly_from_rows = monthly_from_rows

    def files(self, table: str) -> list[str]:
        """The paths of a table's files; empty if it does not exist."""
        files = self._store.files(table)
        single = files.get(f"{table}{SUFFIX}")
        # Files of months exist beside the single file only while they replace it; until all exist, it alone counts.
        return list(files.values()) if single is None else [single]

    def find_loss(self, table: str, columns: Collection[str]) -> str | None:
        """A sentence about a lost table, or its lost columns; columns are checked only in local files, which is cheap.

        A column counts as lost only if no file has it: files of earlier months may lack new columns. Empty files are
        not checked.
        """
        files = self.files(table)
        if not files or self._filesystem is not None:
            return describe_loss(table, (), () if files else None)
        footers = [footer for footer in map(pq.read_metadata, files) if footer.num_rows]
        present = {name for footer in footers for name in footer.schema.to_arrow_schema().names}
        return describe_loss(table, columns, present) if footers else None

    def record_versions(self, names: Collection[str]) -> None:
        """Do nothing: plain files have no versions."""

    def merge(self, package: Mapping[str, Sequence[str]]) -> None:
        """Merge the rows of a load.

        A row replaces the row with its key. The elements of a list replace all elements of the same parent; a tombstone
        marks an empty list. Merging a load a second time changes nothing.

        Args:
            package: Table name to the local Parquet files with its rows.
        """
        run_in_memory(lambda db: self._merge(db, package))

    def _merge(self, db: duckdb.DuckDBPyConnection, package: Mapping[str, Sequence[str]]) -> None:
        with self._store.draft() as draft:
            tables = _Tables(self._store, draft, self._monthly_from_rows)
            scanner = Scanner(db, self._filesystem)
            for name, layout in self._layouts.items():
                if package.get(name):
                    _Merge(db, scanner, layout, tables).run(package)


@dataclass(frozen=True)
class _Tables:
    """The files of the tables, and the draft with their changes."""

    store: Store
    draft: Draft
    monthly_from_rows: int


class _Merge:
    """Merges the rows of a load into the files of one table."""

    def __init__(self, db: duckdb.DuckDBPyConnection, scanner: Scanner, layout: TableLayout, tables: _Tables) -> None:
        self._db = db
        self._scanner = scanner
        self._layout = layout
        self._store = tables.store
        self._draft = tables.draft
        self._monthly_from_rows = tables.monthly_from_rows
        self._single = f"{layout.name}{SUFFIX}"
        self._files = self._store.files(layout.name)
        if self._single in self._files:
            # A merge that was killed while it replaced the single file by months has left some files of months.
            for left in self._files.keys() - {self._single}:
                self._draft.remove(layout.name, left)
            self._files = {self._single: self._files[self._single]}

    def run(self, package: Mapping[str, Sequence[str]]) -> None:
        """Rewrite the files that the rows change."""
        layout = self._layout
        live = stage(self._db, layout, package[layout.name])
        [(rows,)] = self._db.execute("SELECT count(*) FROM incoming").fetchall()
        if not rows and self._files:
            return
        self._db.execute("CREATE TEMP TABLE IF NOT EXISTS nobody (root VARCHAR, created_at TIMESTAMPTZ)")
        self._db.execute(f"CREATE OR REPLACE TEMP TABLE keys AS SELECT DISTINCT {', '.join(layout.key)} FROM incoming")
        parents = package.get(layout.parent or "", [])
        if self._stays_single(rows):
            self._write(self._single, f"{self._keep(self._files)} UNION ALL BY NAME {live}")
        elif self._single in self._files:
            self._write_months(f"{self._keep(self._files)} UNION ALL BY NAME {live}", parents)
        else:
            self._write_touched(live, parents)

    def _stays_single(self, rows: int) -> bool:
        """Whether all rows are in one file, and stay there."""
        if self._has_months():
            return False
        if self._files and rows < self._monthly_from_rows:
            [(count,)] = self._db.execute(f"SELECT count(*) FROM {self._scan(self._files)}").fetchall()
            rows += int(count)
        return rows < self._monthly_from_rows

    def _write_months(self, rows: str, parents: Sequence[str]) -> None:
        """Replace the single file by one file per month."""
        self._date(rows, parents, self._store.files(self._layout.parent or ""))
        months = self._list_months()
        for month in months:
            self._write(self._name(month), f"SELECT * EXCLUDE (month) FROM dated WHERE month = '{month}'")
        self._draft.remove(self._layout.name, self._single)

    def _write_touched(self, live: str, parents: Sequence[str]) -> None:
        """Rewrite the months of the rows, and the months of the rows that they replace."""
        self._date(live, parents)
        names = {self._name(month) for month in self._list_months()} | self._find_touched()
        for name in sorted(names):
            kept = self._keep([name] if name in self._files else [])
            month = name.removeprefix(f"{self._layout.name}-").removesuffix(SUFFIX)
            self._write(name, f"{kept} UNION ALL BY NAME SELECT * EXCLUDE (month) FROM dated WHERE month = '{month}'")

    def _find_touched(self) -> set[str]:
        """The files with rows that are replaced."""
        touched = set()
        for name in self._files:
            query = (
                f"SELECT true FROM {self._scan([name])} SEMI JOIN keys USING ({', '.join(self._layout.key)}) LIMIT 1"
            )
            if self._db.execute(query).fetchall():
                touched.add(name)
        return touched

    def _date(self, rows: str, parents: Sequence[str], older: Mapping[str, str] = MappingProxyType({})) -> None:
        """Create the table `dated`: rows with the month in which they, or their parents, were created.

        The month decides where a row is written; replaced rows are searched in all months.

        Args:
            rows: The query for the rows.
            parents: The files of the parent table in this load.
            older: The files of the parent table before this load, by name.
        """
        if self._layout.dated_by:
            query = f"SELECT *, {_month_of(self._layout.dated_by)} AS month FROM ({rows})"
        else:
            dates = "FROM nobody"
            columns = f"{self._layout.parent_key} AS root, {self._layout.parent_dated_by} AS created_at"
            if parents:
                dates += f" UNION ALL SELECT {columns} FROM {read_local(parents)}"
            if older:
                dates += f" UNION ALL SELECT {columns} FROM {self._scanner.scan('older', list(older.values()))}"
            months = f"SELECT root, min({_month_of('created_at')}) AS month FROM ({dates}) GROUP BY root"
            query = (
                f"SELECT r.*, coalesce(m.month, '{UNDATED}') AS month FROM ({rows}) r"
                f" LEFT JOIN ({months}) m ON m.root = r.{self._layout.parent_column}"
            )
        self._db.execute(f"CREATE OR REPLACE TEMP TABLE dated AS {query}")

    def _list_months(self) -> list[str]:
        """The months of the table `dated`. A table without files gets one month, so that a reader finds its columns."""
        months = self._db.execute("SELECT DISTINCT month FROM dated ORDER BY month").fetchall()
        return [month for (month,) in months] or ([] if self._has_months() else [UNDATED])

    def _has_months(self) -> bool:
        return any(name != self._single for name in self._files)

    def _name(self, month: str) -> str:
        return f"{self._layout.name}-{month}{SUFFIX}"

    def _keep(self, names: Iterable[str]) -> str:
        """The query for the rows of files that are not replaced, with all columns of the table."""
        files = list(names)
        if not files:
            return "FROM blank"
        rows = f"FROM {self._scan(files)} ANTI JOIN keys USING ({', '.join(self._layout.key)})"
        return f"FROM blank UNION ALL BY NAME {rows}"

    def _scan(self, names: Iterable[str]) -> str:
        return self._scanner.scan("existing", [self._files[name] for name in names])

    def _write(self, name: str, rows: str) -> None:
        """Write the rows of a query into a file, in the table's order."""
        rows = f"SELECT * FROM ({rows}) ORDER BY {', '.join(self._layout.order)}"
        path = self._draft.path(self._layout.name, name)
        with open_arrow(self._db, rows, batch_rows=ROWS_A_BATCH) as reader:
            schema = self._layout.widen(reader.schema)
            with pq.ParquetWriter(path, schema, compression="zstd") as writer:
                for group in group_rows(reader, schema):
                    writer.write_table(group)


def _month_of(column: str) -> str:
    return f"coalesce(strftime(make_timestamp(epoch_us({column})), '%Y-%m'), '{UNDATED}')"
