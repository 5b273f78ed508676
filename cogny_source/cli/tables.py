"""Rows of the API for people and for programs: a table on a terminal, a JSON object a line elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from cogny_source.cli.streams import writing_out
from cogny_source.formatting import excerpt, second
from cogny_source.plain_text import dump_safe_json, safe_text

if TYPE_CHECKING:
    from cogny_source.client.models import Model

# So many rows are held to find the widths of a table's columns.
TABLE_ROWS = 1000
LONGEST_CELL = 60
LONGEST_TEXT = 10_000
NOTHING = "-"
Column = tuple[str, Callable[[Any], object]]


def print_rows(rows: Iterable[Model], columns: Sequence[Column], output: str | None, limit: int | None) -> None:
    """Print rows as they come.

    Args:
        rows: The rows.
        columns: Heading and value of each column.
        output: `table` or `json`; None for what fits the stream.
        limit: The most rows; None for all.
    """
    chosen = islice(rows, limit)
    with writing_out():
        if is_json(output):
            for row in chosen:
                print_json(row.raw)
            return
        while page := list(islice(chosen, TABLE_ROWS)):
            _print_table(
                [heading for heading, _ in columns], [[show(read(row)) for _, read in columns] for row in page]
            )


def print_object(data: Mapping[str, Any], output: str | None) -> None:
    """Print one object: a member a line, or as JSON."""
    with writing_out():
        if is_json(output):
            print_json(data)
            return
        for name, value in _flatten(data):
            click.echo(f"{safe_text(name):<31} {show(value, LONGEST_TEXT)}")


def print_json(data: object) -> None:
    """Print a JSON value on one line, at once."""
    is_unicode = str(sys.stdout.encoding).lower().startswith("utf")
    click.echo(dump_safe_json(data, ascii_only=not is_unicode))
    sys.stdout.flush()


def show(value: object, longest: int = LONGEST_CELL) -> str:
    """A value on one line."""
    if value is None or value == "":
        return NOTHING
    if isinstance(value, datetime):
        return second(value)
    if isinstance(value, float):
        return f"{value:,.4g}"
    return excerpt(value if isinstance(value, str) else dump_safe_json(value), longest)


def is_json(output: str | None) -> bool:
    """Whether JSON is wanted: where it is asked for, and on a stream that is no terminal."""
    return output == "json" or (output is None and not sys.stdout.isatty())


def _flatten(data: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in data.items():
        if isinstance(value, Mapping) and value:
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from cogny_source.cli.console import PlainConsole
    from cogny_source.plain_text import safe_text

    table = Table(box=SIMPLE_HEAD)
    for heading in headings:
        table.add_column(heading, no_wrap=heading == "id", overflow="fold")
    for row in rows:
        table.add_row(*(Text(safe_text(cell)) for cell in row))
    PlainConsole().print(table)
