"""Reads Parquet files with DuckDB, from a disk or an object store."""

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

# Bounds the memory for sorting a month; DuckDB spills the rest to files.
SORT_MEMORY = "512MB"
# The row groups of a Parquet file; a reader loads a column of a whole group at once.
ROWS_A_GROUP = 50_000
GROUP_BYTES = 64 * 2**20
# DuckDB's vector size.
ROWS_A_BATCH = 2_048


class Scanner:
    """Makes Parquet files available to DuckDB's SQL.

    DuckDB reads local files itself. Files in an object store are read by pyarrow, which sends three requests per file
    for the columns of a query; DuckDB with the same file system sends about twenty.

    Args:
        db: The connection.
        filesystem: The object store; None for local files.
    """

    def __init__(self, db: duckdb.DuckDBPyConnection, filesystem: AbstractFileSystem | None = None) -> None:
        self._db = db
        self._filesystem = filesystem
        if filesystem is not None:
            # DuckDB must not pass conditions of a join to pyarrow either; see `scan`.
            db.execute("SET disabled_optimizers = 'join_filter_pushdown'")

    def scan(self, name: str, paths: Sequence[str]) -> str:
        """The FROM expression for the rows of files.

        Args:
            name: The name under which a dataset may be registered; an earlier one with this name is replaced.
            paths: The files, at least one.
        """
        if self._filesystem is None:
            return read_local(paths)
        import pyarrow.dataset as pads

        # pyarrow cannot compare the texts of deltalake's files, which it reads as string views, and some others. LIMIT
        # makes DuckDB compare them: it pushes no condition below a limit.
        keys = [path.partition("://")[2] for path in paths]
        parts = [pads.dataset(key, filesystem=self._filesystem, format="parquet") for key in keys]
        schema = pa.unify_schemas([_without_views(part.schema) for part in parts])
        self._db.register(name, pads.dataset(keys, schema, "parquet", self._filesystem))
        return f"(FROM {name} LIMIT {2**63 - 1})"


def _without_views(schema: pa.Schema) -> pa.Schema:
    """A schema with plain strings instead of string views, which deltalake writes."""
    return pa.schema(
        [field.with_type(pa.string()) if field.type == pa.string_view() else field for field in schema], schema.metadata
    )


def stage(db: duckdb.DuckDBPyConnection, layout: TableLayout, files: Sequence[str]) -> str:
    """Create the view `incoming` with the rows of a load for one table, and the empty table `blank` with its columns.

    Args:
        db: The connection.
        layout: The table.
        files: The local files with the rows.

    Returns:
        The query for the rows to store: all except tombstones.
    """
    db.register("blank", layout.schema.empty_table())
    db.execute(f"CREATE OR REPLACE TEMP VIEW incoming AS FROM blank UNION ALL BY NAME FROM {read_local(files)}")
    return f"SELECT * FROM incoming WHERE {TOMBSTONE} IS NOT TRUE" if layout.is_list else "FROM incoming"


def run_in_memory(work: Callable[[duckdb.DuckDBPyConnection], None]) -> None:
    """Call a function with an in-memory DuckDB of little memory, and again without a limit if that is too little.

    Rows of megabytes do not fit: DuckDB holds thousands of them together, and cannot spill all of that to files.

    Args:
        work: The function; it leaves no changes if it fails.

    Raises:
        duckdb.OutOfMemoryException: If the machine's memory is too little.
    """
    try:
        with connect(SORT_MEMORY) as db:
            work(db)
    except duckdb.OutOfMemoryException as error:
        logger.info("long rows are merged again with more memory: %s", str(error).partition("\n")[0])
        with connect(None) as db:
            work(db)


def group_rows(reader: pa.RecordBatchReader, schema: pa.Schema) -> Iterator[pa.Table]:
    """Rows in groups of about `ROWS_A_GROUP` rows or `GROUP_BYTES` bytes, with the columns and types of a schema."""
    pending: list[pa.RecordBatch] = []
    for batch in reader:
        pending.append(batch.select(schema.names).cast(schema))
        if sum(map(len, pending)) >= ROWS_A_GROUP or sum(part.nbytes for part in pending) >= GROUP_BYTES:
            yield pa.Table.from_batches(pending, schema)
            pending = []
    if pending:
        yield pa.Table.from_batches(pending, schema)


@contextmanager
def connect(memory_limit: str | None = SORT_MEMORY) -> Iterator[duckdb.DuckDBPyConnection]:
    """An in-memory DuckDB that spills to its own temporary folder.

    By default DuckDB spills to the working directory, where two processes would delete each other's files.

    Args:
        memory_limit: Its memory limit, such as `512MB`; None for DuckDB's default, most of the machine's memory.
    """
    with tempfile.TemporaryDirectory(prefix="cogny-") as folder, duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        if memory_limit is not None:
            db.execute("SET memory_limit = ?", [memory_limit])
        db.execute("SET temp_directory = ?", [folder])
        yield db
