"""The command line: `cogny` and its commands, of which the pipeline scripts are three."""

from cogny_source.cli.commands import main
from cogny_source.cli.exits import exit_code
from cogny_source.cli.sync import sync_command

__all__ = ["exit_code", "main", "sync_command"]
