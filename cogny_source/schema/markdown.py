"""The data dictionary as Markdown, with an entity diagram."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import get_args

from cogny_source.schema import REPORT_CONTENTS, REPORTS, RESOURCE_TABLES, SYNC_RUNS, ChildSpec, ColumnType, TableSpec

# Storage format to the name that it gives each column type.
ColumnTypes = Mapping[str, Mapping[ColumnType, str]]

HEAD = """# Tables

Generated from `cogny_source/schema/tables.py` by `make docs`. The tables are the same on every destination. Every
timestamp is UTC with time zone, to the microsecond. A destination without a type for JSON holds it as text. dlt keeps
its own tables beside them: `_dlt_loads`, `_dlt_version`, `_dlt_pipeline_state`.
"""


def render_tables(types: ColumnTypes) -> str:
    """The page as Markdown.

    Args:
        types: Storage format to the name that it gives each column type.
    """
    parts = [HEAD, _render_types(types), _render_diagram()]
    for spec in (*RESOURCE_TABLES.values(), SYNC_RUNS):
        tables: list[TableSpec | ChildSpec] = [spec, *spec.child_tables]
        if spec.versions is not None:
            tables.append(spec.versions)
        parts.extend(map(_render_table, tables))
    return "\n".join(parts)


def _render_types(types: ColumnTypes) -> str:
    lines = [f"| type | {' | '.join(types)} |", "|---" * (len(types) + 1) + "|"]
    lines += [f"| {name} | {' | '.join(names[name] for names in types.values())} |" for name in get_args(ColumnType)]
    return "\n".join([*lines, ""])


def _render_table(spec: TableSpec | ChildSpec) -> str:
    lines = [f"## {spec.name}", "", spec.description, "", "| column | type | what it holds |", "|---|---|---|"]
    for column in spec.columns:
        label = f"**{column.name}**" if column.name in spec.primary_key else column.name
        lines.append(f"| {label} | {column.type} | {column.description} |")
    return "\n".join([*lines, ""])


def _render_diagram() -> str:
    lines = ["```mermaid", "erDiagram"]
    for spec in RESOURCE_TABLES.values():
        lines += _render_children(spec)
        if spec.versions is not None:
            lines.append(f'    {spec.name} ||--o{{ {spec.versions.name} : "{spec.key}"')
        if any(column.name == "warehouse_id" for column in spec.columns):
            lines.append(f'    warehouses ||--o{{ {spec.name} : "warehouse_id"')
    lines.append(f'    {REPORTS.name} ||--o| {REPORT_CONTENTS.name} : "{REPORT_CONTENTS.key}"')
    lines += [_render_entity(spec) for spec in RESOURCE_TABLES.values()]
    return "\n".join([*lines, "```", ""])


def _render_children(parent: TableSpec | ChildSpec) -> Iterator[str]:
    for child in parent.children:
        yield f'    {parent.name} ||--o{{ {child.name} : "{", ".join(child.parent_key)}"'
        yield from _render_children(child)


def _render_entity(spec: TableSpec) -> str:
    keys = spec.primary_key
    fields = [f"        {column.type} {column.name}{' PK' * (column.name in keys)}" for column in spec.columns]
    return "\n".join([f"    {spec.name} {{", *fields, "    }"])
