"""Commands whose help groups the options of destinations, and the group `sync`, whose destination has a default."""

from __future__ import annotations

import os

import click

from cogny_source.destinations.registry import REGISTRATIONS

DESTINATION = "COGNY_DESTINATION"
HELP_FLAGS = ("-h", "--help")


def find_default_destination() -> str:
    """The destination of a command that names none: that of `COGNY_DESTINATION`, else the first of the registry.

    Raises:
        click.UsageError: If the variable names no destination.
    """
    named = os.environ.get(DESTINATION) or next(iter(REGISTRATIONS))
    if named not in REGISTRATIONS:
        raise click.UsageError(f"{DESTINATION} is {named!r}; it may be {', '.join(REGISTRATIONS)}")
    return named


class GroupedCommand(click.Command):
    """A command that takes any destination; its help has a section for the options of each."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections."""
        owners = {option.name: it.name for it in REGISTRATIONS.values() for option in it.options}
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None and isinstance(param, click.Option):
                is_shared = param.name == "dataset" or param.name not in owners
                title = "Options" if is_shared else f"Options of {owners[str(param.name)]}"
                sections.setdefault(title, []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)


class SyncGroup(click.Group):
    """A group with a command a destination; without one it takes the default."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Name the default destination where options follow at once."""
        if not any(argument in HELP_FLAGS for argument in args[:1]) and (not args or args[0].startswith("-")):
            args = [find_default_destination(), *args]
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Say which one is the default."""
        super().format_commands(ctx, formatter)
        formatter.write_paragraph()
        formatter.write_text(f"Without one: that of {DESTINATION}, else {next(iter(REGISTRATIONS))}.")
