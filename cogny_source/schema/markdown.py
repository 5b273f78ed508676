"""The data dictionary as Markdown, with an entity diagram."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import get_args

from cogny_source.schema import RESOURCE_TABLES, SYNC_RUNS, Column, ColumnType, ListSpec, TableSpec

# By storage format, the type that a reader finds for each type of column.
ColumnTypes = Mapping[str, Mapping[ColumnType, str]]

HEAD = """# Tables

Generated from `cogny_source/schema/tables.py` by `make docs`. The tables are the same on every destination. Every
instant is UTC with time zone, to the microsecond. Where a destination has no type for JSON, its text stands there. dlt
keeps its own tables beside them: `_dlt_loads`, `_dlt_version`, `_dlt_pipeline_state`.
"""


def render_tables(types: ColumnTypes) -> str:
    """The whole page.

    Args:
        types: The types that a reader finds.
    """
    parts = [HEAD, _render_types(types), _render_diagram()]
    for spec in (*RESOURCE_TABLES.values(), SYNC_RUNS):
        parts.append(_render_table(spec.name, spec.description, spec.columns, spec.primary_key))
        parts.extend(_render_list(item) for item in spec.lists)
        if spec.versions is not None:
            versions = spec.versions
            parts.append(_render_table(versions.name, versions.description, versions.columns, versions.primary_key))
    return "\n".join(parts)


def _render_types(types: ColumnTypes) -> str:
    lines = [f"| type | {' | '.join(types)} |", "|---" * (len(types) + 1) + "|"]
    lines += [f"| {name} | {' | '.join(found[name] for found in types.values())} |" for name in get_args(ColumnType)]
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
