"""The console that a person reads: what is printed there is text alone, and a pipe that is closed is told of."""

from __future__ import annotations

from rich.console import Console


class PlainConsole(Console):
    """A console of rich, in which `[red]` and `:smile:` are shown as they are written.

    Args:
        stderr: Whether it writes to standard error.
        width: How wide it is; as the terminal where not given.
    """

    def __init__(self, *, stderr: bool = False, width: int | None = None) -> None:
        super().__init__(stderr=stderr, width=width, markup=False, emoji=False)

    def on_broken_pipe(self) -> None:
        """Let the command tell of it: rich would end the process with 1, whatever the sync did."""
        raise
