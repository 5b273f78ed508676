"""Facts about DuckDB beyond its SQL that a new version may change, each with a test.

`tests/unit/destinations/test_duckdb_engine.py` says what breaks with each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import duckdb
import pyarrow as pa

from cogny_source.errors import ConfigError
from cogny_source.installation import describe_install

# From this major version on, only relations stream Arrow; `execute` streams Python objects.
RELATIONS_STREAM_FROM = 2
# DuckDB's messages for a file that another process has open, and for a file of a newer version.
LOCKED = "Could not set lock on file"
NEWER_FILE = "created with a newer version of DuckDB"
# The RuntimeError of Ctrl-C: DuckDB 1 raises it from the KeyboardInterrupt, DuckDB 2 without a cause.
INTERRUPTED = "Query interrupted"
MAJOR = int(duckdb.__version__.partition(".")[0])


def explain_version(error: BaseException) -> ConfigError | None:
    """The error for a database file of a newer DuckDB; None if the error is another one.

    Args:
        error: The error raised while the file was opened.
    """
    if NEWER_FILE not in str(error):
        return None
    return ConfigError(
        f"the database was made with a newer DuckDB than the installed version {duckdb.__version__}:"
        f" {describe_install(['duckdb'], upgrade=True)}, or name another file"
    )


@contextmanager
def open_arrow(
    connection: duckdb.DuckDBPyConnection, query: str, values: Sequence[object] = (), *, batch_rows: int
) -> Iterator[pa.RecordBatchReader]:
    """Read a query's rows as Arrow, batch by batch.

    DuckDB 1 holds all rows of a relation with parameters in memory; DuckDB 2 copies all rows of `execute`.

    Args:
        connection: The connection; it must run no other query until the block ends.
        query: The query, with `?` for its parameters.
        values: The parameters.
        batch_rows: The approximate number of rows in a batch.

    Raises:
        duckdb.Error: If DuckDB refuses the query.
    """
    parameters = list(values) or None
    is_old = MAJOR < RELATIONS_STREAM_FROM
    rows = connection.execute(query, parameters) if is_old else connection.sql(query, params=parameters)
    reader = cast(pa.RecordBatchReader, rows.to_arrow_reader(batch_rows))
    try:
        yield reader
    finally:
        reader.close()


def read_arrow(connection: duckdb.DuckDBPyConnection, query: str) -> pa.Table:
    """A query's rows as one Arrow table.

    Raises:
        duckdb.Error: If DuckDB refuses the query.
    """
    return connection.sql(query).to_arrow_table()
