"""What a table lacks of what loads have brought, in words."""

from __future__ import annotations

from collections.abc import Collection


def describe_loss(table: str, columns: Collection[str], there: Collection[str] | None) -> str | None:
    """What a table lacks, as a sentence; None where it lacks nothing.

    Args:
        table: Its name.
        columns: The columns that loads have brought.
        there: The columns that it has now; None where it is gone.
    """
    if there is None:
        return f"the table {table} is gone from the destination"
    missing = [column for column in columns if column not in there]
    return f"the table {table} has lost its column {', '.join(missing)}" if missing else None
