"""`cogny query`: ask a dataset, whatever its destination."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

import click

from cogny_source.cli.exits import report_failure
from cogny_source.cli.help import GroupedCommand
from cogny_source.cli.options import MakeTarget, any_destination, verbose_option
from cogny_source.cli.process import prepare_process
from cogny_source.cli.row_output import as_objects, print_csv, print_table
from cogny_source.cli.streams import dump_for, writing_out
from cogny_source.errors import ConfigError

if TYPE_CHECKING:
    from cogny_source.destinations.target import Target

# What only reads; BigQuery and buckets are not opened read-only.
READING = re.compile(r"\s*\(*\s*(select|with|from|values|describe|show|summarize|explain)\b[^;]*;?\s*", re.IGNORECASE)
# Texts, quoted names and comments, in which a semicolon ends nothing.
QUOTED = re.compile(r"""'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|--[^\n]*|/\*.*?\*/""", re.DOTALL)


@click.command("query", cls=GroupedCommand, short_help="Ask a dataset in SQL, and change nothing.")
@click.argument("sql")
@any_destination
@click.option("--format", "output", type=click.Choice(["table", "csv", "json"]), default="table", show_default=True)
@verbose_option
def query(sql: str, make_target: MakeTarget, output: str, verbose: bool) -> None:
    """Run a query on a dataset, which is opened to be read alone, and print its rows.

    Tables need no schema before their name. SQL is the destination's; DuckDB's for files.

    \b
    Examples:
      cogny query "SELECT status, count(*) FROM tickets GROUP BY status" --database growth.duckdb
      cogny query "SELECT * FROM sync_runs" parquet --bucket-url exports --format csv > runs.csv
    """

    def run() -> None:
        from cogny_source.cli.logs import configure_logging

        with prepare_process():
            configure_logging("text", quiet=True)
            names, rows = ask(make_target(), sql)
            with writing_out():
                print_answer(names, rows, output)

    sys.exit(report_failure(run, verbose=verbose))


def ask(target: Target, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """The columns' names and the rows of one statement that reads; the dataset is held for that long alone.

    Raises:
        ConfigError: If the statement does not only read, fails, or nothing was synced there.
        LoadFailed: If the destination does not answer.
    """
    from cogny_source.cli.session import look_at
    from cogny_source.engine.working_dir import restore_state

    if not is_reading(sql):
        raise ConfigError("cogny query only reads: write one statement that begins with SELECT, WITH or FROM")
    if not target.is_there():
        raise ConfigError(f"{target.identity}: nothing was synced there yet")
    with look_at(target) as look:
        restore_state(look.destination)  # files become tables by the schema that lies beside them
        return look.destination.read_named(sql)


def is_reading(sql: str) -> bool:
    """Whether a text is one statement that only reads."""
    return READING.fullmatch(strip_quoted(sql)) is not None


def strip_quoted(sql: str) -> str:
    """A statement with a blank in place of each text, quoted name and comment."""
    return QUOTED.sub(" ", sql)


def print_answer(names: list[str], rows: list[tuple[Any, ...]], output: str) -> None:
    """Print the rows of a query as `table`, `csv` or `json`."""
    if output == "json":
        click.echo(dump_for(sys.stdout, as_objects(names, rows)))
    elif output == "csv":
        print_csv(names, rows)
    else:
        print_table(names, rows)
