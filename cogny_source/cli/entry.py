"""The entry point of a process: sets up streams and signals before anything else."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from cogny_source.cli.interruption import Interrupted, raising_on_signals
from cogny_source.cli.streams import OutputFailed, prepare_streams, writing_out


class _Entry(click.Command):
    """A command that a process starts with."""

    def main(self, *args: Any, **options: Any) -> Any:
        """Run the command, and end the process with its exit code."""
        prepare_streams()
        try:
            with raising_on_signals() as watch, writing_out():
                return super().main(*args, **{"obj": watch, **options})
        except Interrupted as interrupted:
            click.echo("Aborted; what is loaded stays.", err=True)
            sys.stderr.flush()
            # An extension module whose import was interrupted may crash during the interpreter's shutdown.
            os._exit(interrupted.exit_code)
        except OutputFailed as failure:  # while click prints, such as help
            click.echo(f"Error: {failure}", err=True)
            sys.exit(1)


class EntryCommand(_Entry):
    """A command that may be run as a script."""


class EntryGroup(_Entry, click.Group):
    """A group of commands that may be run as a script."""
