"""`cogny status`: the status of a dataset, for people and monitors."""

from __future__ import annotations

import sys
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from cogny_source.cli.exits import EXIT_FAILED, report_failure
from cogny_source.cli.help import GroupedCommand
from cogny_source.cli.options import (
    MakeTarget,
    any_destination,
    judged_resources_option,
    max_age_option,
    split_names,
    verbose_option,
)
from cogny_source.cli.process import prepare_process
from cogny_source.cli.streams import OutputFailed, dump_for, writing_out

if TYPE_CHECKING:
    from cogny_source.destinations.target import Target
    from cogny_source.monitoring.status import DatasetStatus

FORMATS = ("text", "json", "prometheus")


@click.command("status", cls=GroupedCommand, short_help="Show how a dataset stands, for people and monitors.")
@any_destination
@click.option("--format", "output", type=click.Choice(FORMATS), default="text", show_default=True)
@max_age_option
@click.option(
    "--fail-on",
    type=click.Choice(["error", "warn"]),
    default="error",
    show_default=True,
    help="The level from which on the exit code is 1.",
)
@judged_resources_option
@verbose_option
def status(
    make_target: MakeTarget, output: str, max_age: float | None, fail_on: str, resources: str, verbose: bool
) -> None:
    """Show a dataset's health, and each resource's rows, watermark and age, last run and last error.

    The level is ok, warn (trust the data with care) or error (somebody must act). Exit 0 for ok and warn; 1 for error,
    and with --fail-on warn for warn too. Needs no key, and works while a sync runs.

    \b
    Examples:
      cogny status --database growth.duckdb
      cogny status --database growth.duckdb --format json --max-age 3h
      cogny status --database growth.duckdb --resources tickets --fail-on warn
      cogny status --database growth.duckdb --format prometheus > cogny.prom
    """
    named: list[Target] = []

    def run() -> int:
        from cogny_source.cli.logs import configure_logging
        from cogny_source.cli.session import read_dataset
        from cogny_source.monitoring.health import Level, Thresholds

        with prepare_process():
            configure_logging("text", quiet=True)
            target = make_target()
            named.append(target)
            told = read_dataset(target, datetime.now(UTC), split_names(resources), Thresholds(max_age))
            fails = told.health.fails(Level[fail_on.upper()])
            with writing_out():
                _print(target, told, output, fails)
            return EXIT_FAILED if fails else 0

    def tell(_: int, sentence: str) -> None:
        if output != "text":
            _print_failure(sentence, output, named)

    sys.exit(report_failure(run, verbose=verbose, on_failure=tell))


def _print(target: Target, told: DatasetStatus, output: str, fails: bool) -> None:
    if output == "json":
        _print_json({"destination": target.identity, "dataset": target.dataset, **told.as_dict(fails)})
    elif output == "prometheus":
        from cogny_source.monitoring.metrics import render_status

        click.echo(render_status(told, target.identity, target.dataset, fails=fails), nl=False)
    else:
        from cogny_source.cli.console import PlainConsole
        from cogny_source.cli.display import print_status

        print_status(PlainConsole(), told, target.identity)


def _print_failure(sentence: str, output: str, named: list[Target]) -> None:
    """The failure as JSON or as metrics; standard error has the sentence too."""
    from cogny_source.monitoring.health import Finding, Health, Kind, Level
    from cogny_source.monitoring.status import dump_health

    health = Health((Finding(Kind.NOT_READ, Level.ERROR, None, sentence.removeprefix("Error: ")),))
    with suppress(OutputFailed), writing_out():
        if output == "json":
            at = datetime.now(UTC).isoformat()
            _print_json({"at": at, **dump_health(health, fails=True), "running": None, "resources": []})
            return
        from cogny_source.monitoring.metrics import render_health

        identity, dataset = (named[0].identity, named[0].dataset) if named else ("", "")
        click.echo(render_health(health, identity, dataset), nl=False)


def _print_json(told: dict[str, Any]) -> None:
    click.echo(dump_for(sys.stdout, told))
