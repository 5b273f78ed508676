"""The layout of each table in a folder: its key, its sort order, and the month of a row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from cogny_source.records.columns import ARROW_TYPES
from cogny_source.schema import RESOURCE_TABLES, SYNC_RUNS, Column, TableSpec


@dataclass(frozen=True)
class TableLayout:
    """The layout of one table.

    Attributes:
        name: The table's name.
        description: What one row is.
        columns: Its columns, in order.
        key: The columns whose values select the rows to replace: the key, or the parent's key for a child table.
        order: The columns by which its rows are sorted.
        parent: The table of the parent rows; None if it has none.
        parent_column: The column that holds the parent's key.
        parent_key: The key column of the parent.
        parent_dated_by: The column that decides the month of the parent's rows.
        dated_by: The column that decides a row's month; empty if its parent's decides.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    order: tuple[str, ...]
    parent: str | None = None
    parent_column: str = ""
    parent_key: str = ""
    parent_dated_by: str = ""
    dated_by: str = ""

    @property
    def is_list(self) -> bool:
        """Whether it is a child table, whose rows are the elements of a list."""
        return self.key == (self.parent_column,)

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema of its files, with descriptions of table and columns as metadata."""
        fields = [
            pa.field(c.name, ARROW_TYPES[c.type], nullable=c.nullable, metadata={"description": c.description})
            for c in self.columns
        ]
        return pa.schema(fields, metadata={"description": self.description})

    def widen(self, present: pa.Schema) -> pa.Schema:
        """Its schema, followed by the additional columns of another schema."""
        more = [field for field in present if field.name not in self.schema.names]
        return pa.schema([*self.schema, *more], self.schema.metadata)


def list_layouts() -> dict[str, TableLayout]:
    """The layouts of all tables by name, each after its parent."""
    layouts = [layout for spec in RESOURCE_TABLES.values() for layout in _layouts_of(spec)]
    layouts.append(_make_layout(SYNC_RUNS))
    return {layout.name: layout for layout in layouts}


def _layouts_of(spec: TableSpec) -> Iterator[TableLayout]:
    yield _make_layout(spec)
    for child in spec.child_tables:
        yield TableLayout(
            child.name,
            child.description,
            child.columns,
            child.merge_key,
            child.primary_key,
            parent=spec.name,
            parent_column=child.root_key,
            parent_key=spec.key,
            parent_dated_by=spec.dated_by,
        )
    if spec.versions is not None:
        versions = spec.versions
        key = versions.primary_key
        yield TableLayout(
            versions.name,
            versions.description,
            versions.columns,
            key,
            key,
            parent=spec.name,
            parent_column=spec.key,
            parent_key=spec.key,
            parent_dated_by=spec.dated_by,
        )


def _make_layout(spec: TableSpec) -> TableLayout:
    order = (spec.dated_by, *spec.primary_key)
    return TableLayout(spec.name, spec.description, spec.columns, spec.primary_key, order, dated_by=spec.dated_by)
