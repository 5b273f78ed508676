"""The descriptions of tables and columns as comments in a DuckDB file."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import suppress

import duckdb

from cogny_source.schema import ChildSpec, TableSpec

logger = logging.getLogger(__name__)

# A table, or a table and a column of it.
Place = tuple[str, str | None]
COMMENTS = """
    SELECT table_name, NULL, comment FROM duckdb_tables()
    WHERE database_name = current_database() AND schema_name = $dataset
    UNION ALL
    SELECT table_name, column_name, comment FROM duckdb_columns()
    WHERE database_name = current_database() AND schema_name = $dataset
"""


def write_comments(connection: duckdb.DuckDBPyConnection, dataset: str, specs: Iterable[TableSpec | ChildSpec]) -> int:
    """Write the comments that are missing or differ, in one transaction.

    A comment is no row: where the database refuses one, the load goes on.

    Args:
        connection: The connection, outside a transaction.
        dataset: The schema of the tables.
        specs: The tables; what the database lacks of them is left out.

    Returns:
        How many were written.
    """
    present = {(table, column): comment for table, column, comment in _read(connection, dataset)}
    wanted = {place: text for place, text in _list_comments(specs) if place in present and present[place] != text}
    if not wanted:
        return 0
    try:
        connection.begin()
        for place, text in wanted.items():
            connection.execute(_statement(dataset, place, text))
        connection.commit()
    except duckdb.Error as error:
        with suppress(duckdb.Error):  # DuckDB has undone it already where the commit failed
            connection.rollback()
        logger.warning("the descriptions of tables and columns cannot be written: %s", str(error).partition("\n")[0])
        return 0
    return len(wanted)


def _read(connection: duckdb.DuckDBPyConnection, dataset: str) -> list[tuple[str, str | None, str | None]]:
    return connection.execute(COMMENTS, {"dataset": dataset}).fetchall()


def _list_comments(specs: Iterable[TableSpec | ChildSpec]) -> Iterator[tuple[Place, str]]:
    for spec in specs:
        yield (spec.name, None), spec.description
        yield from (((spec.name, column.name), column.description) for column in spec.columns)


def _statement(dataset: str, place: Place, text: str) -> str:
    """DuckDB takes no parameters in this statement."""
    table, column = place
    name = ".".join(f'"{part}"' for part in (dataset, table, column) if part is not None)
    quoted = text.replace("'", "''")
    return f"COMMENT ON {'TABLE' if column is None else 'COLUMN'} {name} IS '{quoted}'"
