"""Where a command of its own begins: its streams and signals, before anything else."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from cogny_source.cli.interruption import Interrupted, raising_on_signals
from cogny_source.cli.streams import OutputFailed, prepare_streams, writing_out


class _Entry(click.Command):
    """A command that the process begins with."""

    def main(self, *args: Any, **options: Any) -> Any:
        """Run the command, and end the process with its exit code."""
        prepare_streams()
        try:
            with raising_on_signals() as watch, writing_out():
                return super().main(*args, **{"obj": watch, **options})
        except Interrupted as interrupted:
            click.echo("Aborted; what is loaded stays.", err=True)
            sys.stderr.flush()
            # An extension that was interrupted in its import may crash as the interpreter takes it down.
            os._exit(interrupted.exit_code)
        except OutputFailed as failure:  # help, or what a command prints without a word of its own
            click.echo(f"Error: {failure}", err=True)
            sys.exit(1)


class EntryCommand(_Entry):
    """A command that may be run as a script."""


class EntryGroup(_Entry, click.Group):
    """A group of commands that may be run as a script."""
