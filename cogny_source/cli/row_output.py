"""The rows of a query on standard output: as a table, CSV or JSON."""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from cogny_source.plain_text import safe_text

# Into a file or a pipe nothing is cut.
PIPED_WIDTH = 10_000
Row = tuple[Any, ...]


def as_objects(names: Sequence[str], rows: Sequence[Row]) -> list[Mapping[str, Any]]:
    """Rows as JSON objects; values that JSON does not know are texts."""
    return [dict(zip(names, map(_plain, row), strict=True)) for row in rows]


def print_csv(names: Sequence[str], rows: Sequence[Row]) -> None:
    """Print rows as CSV with a header."""
    csv.writer(sys.stdout, lineterminator="\n").writerows([names, *rows])


def print_table(names: Sequence[str], rows: Sequence[Row]) -> None:
    """Print rows as a table, and their number."""
    from cogny_source.cli.console import PlainConsole
    from cogny_source.cli.display import print_rows

    console = PlainConsole()
    print_rows(console if console.is_terminal else PlainConsole(width=PIPED_WIDTH), names, rows)


def _plain(value: Any) -> Any:
    """A value that JSON knows, else as text."""
    return value if value is None or isinstance(value, bool | int | float | str) else safe_text(value)
