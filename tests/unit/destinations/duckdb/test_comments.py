"""Comments on tables and columns: written once, and again where a description changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import duckdb
import pytest

from cogny_source.destinations.duckdb.comments import write_comments
from cogny_source.schema import RESOURCE_TABLES

SPEC = RESOURCE_TABLES["warehouses"]
QUERY = "SELECT column_name, comment FROM duckdb_columns() WHERE schema_name = 'growth' ORDER BY column_index"


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """A database with the table, and one of the same name in another schema."""
    with duckdb.connect() as opened:
        columns = ", ".join(f'"{column.name}" VARCHAR' for column in SPEC.columns)
        for schema in ("growth", "other"):
            opened.execute(f"CREATE SCHEMA {schema}; CREATE TABLE {schema}.{SPEC.name} ({columns})")
        yield opened


def test_each_table_and_column_gets_its_description(connection: duckdb.DuckDBPyConnection) -> None:
    """In its own dataset alone; a second time nothing is written."""
    assert write_comments(connection, "growth", [SPEC]) == 1 + len(SPEC.columns)
    assert connection.execute(QUERY).fetchall() == [(column.name, column.description) for column in SPEC.columns]
    tables = "SELECT schema_name, comment FROM duckdb_tables() ORDER BY schema_name"
    assert connection.execute(tables).fetchall() == [("growth", SPEC.description), ("other", None)]
    assert write_comments(connection, "growth", [SPEC]) == 0


def test_description_that_changes_is_written_anew(connection: duckdb.DuckDBPyConnection) -> None:
    """It alone; quotes are no end of it."""
    write_comments(connection, "growth", [SPEC])
    changed = replace(SPEC.columns[0], description="The warehouse's \"id\"; '); DROP TABLE x")
    assert write_comments(connection, "growth", [replace(SPEC, columns=(changed, *SPEC.columns[1:]))]) == 1
    assert connection.execute(QUERY).fetchall()[0] == (changed.name, changed.description)


def test_what_the_database_lacks_is_left_out(connection: duckdb.DuckDBPyConnection) -> None:
    """A table without history, or a column that is not there yet."""
    connection.execute(f'ALTER TABLE growth.{SPEC.name} DROP COLUMN "{SPEC.columns[-1].name}"')
    assert write_comments(connection, "growth", [SPEC, RESOURCE_TABLES["tickets"]]) == len(SPEC.columns)


def test_comments_can_be_written_under_an_index_and_a_view(connection: duckdb.DuckDBPyConnection) -> None:
    """As an analyst may have made them."""
    connection.execute(f"CREATE INDEX by_name ON growth.{SPEC.name}(name); CREATE VIEW v AS FROM growth.{SPEC.name}")
    assert write_comments(connection, "growth", [SPEC]) == 1 + len(SPEC.columns)


def test_refusal_is_told_and_ends_nothing(
    connection: duckdb.DuckDBPyConnection, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of it is left, and the connection goes on."""
    statement = "cogny_source.destinations.duckdb.comments._statement"
    monkeypatch.setattr(statement, lambda *_: "COMMENT ON TABLE growth.no_such_table IS 'x'")
    assert write_comments(connection, "growth", [SPEC]) == 0
    assert caplog.messages[0].startswith("the descriptions of tables and columns cannot be written: Catalog Error")
    assert connection.execute("SELECT count(comment) FROM duckdb_tables()").fetchall() == [(0,)]
