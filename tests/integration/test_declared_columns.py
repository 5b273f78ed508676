"""The page of tables tells what the code declares."""

from __future__ import annotations

from cogny_source.schema import RESOURCE_TABLES, SYNC_RUNS, ChildSpec, TableSpec
from tests.support.syncs import Script
from tests.support.truth import Ask

DUCKDB_TYPES = {
    "text": "VARCHAR",
    "double": "DOUBLE",
    "bigint": "BIGINT",
    "bool": "BOOLEAN",
    "json": "JSON",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
}


def test_destination_has_the_declared_columns(sync_here: Script, database: Ask) -> None:
    """Every declared table is there with its columns, types and order, also where the API has no row for it."""
    sync_here("--resources", "tickets,reports,warehouses", "--start-date", "2090-01-01")
    for spec in (*RESOURCE_TABLES.values(), SYNC_RUNS):
        tables = {spec.name: spec.columns, **{item.name: item.columns for item in spec.child_tables}}
        for name, columns in tables.items():
            found = database(
                f"SELECT column_name, data_type FROM information_schema.columns "
                f"WHERE table_schema = 'cogny_data' AND table_name = '{name}' ORDER BY ordinal_position"
            )
            assert found == [(column.name, DUCKDB_TYPES[column.type]) for column in columns]
    assert database("SELECT count(*) FROM tickets") == [(0,)]


def test_each_table_and_column_has_its_description(sync_here: Script, database: Ask) -> None:
    """As a comment, after a quiet sync too; dlt's own tables have none."""
    sync_here()
    sync_here()
    query = "SELECT table_name, {} comment FROM duckdb_{}() WHERE schema_name = 'cogny_data' AND table_name[1] <> '_'"
    specs: list[TableSpec | ChildSpec] = [SYNC_RUNS]
    for spec in RESOURCE_TABLES.values():
        specs += [spec, *spec.child_tables, *([spec.versions] if spec.versions else [])]
    assert dict(database(query.format("", "tables"))) == {spec.name: spec.description for spec in specs}
    told = {(table, column): comment for table, column, comment in database(query.format("column_name,", "columns"))}
    declared = {(spec.name, column.name): column.description for spec in specs for column in spec.columns}
    assert {place: told[place] for place in declared} == declared
    assert {column for (_, column), comment in told.items() if comment is None} <= {"_dlt_deleted", "_dlt_id"}
