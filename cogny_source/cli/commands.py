"""The command `cogny`, and its commands that have no module of their own."""

from __future__ import annotations

import sys

import click

from cogny_source.cli.config import config
from cogny_source.cli.dashboard import dashboard, report
from cogny_source.cli.entry import EntryGroup
from cogny_source.cli.exits import report_failure
from cogny_source.cli.models import models
from cogny_source.cli.prompt import open_prompt
from cogny_source.cli.query import query
from cogny_source.cli.reports import reports
from cogny_source.cli.reset import reset
from cogny_source.cli.runs import runs
from cogny_source.cli.status import status
from cogny_source.cli.streams import dump_for, writing_out
from cogny_source.cli.sync import census, check, sync_group, verify
from cogny_source.cli.tickets import tickets
from cogny_source.cli.webhooks import warehouses, webhooks


@click.group(cls=EntryGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cogny-source", prog_name="cogny")
def main() -> None:
    """Bring growth tickets, reports and warehouses of the Cogny API into DuckDB, BigQuery or Parquet.

    \b
    A first look, without a key:
      cogny sync duckdb --sandbox
      cogny status
    With a key in COGNY_API_KEY:
      cogny check --database growth.duckdb
      cogny sync duckdb --database growth.duckdb
      cogny reports create --warehouse wh_123abc --prompt "Why did sign-ups fall?" --wait
    """


@main.command("schema")
@click.option("--format", "output", type=click.Choice(["markdown", "dbml", "json", "dbt"]), default="markdown")
def schema(output: str) -> None:
    """Print the tables and what each column holds.

    \b
    Examples:
      cogny schema > tables.md
      cogny schema --format dbml > cogny.dbml
      cogny schema --format dbt > sources.yml
    """

    def run() -> None:
        text = _render_schema(output)
        with writing_out():
            click.echo(text, nl=False)

    sys.exit(report_failure(run, verbose=False))


def _render_schema(output: str) -> str:
    if output == "json":
        from cogny_source.schema.dbml import describe_tables

        return dump_for(sys.stdout, describe_tables()) + "\n"
    if output == "dbml":
        from cogny_source.schema.dbml import render_dbml

        return render_dbml()
    if output == "dbt":
        from cogny_source.schema.dbt_sources import render_sources

        return render_sources()
    from cogny_source.destinations.registry import list_column_types
    from cogny_source.schema.markdown import render_tables

    return render_tables(list_column_types())


@main.command(
    "sandbox",
    context_settings={"ignore_unknown_options": True},
    add_help_option=False,
    short_help="Serve an API with made-up data on this machine.",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def sandbox(arguments: tuple[str, ...]) -> None:
    """Serve an API with made-up data on this machine, until Ctrl-C; --help lists its options."""

    def run() -> int:
        from cogny_source.sandbox.__main__ import main as serve

        return serve(arguments, prog="cogny sandbox")

    sys.exit(report_failure(run, verbose=False))


for command in (sync_group, check, config, status, runs, query, open_prompt, verify, census, reset, dashboard, report):
    main.add_command(command)
for group in (models, reports, tickets, warehouses, webhooks):
    main.add_command(group)
