"""Plain Parquet files that hold the latest state: a load's rows merged into them, file by file."""

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

# From so many rows on a table has a file a month, so that a sync writes anew only the months it touches.
MONTHLY_FROM_ROWS = 100_000
UNDATED = "undated"


class ParquetTables:
    """The tables of a folder.

    Args:
        store: Where their files lie.
        shapes: The tables, each after its parent.
        filesystem: What DuckDB reads the store by; None for local files.
        monthly_from_rows: From so many rows on a table has a file a month.
    """

    def __init__(
        self,
        store: Store,
        shapes: Mapping[str, TableLayout],
        filesystem: AbstractFileSystem | None = None,
        monthly_from_rows: int = MONTHLY_FROM_ROWS,
    ) -> None:
        self._store = store
        self._shapes = shapes
        self._filesystem = filesystem
        self._monthly_from_rows = monthly_from_rows

    def files(self, table: str) -> list[str]:
        """The paths of a table's files; none where it is not there."""
        files = self._store.files(table)
        single = files.get(f"{table}{SUFFIX}")
        # Beside the one file lie those of months only while they take its place; until all are there, it counts.
        return list(files.values()) if single is None else [single]

    def find_loss(self, table: str, columns: Collection[str]) -> str | None:
        """What a table lacks, as a sentence; the columns of files on a disk alone are looked at, as that is cheap.

        A file of earlier months may lack a column that is new since; and an empty one lacks nothing.
        """
        files = self.files(table)
        if not files or self._filesystem is not None:
            return describe_loss(table, (), () if files else None)
        footers = [footer for footer in map(pq.read_metadata, files) if footer.num_rows]
        there = {name for footer in footers for name in footer.schema.to_arrow_schema().names}
        return describe_loss(table, columns, there) if footers else None

    def note(self, names: Collection[str]) -> None:
        """Nothing: the files are what they are."""

    def merge(self, package: Mapping[str, Sequence[str]]) -> None:
        """Merge a load's rows.

        A row takes the place of the one with its key, and a list's elements that of all that its parent had; a
        tombstone stands for a list without any. A package that comes twice changes nothing the second time.

        Args:
            package: Table name to the local Parquet files with its rows.
        """
        run_in_memory(lambda db: self._merge(db, package))

    def _merge(self, db: duckdb.DuckDBPyConnection, package: Mapping[str, Sequence[str]]) -> None:
        with self._store.draft() as draft:
            tables = _Tables(self._store, draft, self._monthly_from_rows)
            scanner = Scanner(db, self._filesystem)
            for name, shape in self._shapes.items():
                if package.get(name):
                    _Merge(db, scanner, shape, tables).run(package)


@dataclass(frozen=True)
class _Tables:
    """Where tables are, and what becomes of them."""

    store: Store
    draft: Draft
    monthly_from_rows: int


class _Merge:
    """A load's rows of one table, on their way into its files."""

    def __init__(self, db: duckdb.DuckDBPyConnection, scanner: Scanner, shape: TableLayout, tables: _Tables) -> None:
        self._db = db
        self._scanner = scanner
        self._shape = shape
        self._store = tables.store
        self._draft = tables.draft
        self._monthly_from_rows = tables.monthly_from_rows
        self._single = f"{shape.name}{SUFFIX}"
        self._files = self._store.files(shape.name)
        if self._single in self._files:
            # A merge that was killed while it put months in the one file's place left some of them.
            for left in self._files.keys() - {self._single}:
                self._draft.remove(shape.name, left)
            self._files = {self._single: self._files[self._single]}

    def run(self, package: Mapping[str, Sequence[str]]) -> None:
        """Write anew the files that the rows touch."""
        shape = self._shape
        live = stage(self._db, shape, package[shape.name])
        [(rows,)] = self._db.execute("SELECT count(*) FROM incoming").fetchall()
        if not rows and self._files:
            return
        self._db.execute("CREATE TEMP TABLE IF NOT EXISTS nobody (root VARCHAR, created_at TIMESTAMPTZ)")
        self._db.execute(f"CREATE OR REPLACE TEMP TABLE keys AS SELECT DISTINCT {', '.join(shape.key)} FROM incoming")
        parents = package.get(shape.parent or "", [])
        if self._stays_single(rows):
            self._write(self._single, f"{self._keep(self._files)} UNION ALL BY NAME {live}")
        elif self._single in self._files:
            self._write_months(f"{self._keep(self._files)} UNION ALL BY NAME {live}", parents)
        else:
            self._write_touched(live, parents)

    def _stays_single(self, rows: int) -> bool:
        """Whether all rows are in one file, and remain there."""
        if self._months_there():
            return False
        if self._files and rows < self._monthly_from_rows:
            [(there,)] = self._db.execute(f"SELECT count(*) FROM {self._scan(self._files)}").fetchall()
            rows += int(there)
        return rows < self._monthly_from_rows

    def _write_months(self, rows: str, parents: Sequence[str]) -> None:
        """Go over from one file to a file a month."""
        self._date(rows, parents, self._store.files(self._shape.parent or ""))
        months = self._list_months()
        for month in months:
            self._write(self._name(month), f"SELECT * EXCLUDE (month) FROM dated WHERE month = '{month}'")
        self._draft.remove(self._shape.name, self._single)

    def _write_touched(self, live: str, parents: Sequence[str]) -> None:
        """Write anew the months that the rows belong to, and those that hold what they take the place of."""
        self._date(live, parents)
        names = {self._name(month) for month in self._list_months()} | self._find_touched()
        for name in sorted(names):
            kept = self._keep([name] if name in self._files else [])
            month = name.removeprefix(f"{self._shape.name}-").removesuffix(SUFFIX)
            self._write(name, f"{kept} UNION ALL BY NAME SELECT * EXCLUDE (month) FROM dated WHERE month = '{month}'")

    def _find_touched(self) -> set[str]:
        """The files with rows that are replaced."""
        found = set()
        for name in self._files:
            query = f"SELECT true FROM {self._scan([name])} SEMI JOIN keys USING ({', '.join(self._shape.key)}) LIMIT 1"
            if self._db.execute(query).fetchall():
                found.add(name)
        return found

    def _date(self, rows: str, parents: Sequence[str], older: Mapping[str, str] = MappingProxyType({})) -> None:
        """Make the table `dated`: rows with the month that they, or their parents, were created in.

        The month says where a row is put, not where it is looked for.

        Args:
            rows: A query.
            parents: The load's files of the parent table.
            older: The files that hold the parent table so far.
        """
        if self._shape.dated_by:
            query = f"SELECT *, {_month_of(self._shape.dated_by)} AS month FROM ({rows})"
        else:
            dates, columns = "FROM nobody", f"{self._shape.parent_key} AS root, created_at"
            if parents:
                dates += f" UNION ALL SELECT {columns} FROM {read_local(parents)}"
            if older:
                dates += f" UNION ALL SELECT {columns} FROM {self._scanner.scan('older', list(older.values()))}"
            months = f"SELECT root, min({_month_of('created_at')}) AS month FROM ({dates}) GROUP BY root"
            query = (
                f"SELECT r.*, coalesce(m.month, '{UNDATED}') AS month FROM ({rows}) r"
                f" LEFT JOIN ({months}) m ON m.root = r.{self._shape.parent_column}"
            )
        self._db.execute(f"CREATE OR REPLACE TEMP TABLE dated AS {query}")

    def _list_months(self) -> list[str]:
        """The months of the table `dated`; a table without files gets one, as a reader must find its columns."""
        found = self._db.execute("SELECT DISTINCT month FROM dated ORDER BY month").fetchall()
        return [month for (month,) in found] or ([] if self._months_there() else [UNDATED])

    def _months_there(self) -> bool:
        return any(name != self._single for name in self._files)

    def _name(self, month: str) -> str:
        return f"{self._shape.name}-{month}{SUFFIX}"

    def _keep(self, names: Iterable[str]) -> str:
        """The rows of files that nothing takes the place of, with all of the table's columns."""
        found = list(names)
        if not found:
            return "FROM blank"
        rows = f"FROM {self._scan(found)} ANTI JOIN keys USING ({', '.join(self._shape.key)})"
        return f"FROM blank UNION ALL BY NAME {rows}"

    def _scan(self, names: Iterable[str]) -> str:
        return self._scanner.scan("there", [self._files[name] for name in names])

    def _write(self, name: str, rows: str) -> None:
        """Write rows in the table's order."""
        rows = f"SELECT * FROM ({rows}) ORDER BY {', '.join(self._shape.order)}"
        path = self._draft.path(self._shape.name, name)
        with open_arrow(self._db, rows, batch_rows=ROWS_A_BATCH) as reader:
            schema = self._shape.widen(reader.schema)
            with pq.ParquetWriter(path, schema, compression="zstd") as writer:
                for group in group_rows(reader, schema):
                    writer.write_table(group)


def _month_of(column: str) -> str:
    return f"coalesce(strftime(make_timestamp(epoch_us({column})), '%Y-%m'), '{UNDATED}')"
