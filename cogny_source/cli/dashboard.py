"""`cogny dashboard`: the state of sync and tickets as one page."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cogny_source.cli.exits import report_failure
from cogny_source.cli.help import GroupedCommand
from cogny_source.cli.options import MakeTarget, any_destination, max_age_option, verbose_option
from cogny_source.cli.process import prepare_process
from cogny_source.cli.streams import say, writing_out
from cogny_source.errors import ConfigError
from cogny_source.file_output import STDOUT

if TYPE_CHECKING:
    from cogny_source.destinations.target import Target


@click.command("dashboard", cls=GroupedCommand, short_help="Write a page about the sync and the tickets.")
@any_destination
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default="report.html",
    show_default=True,
    help="The file to write; one that is there is replaced. A - writes to standard output.",
)
@max_age_option
@verbose_option
def dashboard(make_target: MakeTarget, out: Path, max_age: float | None, verbose: bool) -> None:
    """Write one HTML file with the state of sync and tickets; it works without network.

    \b
    Examples:
      cogny dashboard --database growth.duckdb --out report.html
      cogny dashboard parquet --bucket-url s3://growth/cogny --out /var/www/growth.html
    """

    def run() -> None:
        with prepare_process():
            _write(make_target(), out, max_age)

    sys.exit(report_failure(run, verbose=verbose))


def _make_old_name() -> click.Command:
    """`cogny report`, as the command was called before there was `cogny reports`."""

    def run(**values: object) -> None:
        click.echo("cogny report is called cogny dashboard now; the old name will go.", err=True)
        assert dashboard.callback is not None
        dashboard.callback(**values)

    return GroupedCommand("report", callback=run, params=dashboard.params, help=dashboard.help, hidden=True)


report = _make_old_name()


def _write(target: Target, out: Path, max_age: float | None) -> None:
    from cogny_source.cli.logs import configure_logging
    from cogny_source.cli.session import look_at
    from cogny_source.dashboard import render_report, write_report
    from cogny_source.monitoring.health import Thresholds

    configure_logging("text", quiet=True)
    if not target.is_there():
        raise ConfigError(f"{target.identity}: nothing was synced there yet")
    now, thresholds = datetime.now(UTC), Thresholds(max_age)
    with look_at(target) as look:
        if out == STDOUT:
            text = render_report(look.destination, now, look.journal, running=look.running, thresholds=thresholds)
            with writing_out():
                click.echo(text, nl=False)
            return
        write_report(look.destination, out, now, look.journal, running=look.running, thresholds=thresholds)
    say(f"{out} is written.")
