"""The data dictionary: the types that describe a table, and all tables."""

from cogny_source.schema.spec import (
    DELETED_AT,
    EXTRA,
    LOAD_ID,
    POSITION,
    TOMBSTONE,
    VALUE,
    ChildSpec,
    Column,
    ColumnType,
    TableSpec,
)
from cogny_source.schema.tables import REPORT_CONTENTS, REPORTS, RESOURCE_TABLES, SYNC_RUNS, TICKETS, WAREHOUSES

__all__ = [
    "DELETED_AT",
    "EXTRA",
    "LOAD_ID",
    "POSITION",
    "REPORTS",
    "REPORT_CONTENTS",
    "RESOURCE_TABLES",
    "SYNC_RUNS",
    "TICKETS",
    "TOMBSTONE",
    "VALUE",
    "WAREHOUSES",
    "ChildSpec",
    "Column",
    "ColumnType",
    "TableSpec",
]
