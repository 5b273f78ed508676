"""The data dictionary: what describes a table, and every table that there is."""

from cogny_source.schema.spec import LOAD_ID, TOMBSTONE, Column, ColumnType, ListSpec, TableSpec
from cogny_source.schema.tables import DELETED_AT, EXTRA, REPORTS, RESOURCE_TABLES, SYNC_RUNS, TICKETS, WAREHOUSES

__all__ = [
    "DELETED_AT",
    "EXTRA",
    "LOAD_ID",
    "REPORTS",
    "RESOURCE_TABLES",
    "SYNC_RUNS",
    "TICKETS",
    "TOMBSTONE",
    "WAREHOUSES",
    "Column",
    "ColumnType",
    "ListSpec",
    "TableSpec",
]
