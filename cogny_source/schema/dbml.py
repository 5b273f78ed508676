"""The data dictionary as DBML, which diagram tools read, and as JSON."""

from __future__ import annotations

from typing import Any

from cogny_source.schema import RESOURCE_TABLES, SYNC_RUNS, Column, ListSpec, TableSpec


def list_tables() -> list[TableSpec | ListSpec]:
    """Every table, a resource's with those that belong to it after it."""
    tables: list[TableSpec | ListSpec] = []
    for spec in RESOURCE_TABLES.values():
        tables += [spec, *spec.lists]
        if spec.versions is not None:
            tables.append(spec.versions)
    return [*tables, SYNC_RUNS]


def describe_tables() -> list[dict[str, Any]]:
    """Every table as JSON's values: name, description, primary key, references and columns."""
    return [
        {
            "name": table.name,
            "description": table.description,
            "primary_key": list(_key(table)),
            "references": [
                {"column": column, "table": parent, "parent_column": "id"} for column, parent in _references(table)
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
    """Every table as DBML."""
    tables = list_tables()
    links = [(table.name, *reference) for table in tables for reference in _references(table)]
    refs = [f"Ref: {name}.{column} > {parent}.id\n" for name, column, parent in links]
    return "\n".join([*map(_render_table, tables), *refs])


def _key(table: TableSpec | ListSpec) -> tuple[str, ...]:
    return (table.parent_column, "position") if isinstance(table, ListSpec) else tuple(table.primary_key)


def _references(table: TableSpec | ListSpec) -> list[tuple[str, str]]:
    """The columns that hold another table's key, with that table."""
    found: list[tuple[str, str]] = []
    for spec in RESOURCE_TABLES.values():
        if table in spec.lists and isinstance(table, ListSpec):
            found.append((table.parent_column, spec.name))
        if table is spec.versions:
            found.append(("id", spec.name))
    if "warehouse_id" in [column.name for column in table.columns]:
        found.append(("warehouse_id", "warehouses"))
    return found


def _render_table(table: TableSpec | ListSpec) -> str:
    key = _key(table)
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
