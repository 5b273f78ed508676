"""Rows put into a table of DuckDB in place of those that have the same keys: two statements of one transaction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def merge_rows(execute: Callable[[str], Any], table: str, rows: str, keys: str, kept: str = "") -> None:
    """Put rows into a table in place of those that have the same keys.

    Args:
        execute: Runs a statement, within a transaction.
        table: The table's name, quoted.
        rows: What stands after FROM for the rows.
        keys: The columns that are compared, quoted, with commas between.
        kept: The condition for the rows that are put in, with its WHERE; all are where there is none.
    """
    execute(f"DELETE FROM {table} WHERE ({keys}) IN (SELECT ({keys}) FROM {rows})")
    execute(f"INSERT INTO {table} BY NAME SELECT * FROM {rows}{kept}")
