"""`cogny reset`: forget what was read of a resource."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from cogny_source.cli.exits import EXIT_FAILED, report_failure
from cogny_source.cli.help import GroupedCommand
from cogny_source.cli.options import MakeTarget, any_destination, verbose_option
from cogny_source.cli.process import prepare_process
from cogny_source.cli.streams import say, writing_out
from cogny_source.errors import ConfigError

if TYPE_CHECKING:
    from cogny_source.destinations.target import Target
    from cogny_source.engine.reset import Known

WAIT_SECONDS = 60.0
CONTENTS = "report_contents"
RESOURCES = ("tickets", "reports", "warehouses", CONTENTS)
PAGE_ROWS = 100


@click.command("reset", cls=GroupedCommand, short_help="Let the next sync read a resource again.")
@click.argument("resource", type=click.Choice(RESOURCES))
@any_destination
@click.option("--yes", is_flag=True, help="Do not ask.")
@verbose_option
def reset(resource: str, make_target: MakeTarget, yes: bool, verbose: bool) -> None:
    """Forget how far a resource was read, so that the next sync reads it all again.

    Its rows stay, and are replaced as they are read; what the API no longer lists is marked by a census afterwards.
    To begin with empty tables, sync into another dataset or database.

    \b
    Examples:
      cogny reset tickets --database growth.duckdb
      cogny reset reports bigquery --project growth-analytics-123 --yes
    """

    def run() -> int:
        with prepare_process():
            return _reset(make_target(), resource, yes)

    sys.exit(report_failure(run, verbose=verbose))


def _reset(target: Target, resource: str, yes: bool) -> int:
    from cogny_source.cli.logs import configure_logging
    from cogny_source.cli.session import open_for_loading
    from cogny_source.engine.reset import Reset

    configure_logging("text", quiet=True)
    if not target.is_there():
        raise ConfigError(f"{target.identity}: nothing was synced there yet")
    with open_for_loading(target) as pipeline, writing_out():
        click.echo(_announce(resource, Reset(pipeline, resource, WAIT_SECONDS).look()))
    # No lock is held while a person thinks.
    if not yes and not _is_wanted():
        say("Nothing was reset.")
        return EXIT_FAILED
    with open_for_loading(target) as pipeline:
        Reset(pipeline, resource, WAIT_SECONDS).forget()
    say(f"{resource} is reset: the next sync reads all of it.")
    return 0


def _is_wanted() -> bool:
    try:
        return click.confirm("Reset it?")
    except click.Abort:
        raise ConfigError("nobody answered; --yes resets without asking") from None


def _announce(resource: str, known: Known) -> str:
    """The effect of a reset, in words."""
    if known.contents is not None:
        return (
            f"{resource}: the {known.rows:,} rows stay; the next syncs fetch the contents of"
            f" {known.contents:,} reports again, a request each and at most contents_per_run in one sync, and replace"
            " the rows."
        )
    left = f", and the {known.backfill_windows} windows left of its first load" if known.backfill_windows else ""
    mark = f"the watermark {known.updated_after}" if known.updated_after else "the state"
    requests = -(-known.rows // PAGE_ROWS)
    since = f" from {known.start_date} on" if known.start_date else ""
    return (
        f"{resource}: {mark}{left} will be forgotten. The {known.rows:,} rows stay; the next sync reads all rows{since}"
        f" again, in about {requests:,} requests, and replaces them."
    )
