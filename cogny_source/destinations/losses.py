"""Describes a lost table, or the lost columns of a table."""

from __future__ import annotations

from collections.abc import Collection


def describe_loss(table: str, columns: Collection[str], present: Collection[str] | None) -> str | None:
    """A sentence about what a table has lost; None if nothing is lost.

    Args:
        table: Its name.
        columns: The columns that loads have filled.
        present: The columns that it has now; None if it does not exist.
    """
    if present is None:
        return f"the table {table} is gone from the destination"
    missing = [column for column in columns if column not in present]
    return f"the table {table} has lost its column {', '.join(missing)}" if missing else None
