"""Tables as Parquet files, as a test writes and asks them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem

from cogny_source.destinations.filesystem.file_store import ObjectStore, PlainStore, SnapshotStore
from cogny_source.destinations.filesystem.parquet import MONTHLY_FROM_ROWS, ParquetTables
from cogny_source.destinations.filesystem.table_layout import list_layouts
from cogny_source.records.chunk import ChunkBuilder
from cogny_source.schema import TICKETS

LAYOUTS = list_layouts()
Row = dict[str, Any]


def write_package(folder: Path, rows: list[Row]) -> dict[str, list[str]]:
    """Rows of tickets as the files of a load."""
    builder = ChunkBuilder(TICKETS, history=True)
    builder.add(rows)
    files = {}
    for name, table in builder.build(None).tables.items():
        path = folder / f"{name}.in"
        pq.write_table(table, path)
        files[name] = [str(path)]
    return files


def month(row: Row) -> str:
    """The month of a row in a file's name."""
    try:
        return datetime.fromisoformat(row["created_at"]).astimezone(UTC).strftime("%Y-%m")
    except ValueError:
        return "undated"


def make_tables(kind: str, folder: Path, monthly_from_rows: int = MONTHLY_FROM_ROWS) -> ParquetTables:
    """Tables in a store of a kind, in a folder."""
    if kind == "objects":
        files = LocalFileSystem(auto_mkdir=True)
        return ParquetTables(ObjectStore(files, f"{folder}/", "file://"), LAYOUTS, files, monthly_from_rows)
    store = SnapshotStore(folder) if kind == "snapshots" else PlainStore(folder)
    return ParquetTables(store, LAYOUTS, monthly_from_rows=monthly_from_rows)


def read(tables: ParquetTables, query: str) -> list[tuple[Any, ...]]:
    """Ask the files."""
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        for name in LAYOUTS:
            if name in query:
                db.execute(f"CREATE VIEW {name} AS FROM read_parquet({tables.files(name)}, union_by_name = true)")
        return db.execute(query).fetchall()
