"""The data dictionary as Markdown, with an entity diagram: `python -m cogny_source.schema.markdown`."""

from __future__ import annotations

from collections.abc import Sequence

from cogny_source.schema import RESOURCE_TABLES, SYNC_RUNS, Column, ColumnType, ListSpec, TableSpec

# dlt's types as each destination holds them.
TYPES: dict[ColumnType, dict[str, str]] = {
    "text": {"DuckDB": "VARCHAR", "Parquet": "string", "Delta": "string", "BigQuery": "STRING"},
    "double": {"DuckDB": "DOUBLE", "Parquet": "double", "Delta": "double", "BigQuery": "FLOAT64"},
    "bigint": {"DuckDB": "BIGINT", "Parquet": "int64", "Delta": "long", "BigQuery": "INT64"},
    "bool": {"DuckDB": "BOOLEAN", "Parquet": "bool", "Delta": "boolean", "BigQuery": "BOOL"},
    "json": {"DuckDB": "JSON", "Parquet": "string", "Delta": "string", "BigQuery": "JSON"},
    "timestamp": {
        "DuckDB": "TIMESTAMP WITH TIME ZONE",
        "Parquet": "timestamp[us, tz=UTC]",
        "Delta": "timestamp",
        "BigQuery": "TIMESTAMP",
    },
}

HEAD = """# Tables

Generated from `cogny_source/schema/tables.py` by `make docs`. The tables are the same on every destination. Every
instant is UTC with time zone, to the microsecond. Where a destination has no type for JSON, its text stands there. dlt
keeps its own tables beside them: `_dlt_loads`, `_dlt_version`, `_dlt_pipeline_state`.
"""


def render_tables() -> str:
    """The whole page."""
    parts = [HEAD, _render_types(), _render_diagram()]
    for spec in (*RESOURCE_TABLES.values(), SYNC_RUNS):
        parts.append(_render_table(spec.name, spec.description, spec.columns, spec.primary_key))
        parts.extend(_render_list(item) for item in spec.lists)
        if spec.versions is not None:
            versions = spec.versions
            parts.append(_render_table(versions.name, versions.description, versions.columns, versions.primary_key))
    return "\n".join(parts)


def _render_types() -> str:
    destinations = list(TYPES["text"])
    lines = [f"| type | {' | '.join(destinations)} |", "|---" * (len(destinations) + 1) + "|"]
    lines += [f"| {name} | {' | '.join(types.values())} |" for name, types in TYPES.items()]
    return "\n".join([*lines, ""])


def _render_list(item: ListSpec) -> str:
    return _render_table(item.name, item.description, item.columns, (item.parent_column, "position"))


def _render_table(name: str, description: str, columns: Sequence[Column], key: Sequence[str]) -> str:
    lines = [f"## {name}", "", description, "", "| column | type | what it holds |", "|---|---|---|"]
    for column in columns:
        label = f"**{column.name}**" if column.name in key else column.name
        lines.append(f"| {label} | {column.type} | {column.description} |")
    return "\n".join([*lines, ""])


def _render_diagram() -> str:
    lines = ["```mermaid", "erDiagram"]
    for spec in RESOURCE_TABLES.values():
        lines += [f'    {spec.name} ||--o{{ {item.name} : "{item.parent_column}"' for item in spec.lists]
        if spec.versions is not None:
            lines.append(f'    {spec.name} ||--o{{ {spec.versions.name} : "id"')
        if any(column.name == "warehouse_id" for column in spec.columns):
            lines.append(f'    warehouses ||--o{{ {spec.name} : "warehouse_id"')
    lines += [_render_entity(spec) for spec in RESOURCE_TABLES.values()]
    return "\n".join([*lines, "```", ""])


def _render_entity(spec: TableSpec) -> str:
    fields = [f"        {column.type} {column.name}{' PK' * (column.name == 'id')}" for column in spec.columns]
    return "\n".join([f"    {spec.name} {{", *fields, "    }"])


if __name__ == "__main__":
    print(render_tables(), end="")
