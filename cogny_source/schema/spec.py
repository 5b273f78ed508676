"""What describes a table: columns with their types, lists that become child tables, keys."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

ColumnType = Literal["text", "double", "bigint", "bool", "json", "timestamp"]


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        name: Its name in the destination.
        type: Its type, in dlt's words.
        description: What it holds.
        path: Where its value stands in a row of the API; empty for a column that the connector fills.
        nullable: False for keys.
    """

    name: str
    type: ColumnType
    description: str
    path: tuple[str, ...] = ()
    nullable: bool = True


@dataclass(frozen=True)
class ListSpec:
    """A list of texts inside a row of the API, which becomes a child table: one row an element.

    Attributes:
        name: The child table's name in the destination.
        description: What one row is.
        parent_column: The column that holds the parent's key.
        path: Where the list stands in the parent's row.
    """

    name: str
    description: str
    parent_column: str
    path: tuple[str, ...]

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of every child table."""
        return (
            Column(self.parent_column, "text", "Key of the parent row.", nullable=False),
            Column("position", "bigint", "Place in the list, from 0."),
            Column("value", "text", "The element; null for null, and for what is no text (`extra` then has the list)."),
            Column(TOMBSTONE, "bool", "Always null here: it marks, on its way in, a list that became empty."),
            LOAD_ID,
        )


@dataclass(frozen=True)
class TableSpec:
    """One table.

    Attributes:
        name: Its name in the destination.
        description: What one row is.
        columns: Its columns, in order.
        primary_key: The columns that name a row.
        lists: The child tables filled from its rows.
        history: The columns whose past values are kept in a table of versions; none where there is no such table.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ("id",)
    lists: tuple[ListSpec, ...] = ()
    history: tuple[str, ...] = ()

    @property
    def versions(self) -> TableSpec | None:
        """The table of versions, one row for each `updated_at` that a sync has seen of a row."""
        if not self.history:
            return None
        columns = {column.name: column for column in self.columns}
        return TableSpec(
            f"{self.name}_history",
            f"One version of a row of `{self.name}` that a sync has seen.",
            (
                columns["id"],
                replace(columns["updated_at"], description="When this version began.", nullable=False),
                *(columns[name] for name in self.history),
                LOAD_ID,
            ),
            primary_key=("id", "updated_at"),
        )


TOMBSTONE = "_dlt_deleted"
LOAD_ID = Column("_dlt_load_id", "text", "The load package that wrote this version of the row; see `_dlt_loads`.")
