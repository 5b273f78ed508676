"""Progress while reports are waited for: a bar on a terminal, a line each half a minute elsewhere."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from cogny_source.formatting import span
from cogny_source.plain_text import safe_text

if TYPE_CHECKING:
    from cogny_source.client import Report
    from cogny_source.client.waiting import OnProgress

LINE_EVERY_SECONDS = 30.0


class Progress:
    """What was seen of the reports so far. Thread-safe.

    Args:
        count: How many reports are waited for.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self._lock = threading.Lock()
        self._statuses: dict[str, str] = {}
        self._waited = 0.0

    def see(self, report: Report, waited_seconds: float) -> None:
        """A report was looked at."""
        with self._lock:
            self._statuses[report.id] = report.status or "unknown"
            self._waited = waited_seconds

    @property
    def done(self) -> int:
        """How many are finished."""
        with self._lock:
            return sum(status in ("completed", "failed", "cancelled") for status in self._statuses.values())

    def describe(self, waited_seconds: float | None = None) -> str:
        """How far they are, in one line."""
        with self._lock:
            statuses = list(self._statuses.values())
            waited = span(self._waited if waited_seconds is None else waited_seconds, blank=" ")
        if self.count == 1:
            return f"the report is {safe_text(statuses[0]) if statuses else 'asked for'}, waited {waited}"
        return f"{self.done} of {self.count} reports are finished, waited {waited}"


@contextmanager
def show_wait(count: int) -> Iterator[OnProgress]:
    """Show within the block how far reports are, on standard error.

    Args:
        count: How many are waited for.
    """
    progress = Progress(count)
    if sys.stderr.isatty():
        with _bar(progress) as on_progress:
            yield on_progress
        return
    with _lines(progress):
        yield progress.see


@contextmanager
def _bar(progress: Progress) -> Iterator[OnProgress]:
    from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    from cogny_source.cli.console import PlainConsole

    console = PlainConsole(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=30), TimeElapsedColumn())
    with Bars(*columns, console=console, transient=True) as bars:
        # Of one report nobody knows how far it is: the bar pulses.
        task = bars.add_task(progress.describe(0.0), total=None if progress.count == 1 else progress.count)

        def see(report: Report, waited_seconds: float) -> None:
            progress.see(report, waited_seconds)
            bars.update(task, description=progress.describe(), completed=progress.done)

        yield see


@contextmanager
def _lines(progress: Progress) -> Iterator[None]:
    over = threading.Event()

    def tell() -> None:
        waited = 0.0
        while not over.wait(LINE_EVERY_SECONDS):
            waited += LINE_EVERY_SECONDS
            click.echo(progress.describe(waited), err=True)

    thread = threading.Thread(target=tell, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
