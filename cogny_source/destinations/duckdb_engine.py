"""What the connector knows of DuckDB beyond its SQL: facts that a new version may change, each with a test.

`tests/unit/destinations/test_duckdb_engine.py` says for each of them what breaks with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import duckdb
import pyarrow as pa

from cogny_source.errors import ConfigError

# From this major version on `execute` streams its rows into Python's objects, and Arrow comes from relations alone.
RELATIONS_STREAM_FROM = 2
# What DuckDB says of a file that another process has open, and of one that a later version made.
LOCKED = "Could not set lock on file"
NEWER_FILE = "created with a newer version of DuckDB"
# What it makes of Ctrl-C: DuckDB 1 with the KeyboardInterrupt as its cause, DuckDB 2 without.
INTERRUPTED = "Query interrupted"
MAJOR = int(duckdb.__version__.partition(".")[0])


def explain_version(error: BaseException) -> ConfigError | None:
    """What to do about a file that a later version of DuckDB made; None if the error is another one.

    Args:
        error: The error of opening the file.
    """
    if NEWER_FILE not in str(error):
        return None
    return ConfigError(
        f"the database was made with a later DuckDB than {duckdb.__version__}, which is installed here: run"
        " pip install --upgrade duckdb, or name another file"
    )


@contextmanager
def open_arrow(
    connection: duckdb.DuckDBPyConnection, query: str, values: Sequence[object] = (), *, batch_rows: int
) -> Iterator[pa.RecordBatchReader]:
    """A query's rows as Arrow, read from the database batch by batch.

    DuckDB 1 holds all rows of a relation with parameters in memory; DuckDB 2 copies all that `execute` brings.

    Args:
        connection: The connection; until the block ends it may run no other query.
        query: The query, with `?` for its parameters.
        values: The parameters.
        batch_rows: How many rows a batch holds, about.

    Raises:
        duckdb.Error: If DuckDB refuses the query.
    """
    given = list(values) or None
    rows = connection.execute(query, given) if MAJOR < RELATIONS_STREAM_FROM else connection.sql(query, params=given)
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
