"""`cogny runs`: the last runs of a dataset, and each resource's figures in one of them."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

import click

from cogny_source.cli.exits import report_failure
from cogny_source.cli.help import GroupedCommand
from cogny_source.cli.options import MakeTarget, any_destination, verbose_option
from cogny_source.cli.process import prepare_process
from cogny_source.cli.streams import dump_for, writing_out
from cogny_source.errors import ConfigError

if TYPE_CHECKING:
    from cogny_source.destinations.target import Target
    from cogny_source.monitoring.run_list import RunTotal

# As of the other commands, the last run of a dataset that is synced each hour for a day.
DEFAULT_MOST = 20
SHORT_ID = 8


class RunId(click.ParamType[str]):
    """The beginning of a run's id."""

    name = "run_id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuse what no id begins with."""
        if not re.fullmatch(r"[0-9a-fA-F-]{1,36}", str(value)):
            self.fail(f"{value!r} begins no id of a run; cogny runs lists them", param, ctx)
        return str(value).lower()


@click.command("runs", cls=GroupedCommand, short_help="List the last runs, or show one of them.")
@any_destination
@click.option("--run", "run_id", type=RunId(), help="Show the run whose id begins so, each resource with all figures.")
@click.option("--limit", type=click.IntRange(min=1), default=DEFAULT_MOST, show_default=True, help="The most runs.")
@click.option("--failed", is_flag=True, help="Only runs that were not done.")
@click.option("--format", "output", type=click.Choice(["table", "json"]), default="table", show_default=True)
@verbose_option
def runs(make_target: MakeTarget, run_id: str | None, limit: int, failed: bool, output: str, verbose: bool) -> None:
    """List the last runs, newest first: when, how long, how they ended, rows and requests.

    Needs no key, and works while a sync runs.

    \b
    Examples:
      cogny runs --database growth.duckdb
      cogny runs --failed --limit 5 --database growth.duckdb
      cogny runs --run 616ec81e --database growth.duckdb
    """

    def run() -> None:
        from cogny_source.cli.logs import configure_logging

        with prepare_process():
            configure_logging("text", quiet=True)
            found = _read(make_target(), limit, failed, run_id or "")
            with writing_out():
                _print(found, output, whole=run_id is not None)

    sys.exit(report_failure(run, verbose=verbose))


def _read(target: Target, limit: int, failed: bool, run_id: str) -> list[RunTotal]:
    from cogny_source.cli.session import look_at
    from cogny_source.engine.working_dir import restore_state
    from cogny_source.monitoring.run_list import read_runs

    if not target.is_there():
        raise ConfigError(f"{target.identity}: nothing was synced there yet")
    with look_at(target) as look:
        restore_state(look.destination)
        with look.destination.connect():
            found = read_runs(
                look.destination, look.journal, running=look.running, most=limit, failed=failed, run_id=run_id
            )
    if run_id and len(found) != 1:
        what = "no run's id begins" if not found else "the ids of several runs begin"
        raise ConfigError(f"{what} with {run_id}; cogny runs --format json lists them whole")
    return found


def _print(found: list[RunTotal], output: str, *, whole: bool) -> None:
    if output == "json":
        told = [run.as_dict() for run in found]
        click.echo(dump_for(sys.stdout, told[0] if whole else told))
    elif whole:
        _print_resources(found[0])
    else:
        _print_list(found)


def _print_list(found: list[RunTotal]) -> None:
    """A row a run, and below them what went wrong."""
    from cogny_source.cli.console import PlainConsole
    from cogny_source.cli.display import print_rows
    from cogny_source.formatting import second, span
    from cogny_source.plain_text import safe_text

    console = PlainConsole()
    rows = [
        (
            run.run_id[:SHORT_ID],
            second(run.started_at),
            "-" if run.seconds is None else span(run.seconds, blank=" "),
            run.status,
            int(run.total("rows")),
            int(run.total("requests")),
        )
        for run in found
    ]
    print_rows(console, ["run", "started", "took", "status", "rows", "requests"], rows)
    for run in found:
        for error in run.errors:
            console.print(f"{run.run_id[:SHORT_ID]}: {safe_text(error)}", markup=False, highlight=False, soft_wrap=True)


def _print_resources(run: RunTotal) -> None:
    from cogny_source.cli.tables import print_object

    for record in run.records:
        told = {name: value for name, value in run.describe(record).items() if value is not None}
        print_object({"run_id": run.run_id, **told}, "table")
        click.echo()
