"""`cogny report`: the state of the sync and of the tickets as one page."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cogny_source.cli.exits import report_failure
from cogny_source.cli.options import MakeTarget, any_destination, verbose_option
from cogny_source.cli.process import prepare_process
from cogny_source.cli.streams import say
from cogny_source.errors import ConfigError

if TYPE_CHECKING:
    from cogny_source.destinations.target import Target

WAIT_SECONDS = 60.0


@click.command("report")
@any_destination
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default="report.html",
    show_default=True,
    help="The file to write; one that is there is replaced.",
)
@verbose_option
def report(make_target: MakeTarget, out: Path, verbose: bool) -> None:
    """Write one HTML file with the state of the sync and of the tickets; it needs no network to be read.

    \b
    Examples:
      cogny report --database growth.duckdb --out report.html
      cogny report parquet --bucket-url s3://growth/cogny --out /var/www/growth.html
    """

    def run() -> None:
        with prepare_process():
            _write(make_target(), out)

    sys.exit(report_failure(run, verbose=verbose))


def _write(target: Target, out: Path) -> None:
    from cogny_source.cli.logs import configure_logging
    from cogny_source.cli.session import open_for_looking
    from cogny_source.dashboard import write_report
    from cogny_source.destinations.registry import open_session

    configure_logging("text", quiet=True)
    if not target.is_there():
        raise ConfigError("nothing was synced there yet")
    with open_for_looking(target) as pipeline:
        write_report(open_session(pipeline, WAIT_SECONDS), out, datetime.now(UTC))
    say(f"{out} is written.")
