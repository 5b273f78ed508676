"""Parquet files as DuckDB reads them, on a disk or in an object store."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import duckdb
import pyarrow as pa
from fsspec import AbstractFileSystem

from cogny_source.destinations.filesystem.table_layout import TableLayout
from cogny_source.destinations.local_files import read_local
from cogny_source.schema import TOMBSTONE

logger = logging.getLogger(__name__)

# Bounds what sorting a month takes; beyond it DuckDB goes on in files.
SORT_MEMORY = "512MB"
# Of a Parquet file; what a reader holds at once of each column.
ROWS_A_GROUP = 50_000
GROUP_BYTES = 64 * 2**20
# What DuckDB holds together anyway.
ROWS_A_BATCH = 2_048


class Scanner:
    """Names Parquet files in DuckDB's SQL.

    Local files DuckDB reads itself. What an object store holds goes through pyarrow, which reads the columns that a
    query names with three requests a file; DuckDB itself, given the same file system, sends some twenty.

    Args:
        db: The connection.
        filesystem: The object store; None for local files.
    """

    def __init__(self, db: duckdb.DuckDBPyConnection, filesystem: AbstractFileSystem | None = None) -> None:
        self._db = db
        self._filesystem = filesystem
        if filesystem is not None:
            # What a join has found may not be looked for by pyarrow either; see `scan`.
            db.execute("SET disabled_optimizers = 'join_filter_pushdown'")

    def scan(self, name: str, paths: Sequence[str]) -> str:
        """What stands after FROM for the rows of files.

        Args:
            name: A name that may be given to them; what had it before is let go.
            paths: The files, at least one.
        """
        if self._filesystem is None:
            return read_local(paths)
        import pyarrow.dataset as pads

        # pyarrow fails to compare texts in files of deltalake, which it reads as views, and others: DuckDB does it,
        # as it takes no condition to the other side of a limit.
        keys = [path.partition("://")[2] for path in paths]
        parts = [pads.dataset(key, filesystem=self._filesystem, format="parquet") for key in keys]
        schema = pa.unify_schemas([_without_views(part.schema) for part in parts])
        self._db.register(name, pads.dataset(keys, schema, "parquet", self._filesystem))
        return f"(FROM {name} LIMIT {2**63 - 1})"


def _without_views(schema: pa.Schema) -> pa.Schema:
    """A schema whose texts are plain strings; deltalake writes views."""
    return pa.schema(
        [field.with_type(pa.string()) if field.type == pa.string_view() else field for field in schema], schema.metadata
    )


def stage(db: duckdb.DuckDBPyConnection, shape: TableLayout, files: Sequence[str]) -> str:
    """Make the view `incoming` of a load's rows of one table, and `blank` with its columns.

    Args:
        db: The connection.
        shape: The table.
        files: The local files with the rows.

    Returns:
        The query for those rows that are to be there afterwards: all but tombstones.
    """
    db.register("blank", shape.schema.empty_table())
    db.execute(f"CREATE OR REPLACE TEMP VIEW incoming AS FROM blank UNION ALL BY NAME FROM {read_local(files)}")
    return f"SELECT * FROM incoming WHERE {TOMBSTONE} IS NOT TRUE" if shape.is_list else "FROM incoming"


def run_in_memory(work: Callable[[duckdb.DuckDBPyConnection], None]) -> None:
    """Do something with DuckDB in little memory, and again with as much as there is where that is too little.

    Rows of megabytes do not fit: DuckDB keeps some thousands of them together, and not all of that goes into files.

    Args:
        work: What is to be done; it leaves nothing behind where it fails.

    Raises:
        duckdb.OutOfMemoryException: If this machine's memory is too little too.
    """
    try:
        with connect(SORT_MEMORY) as db:
            work(db)
    except duckdb.OutOfMemoryException as error:
        logger.info("long rows are merged again with more memory: %s", str(error).partition("\n")[0])
        with connect(None) as db:
            work(db)


def group_rows(reader: pa.RecordBatchReader, schema: pa.Schema) -> Iterator[pa.Table]:
    """Rows in groups of at most so many, and about so many bytes, with the columns and types of a schema."""
    held: list[pa.RecordBatch] = []
    for batch in reader:
        held.append(batch.select(schema.names).cast(schema))
        if sum(map(len, held)) >= ROWS_A_GROUP or sum(part.nbytes for part in held) >= GROUP_BYTES:
            yield pa.Table.from_batches(held, schema)
            held = []
    if held:
        yield pa.Table.from_batches(held, schema)


@contextmanager
def connect(memory_limit: str | None = SORT_MEMORY) -> Iterator[duckdb.DuckDBPyConnection]:
    """DuckDB in memory. What it has no room for it writes to a folder of its own: by default, to the working directory.

    Two processes that wrote there would take each other's files.

    Args:
        memory_limit: What it may hold; None for most of the machine's memory.
    """
    with tempfile.TemporaryDirectory(prefix="cogny-") as folder, duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        if memory_limit is not None:
            db.execute("SET memory_limit = ?", [memory_limit])
        db.execute("SET temp_directory = ?", [folder])
        yield db
