"""The data dictionary as DBML (for diagram tools) and as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cogny_source.schema import (
    REPORT_CONTENTS,
    REPORTS,
    RESOURCE_TABLES,
    SYNC_RUNS,
    WAREHOUSES,
    ChildSpec,
    Column,
    TableSpec,
)


@dataclass(frozen=True)
class Reference:
    """A foreign key.

    Attributes:
        columns: The columns that hold the key.
        table: The referenced table.
        key: The referenced columns: the primary key of that table.
    """

    columns: tuple[str, ...]
    table: str
    key: tuple[str, ...]


def list_tables() -> list[TableSpec | ChildSpec]:
    """All tables; the child tables and the history of a resource follow its own table."""
    tables: list[TableSpec | ChildSpec] = []
    for spec in RESOURCE_TABLES.values():
        tables += [spec, *spec.child_tables]
        if spec.versions is not None:
            tables.append(spec.versions)
    return [*tables, SYNC_RUNS]


def describe_tables() -> list[dict[str, Any]]:
    """All tables as JSON values: name, description, primary key, references and columns."""
    return [
        {
            "name": table.name,
            "description": table.description,
            "primary_key": list(table.primary_key),
            "references": [
                {"column": column, "table": reference.table, "parent_column": parent_column}
                for reference in _references(table)
                for column, parent_column in zip(reference.columns, reference.key, strict=True)
            ],
            "columns": [
                {
                    "name": column.name,
                    "type": column.type,
                    "nullable": column.nullable,
                    "description": column.description,
                }
                for column in table.columns
            ],
        }
        for table in list_tables()
    ]


def render_dbml() -> str:
    """All tables as DBML."""
    tables = list_tables()
    refs = [_render_reference(table.name, reference) for table in tables for reference in _references(table)]
    return "\n".join([*map(_render_table, tables), *refs])


def _references(table: TableSpec | ChildSpec) -> list[Reference]:
    """The foreign keys of a table."""
    references: list[Reference] = []
    for spec in RESOURCE_TABLES.values():
        parents: list[TableSpec | ChildSpec] = [spec, *spec.child_tables]
        references += [
            Reference(child.parent_key, parent.name, parent.primary_key)
            for parent in parents
            for child in parent.children
            if child is table
        ]
        if table is spec.versions:
            references.append(Reference((spec.key,), spec.name, spec.primary_key))
    if table is REPORT_CONTENTS:
        references.append(Reference((table.key,), REPORTS.name, REPORTS.primary_key))
    if "warehouse_id" in [column.name for column in table.columns]:
        references.append(Reference(("warehouse_id",), WAREHOUSES.name, WAREHOUSES.primary_key))
    return references


def _render_reference(name: str, reference: Reference) -> str:
    if len(reference.columns) == 1:
        return f"Ref: {name}.{reference.columns[0]} > {reference.table}.{reference.key[0]}\n"
    columns, key = ", ".join(reference.columns), ", ".join(reference.key)
    return f"Ref: {name}.({columns}) > {reference.table}.({key})\n"


def _render_table(table: TableSpec | ChildSpec) -> str:
    key = table.primary_key
    lines = [_render_column(column, key) for column in table.columns]
    if len(key) > 1:
        lines += ["", "  indexes {", f"    ({', '.join(key)}) [pk]", "  }"]
    return "\n".join([f"Table {table.name} {{", *lines, "", f"  Note: {_quote(table.description)}", "}", ""])


def _render_column(column: Column, key: tuple[str, ...]) -> str:
    marks = ["pk"] if key == (column.name,) else []
    marks += [] if column.nullable else ["not null"]
    marks.append(f"note: {_quote(column.description)}")
    return f"  {column.name} {column.type} [{', '.join(marks)}]"


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
