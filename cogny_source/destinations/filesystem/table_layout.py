"""How each table lies in a folder: its key, its order, and which month a row belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from cogny_source.records.columns import ARROW_TYPES
from cogny_source.schema import RESOURCE_TABLES, SYNC_RUNS, Column, TableSpec


@dataclass(frozen=True)
class TableLayout:
    """One table of a folder.

    Attributes:
        name: The table's name.
        description: What one row is.
        columns: Its columns, in order.
        key: The columns that are replaced together: the key, or, of a child table, the parent's key.
        order: The columns that its rows are sorted by.
        parent: The table whose rows these belong to; None where they stand alone.
        parent_column: The column that holds the parent's key.
        parent_key: The column of the parent that holds it.
        dated_by: The column that tells a row's month; empty where its parent's does.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    order: tuple[str, ...]
    parent: str | None = None
    parent_column: str = ""
    parent_key: str = ""
    dated_by: str = ""

    @property
    def is_list(self) -> bool:
        """Whether it is a child table: its rows are the elements of their parent's list."""
        return self.key == (self.parent_column,)

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema of its files, with the descriptions of table and columns as metadata."""
        fields = [
            pa.field(c.name, ARROW_TYPES[c.type], nullable=c.nullable, metadata={"description": c.description})
            for c in self.columns
        ]
        return pa.schema(fields, metadata={"description": self.description})

    def widen(self, there: pa.Schema) -> pa.Schema:
        """Its schema, and after it the columns of another that it does not know."""
        more = [field for field in there if field.name not in self.schema.names]
        return pa.schema([*self.schema, *more], self.schema.metadata)


def list_shapes() -> dict[str, TableLayout]:
    """The shapes of all tables by name, each after its parent."""
    found = [shape for spec in RESOURCE_TABLES.values() for shape in _shapes_of(spec)]
    found.append(_make_shape(SYNC_RUNS, "started_at"))
    return {shape.name: shape for shape in found}


def _shapes_of(spec: TableSpec) -> Iterator[TableLayout]:
    yield _make_shape(spec, "created_at")
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
        )


def _make_shape(spec: TableSpec, dated_by: str) -> TableLayout:
    order = (dated_by, *spec.primary_key)
    return TableLayout(spec.name, spec.description, spec.columns, spec.primary_key, order, dated_by=dated_by)
