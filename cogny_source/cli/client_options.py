"""What the commands of the client share: its options, how they run, and how they ask before a change."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

import click

from cogny_source.cli.exits import EXIT_FAILED, report_failure
from cogny_source.errors import ConfigError, OutcomeUnknown

if TYPE_CHECKING:
    from cogny_source.client import Cogny

EPILOG = """\b
The key is COGNY_API_KEY or SOURCES__COGNY__API_KEY, or stands in .dlt/secrets.toml.
Exit codes: 0 done; 1 it failed; 2 usage, settings or key; 130 or 143 stopped by a signal."""
Command = Callable[..., Any]

format_option = click.option(
    "--format",
    "output",
    type=click.Choice(["table", "json"]),
    help="A table, or a JSON object a line. Default: a table on a terminal, else JSON.",
)
verbose_option = click.option("--verbose", is_flag=True, help="End a failure with its traceback.")
limit_option = click.option("--limit", type=click.IntRange(min=1), help="End after so many rows.")
timeout_option = click.option(
    "--timeout", type=click.FloatRange(min=0, min_open=True), default=600.0, show_default=True, help="Seconds to wait."
)


def execute(act: Callable[[Cogny], int | None], *, verbose: bool) -> NoReturn:
    """Do something with a client, and end the process with its exit code.

    Args:
        act: Returns the exit code; None for 0.
        verbose: Whether to print the traceback of a failure.
    """

    def run() -> int | None:
        from cogny_source.cli.logs import configure_logging
        from cogny_source.client import Cogny

        configure_logging("text", quiet=True)
        with Cogny() as client:
            try:
                return act(client)
            except OutcomeUnknown as error:
                if error.token is not None:
                    click.echo(f"Add --token {error.token} to the same command to look for it again.", err=True)
                raise
            except click.Abort:
                click.echo("Nothing was changed.", err=True)
                return EXIT_FAILED

    sys.exit(report_failure(run, verbose=verbose))


def confirm(question: str, *, yes: bool) -> None:
    """Ask before a change of several rows.

    Args:
        question: What is about to happen.
        yes: Whether the command line says yes already.

    Raises:
        ConfigError: If there is nobody to ask.
        click.Abort: If the answer is no.
    """
    if yes:
        return
    if not is_answered():
        raise ConfigError(f"{question} Add --yes where nobody can answer.")
    if not click.confirm(question, err=True):
        raise click.Abort


def is_answered() -> bool:
    """Whether somebody can answer a question."""
    return sys.stdin.isatty()
