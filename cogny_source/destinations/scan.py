"""Parquet files as DuckDB reads them, on a disk or in an object store."""

from __future__ import annotations

import re
from collections.abc import Sequence

import duckdb
import pyarrow as pa
import pyarrow.dataset as pads
from fsspec import AbstractFileSystem

GLOB = re.compile(r"[\[*?]")


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
            return f"read_parquet({quote(paths)}, union_by_name = true)"
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


def quote(paths: Sequence[str]) -> str:
    """Paths as a list in DuckDB's SQL, each standing for itself."""
    escaped = [GLOB.sub(lambda found: f"[{found[0]}]", path).replace("'", "''") for path in paths]
    return "[" + ", ".join(f"'{path}'" for path in escaped) + "]"
