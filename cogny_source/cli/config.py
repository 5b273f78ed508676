"""`cogny config`: the settings that a sync would use, and where each comes from."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from cogny_source.cli.exits import report_failure
from cogny_source.cli.help import DESTINATION
from cogny_source.cli.options import PLACE_OPTIONS, verbose_option
from cogny_source.cli.process import prepare_process
from cogny_source.cli.streams import dump_for, writing_out

if TYPE_CHECKING:
    from cogny_source.monitoring.effective_settings import EffectiveSetting

# The variables that commands read, each with what it stands for.
VARIABLES = {
    DESTINATION: "destination",
    **{f"COGNY_{name.upper()}": option.flag for name, option in PLACE_OPTIONS.items()},
}


@click.command("config", short_help="Show the settings, and where each comes from.")
@click.option("--format", "output", type=click.Choice(["table", "json"]), default="table", show_default=True)
@verbose_option
def config(output: str, verbose: bool) -> None:
    """Show each setting that a sync would use: its value, and the variable or file that it comes from.

    Secrets are hidden. What looks like a setting and is none is told. Exit 2 if a sync would refuse the settings.

    \b
    Examples:
      cogny config
      cogny config --format json
    """

    def run() -> None:
        with prepare_process():
            from cogny_source.dlt_settings import resolve_settings
            from cogny_source.monitoring.effective_settings import list_settings, list_unknown

            settings, unknown = list_settings(VARIABLES), list_unknown()
            with writing_out():
                _print(settings, unknown, output)
            resolve_settings()  # what a sync would refuse

    sys.exit(report_failure(run, verbose=verbose))


def _print(settings: list[EffectiveSetting], unknown: list[str], output: str) -> None:
    if output == "json":
        told = {"settings": [asdict(setting) for setting in settings], "unknown": unknown}
        click.echo(dump_for(sys.stdout, told))
        return
    from cogny_source.plain_text import safe_text

    widths = [max(len(text) for text in column) for column in zip(*map(_as_texts, settings), strict=True)]
    for setting in settings:
        name, value, origin = (
            safe_text(text).ljust(width) for text, width in zip(_as_texts(setting), widths, strict=True)
        )
        click.echo(f"{name}  {value}  {origin}".rstrip())
    for name in unknown:
        click.echo(f"No setting has this name: {safe_text(name)}", err=True)


def _as_texts(setting: EffectiveSetting) -> tuple[str, str, str]:
    return setting.name, "-" if setting.value is None else str(setting.value), setting.origin
