"""The console for people: prints plain text without markup, and reports a closed pipe."""

from __future__ import annotations

from rich.console import Console


class PlainConsole(Console):
    """A rich console that prints `[red]` and `:smile:` as they are written.

    Args:
        stderr: Whether it writes to standard error.
        width: Its width in characters; None for the terminal's.
    """

    def __init__(self, *, stderr: bool = False, width: int | None = None) -> None:
        super().__init__(stderr=stderr, width=width, markup=False, emoji=False)

    def on_broken_pipe(self) -> None:
        """Let the command report it: rich would end the process with 1, whatever the sync did."""
        raise
