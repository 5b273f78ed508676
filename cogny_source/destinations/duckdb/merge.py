"""Merges rows into a DuckDB table by key: a DELETE and an INSERT in one transaction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def merge_rows(execute: Callable[[str], Any], table: str, rows: str, keys: str, kept: str = "") -> None:
    """Replace the rows of a table that have the keys of other rows by those rows.

    Args:
        execute: Runs a statement in a transaction.
        table: The table's name, quoted.
        rows: The FROM expression of the new rows.
        keys: The key columns, quoted and separated by commas.
        kept: A WHERE clause for the new rows to insert; empty for all.
    """
    execute(f"DELETE FROM {table} WHERE ({keys}) IN (SELECT ({keys}) FROM {rows})")
    execute(f"INSERT INTO {table} BY NAME SELECT * FROM {rows}{kept}")
