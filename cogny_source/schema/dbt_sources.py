"""The data dictionary as the sources of a dbt package."""

from __future__ import annotations

import json
from collections.abc import Iterator

from cogny_source.schema import SYNC_RUNS, ChildSpec, TableSpec
from cogny_source.schema.dbml import list_tables

HEAD = """\
# Generated from `cogny_source/schema/tables.py` by `make docs`.
version: 2

sources:
  - name: cogny
    description: The tables that the connector loads.
    database: "{{ var('cogny_database', none) or target.database }}"
    schema: "{{ var('cogny_schema') }}"
    tables:
"""
# The record of runs tells when the tables were brought up to date; `dbt source freshness` goes by it.
FRESHNESS = """\
        config:
          loaded_at_field: finished_at
          freshness:
            warn_after: {count: 24, period: hour}
            error_after: {count: 72, period: hour}
            filter: status = 'done'
"""


def render_sources() -> str:
    """All tables and columns as YAML, with types as `data_type` and the age from which on they are late."""
    return HEAD + "".join(line for table in list_tables() for line in _render_table(table))


def _render_table(table: TableSpec | ChildSpec) -> Iterator[str]:
    yield f"      - name: {table.name}\n        description: {_quote(table.description)}\n"
    if table is SYNC_RUNS:
        yield FRESHNESS
    yield "        columns:\n"
    for column in table.columns:
        description = _quote(column.description)
        yield f"          - {{name: {column.name}, data_type: {column.type}, description: {description}}}\n"


def _quote(text: str) -> str:
    """A text as a YAML scalar; a JSON string is one."""
    return json.dumps(text, ensure_ascii=False)
