"""`cogny open`: a prompt for queries, which holds the dataset only while one runs."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click

from cogny_source.cli.exits import report_failure
from cogny_source.cli.help import GroupedCommand
from cogny_source.cli.options import MakeTarget, any_destination, verbose_option
from cogny_source.cli.process import prepare_process
from cogny_source.cli.query import ask, print_answer, strip_quoted
from cogny_source.cli.streams import say, writing_out
from cogny_source.errors import ConfigError, LoadFailed

if TYPE_CHECKING:
    from cogny_source.destinations.target import Target

PROMPT = "cogny> "
LIST_TABLES, QUIT = ".tables", (".quit", ".exit")


@click.command("open", cls=GroupedCommand, short_help="Open a dataset to ask it in SQL, one query after the other.")
@any_destination
@verbose_option
def open_prompt(make_target: MakeTarget, verbose: bool) -> None:
    """Ask a dataset in SQL at a prompt. It is opened for each query alone, so that a sync can load between them.

    End a query with a semicolon. .tables lists the tables, .quit or Ctrl-D ends.

    \b
    Examples:
      cogny open --database growth.duckdb
      cogny open parquet --bucket-url s3://growth/cogny
    """

    def run() -> None:
        from cogny_source.cli.logs import configure_logging

        with prepare_process():
            configure_logging("text", quiet=True)
            target = make_target()
            if not target.is_there():
                raise ConfigError(f"{target.identity}: nothing was synced there yet")
            if not sys.stdin.isatty():
                for statement in read_statements(sys.stdin):
                    _answer(target, statement)
                return
            say(f"{target.identity}, to be read. End a query with ;  .tables lists the tables, .quit ends.")
            for statement in read_statements(_read_lines()):
                try:
                    _answer(target, statement)
                except (ConfigError, LoadFailed) as error:
                    click.echo(f"Error: {error}", err=True)

    sys.exit(report_failure(run, verbose=verbose))


def read_statements(lines: Iterable[str]) -> Iterator[str]:
    """The statements in lines, each up to its semicolon, and the commands that begin with a dot, up to `.quit`."""
    text = ""
    for line in lines:
        if not text.strip() and line.strip().startswith("."):
            if line.strip() in QUIT:
                return
            yield line.strip()
            continue
        text += f"{line}\n"
        if strip_quoted(text).rstrip().endswith(";"):
            yield text.strip()
            text = ""
    if text.strip():
        yield text.strip()


def _read_lines() -> Iterator[str]:
    """The lines that a person types, up to Ctrl-D; the arrow keys bring back earlier ones."""
    import readline  # noqa: F401 - input() uses it once it is imported

    while True:
        try:
            yield input(PROMPT)
        except EOFError:
            click.echo()
            return


def _answer(target: Target, statement: str) -> None:
    """Print what a statement gives.

    Raises:
        ConfigError: If it does not only read, or fails.
        LoadFailed: If the destination does not answer.
    """
    names, rows = _list_tables(target) if statement == LIST_TABLES else ask(target, statement)
    with writing_out():
        print_answer(names, rows, "table")


def _list_tables(target: Target) -> tuple[list[str], list[tuple[Any, ...]]]:
    from cogny_source.cli.session import look_at
    from cogny_source.engine.working_dir import restore_state

    with look_at(target) as look:
        restore_state(look.destination)
        tables = look.destination.pipeline.default_schema.data_tables()
        return ["table", "columns"], [(table["name"], len(table["columns"])) for table in tables]
