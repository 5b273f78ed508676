"""Compares the declared tables with dlt's stored schema of a DuckDB dataset."""

from __future__ import annotations

from typing import Any, NamedTuple

import dlt
from dlt.common.schema import Schema
from dlt.common.schema.typing import LOADS_TABLE_NAME, PIPELINE_STATE_TABLE_NAME, VERSION_TABLE_NAME, TSchemaTables
from dlt.destinations.sql_client import SqlClientBase

from cogny_source.destinations.dlt_schema import restored_schema
from cogny_source.records.package import Package, list_tables
from cogny_source.schema import SYNC_RUNS, ChildSpec, TableSpec


class SchemaVersion(NamedTuple):
    """A version of dlt's schema of the dataset.

    Attributes:
        name: The schema's name.
        version_hash: The hash of its content.
    """

    name: str
    version_hash: str


def repair_dlt_tables(client: SqlClientBase[Any]) -> bool:
    """Let dlt create its tables of loads and states again, if somebody dropped one.

    dlt creates the missing tables of its schema if the dataset does not have the schema's version. Without one of the
    two tables there is no state either, so that all rows are read again.

    Returns:
        Whether a table is missing.
    """
    query = "SELECT table_name FROM duckdb_tables() WHERE schema_name = ?"
    present = {name for (name,) in client.native_connection.execute(query, [client.dataset_name]).fetchall()}
    if {LOADS_TABLE_NAME, PIPELINE_STATE_TABLE_NAME} <= present:
        return False
    forget_version(client)
    return True


def forget_version(client: SqlClientBase[Any]) -> None:
    """Delete the versions of dlt's schema in the dataset, so that dlt creates missing tables and columns."""
    query = "SELECT count(*) FROM duckdb_tables() WHERE schema_name = ? AND table_name = ?"
    [(versions,)] = client.native_connection.execute(query, [client.dataset_name, VERSION_TABLE_NAME]).fetchall()
    if versions:
        client.native_connection.execute(f"DELETE FROM {client.make_qualified_table_name(VERSION_TABLE_NAME)}")


def find_schema(pipeline: dlt.Pipeline, package: Package) -> SchemaVersion | None:
    """The schema restored from the destination, if its tables for a package match the declaration; else None."""
    schema = restored_schema(pipeline)
    if schema is None or PIPELINE_STATE_TABLE_NAME not in _default_tables(pipeline):
        return None
    if not all(_has_table(schema, spec) for spec in list_specs(package)):
        return None
    return SchemaVersion(schema.name, schema.version_hash)


def list_specs(package: Package) -> list[TableSpec | ChildSpec]:
    """The tables that a package may fill."""
    specs: list[TableSpec | ChildSpec] = [SYNC_RUNS]
    for name in package.chunks:
        specs += list_tables(name, history=package.history).values()
    return specs


def _default_tables(pipeline: dlt.Pipeline) -> TSchemaTables:
    """The tables of the default schema, in whose dataset dlt stores a pipeline's states."""
    return pipeline.default_schema.tables if pipeline.default_schema_name else {}


def _has_table(schema: Schema, spec: TableSpec | ChildSpec) -> bool:
    table = schema.tables.get(spec.name)
    if table is None or table.get("description") != spec.description:
        return False
    return all(
        (known := table["columns"].get(column.name)) is not None
        and known.get("data_type") == column.type
        and known.get("nullable", True) == column.nullable
        and known.get("description") == column.description
        for column in spec.columns
    )
