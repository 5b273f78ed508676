"""The description of a table: columns with types, key, and the lists in its rows that become child tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

ColumnType = Literal["text", "double", "bigint", "bool", "json", "timestamp"]


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        name: Its name in the destination.
        type: Its dlt data type.
        description: What it holds.
        path: The path of its value in a row of the API; empty if the connector fills the column.
        nullable: False for keys.
    """

    name: str
    type: ColumnType
    description: str
    path: tuple[str, ...] = ()
    nullable: bool = True


TOMBSTONE = "_dlt_deleted"
LOAD_ID = Column("_dlt_load_id", "text", "The load package that wrote this version of the row; see `_dlt_loads`.")
DELETED_AT = Column("deleted_at", "timestamp", "When a census found that the API no longer lists the row; else null.")
EXTRA = Column("extra", "json", "Fields that no column declares and values that do not fit their column, verbatim.")
POSITION = Column("position", "bigint", "Place in the list, from 0.")
VALUE = Column("value", "text", "The element; null if it is null or not a text (`extra` then has the list).")


@dataclass(frozen=True)
class ChildSpec:
    """A list inside a row of the API. It becomes a child table with one row per element.

    All child rows of one row of the resource's table are replaced together, so that a list that became shorter leaves
    no old rows. If a row has no element at all, the load has a tombstone row in their place.

    Attributes:
        name: The child table's name in the destination.
        description: What one row is.
        parent_key: The columns that hold the key of the parent row: the key of the resource's row, and for a list
            inside a list the positions of the enclosing elements, the outermost first.
        path: The path of the list in the parent's object.
        fields: The columns filled from the members of an element; none if the elements are texts.
        children: The child tables filled from lists inside the elements.
    """

    name: str
    description: str
    parent_key: tuple[str, ...]
    path: tuple[str, ...]
    fields: tuple[Column, ...] = ()
    children: tuple[ChildSpec, ...] = ()

    @property
    def root_key(self) -> str:
        """The column that holds the key of the resource's row."""
        return self.parent_key[0]

    @property
    def primary_key(self) -> tuple[str, ...]:
        """The columns that identify a row."""
        return (*self.parent_key, POSITION.name)

    @property
    def merge_key(self) -> tuple[str, ...]:
        """The columns whose values select the rows that are replaced together."""
        return (self.root_key,)

    @property
    def holds_texts(self) -> bool:
        """Whether the elements are texts, not objects."""
        return not self.fields

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """Its columns, in order."""
        places = [Column(name, "bigint", "Place of the parent in its list, from 0.") for name in self.parent_key[1:]]
        return (
            Column(self.root_key, "text", "Key of the parent row.", nullable=False),
            *places,
            POSITION,
            *((VALUE,) if self.holds_texts else (*self.fields, EXTRA)),
            Column(TOMBSTONE, "bool", "Always null here; it marks an empty list during a load."),
            LOAD_ID,
        )

    @property
    def is_child(self) -> bool:
        """Whether its rows are elements of lists in the rows of another table."""
        return True


@dataclass(frozen=True)
class TableSpec:
    """One table.

    Attributes:
        name: Its name in the destination.
        description: What one row is.
        columns: Its columns, in order.
        primary_key: The columns that identify a row.
        children: The child tables filled from lists inside its rows.
        history: The columns of the history table; empty if the table has no history.
        dated_by: The column whose month decides in which file of a folder a row is; its value never changes.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ("id",)
    children: tuple[ChildSpec, ...] = ()
    history: tuple[str, ...] = ()
    dated_by: str = "created_at"

    @property
    def key(self) -> str:
        """The one column that identifies a row of a resource; the API assigns its value."""
        [name] = self.primary_key
        return name

    @cached_property
    def key_member(self) -> str:
        """The member of the API's row that holds the key."""
        [member] = next(column.path for column in self.columns if column.name == self.key)
        return member

    @property
    def merge_key(self) -> tuple[str, ...]:
        """The columns whose values select the rows that are replaced."""
        return self.primary_key

    @property
    def is_child(self) -> bool:
        """Whether its rows are elements of lists in the rows of another table."""
        return False

    @cached_property
    def marks_deletions(self) -> bool:
        """Whether its rows are marked when the API no longer lists them."""
        return DELETED_AT in self.columns

    @cached_property
    def child_tables(self) -> tuple[ChildSpec, ...]:
        """Its child tables at any depth, each before its own child tables."""
        return tuple(_walk(self.children))

    @cached_property
    def row_keys(self) -> dict[str, str]:
        """The name of each table that its rows fill, to the column of that table that holds the row's key."""
        keys = {self.name: self.key, **{child.name: child.root_key for child in self.child_tables}}
        return keys if self.versions is None else {**keys, self.versions.name: self.key}

    @cached_property
    def versions(self) -> TableSpec | None:
        """The history table: one row for each `updated_at` of a row that a sync has seen; None if it has no history."""
        if not self.history:
            return None
        columns = {column.name: column for column in self.columns}
        return TableSpec(
            f"{self.name}_history",
            f"One version of a row of `{self.name}` that a sync has seen.",
            (
                columns[self.key],
                replace(columns["updated_at"], description="When this version began.", nullable=False),
                *(columns[name] for name in self.history),
                LOAD_ID,
            ),
            primary_key=(self.key, "updated_at"),
        )


def _walk(children: Iterable[ChildSpec]) -> Iterator[ChildSpec]:
    for child in children:
        yield child
        yield from _walk(child.children)
