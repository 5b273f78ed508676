"""Progress of a sync: live bars on a terminal, a log line every half a minute elsewhere."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, SpinnerColumn, TaskID, TextColumn
from rich.progress import Progress as Bars
from rich.text import Text

from cogny_source.engine.run_record import ResourceRun
from cogny_source.formatting import span
from cogny_source.plain_text import safe_text
from cogny_source.schema import RESOURCE_TABLES

logger = logging.getLogger(__name__)

LINE_EVERY_SECONDS = 30.0
FRAMES_A_SECOND = 4
# A rate is not shown where no row came for so long.
STALE_SECONDS = 5.0


class Watch:
    """Collects the progress of a sync, and describes it.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._requests_left: int | None = None
        self._wait_ends = 0.0
        self._reason = ""
        self._loading: int | None = None
        self._loaded: dict[str, int] = {}
        self._stopping = False
        self.runs: dict[str, ResourceRun] = {}

    def read(self, run: ResourceRun, requests_left: int | None) -> None:
        """A page was read; a wait, if any, is over or will be announced again."""
        with self._lock:
            self.runs[run.resource] = run
            self._requests_left = requests_left
            self._wait_ends = 0.0

    def wait(self, seconds: float, reason: str) -> None:
        """A request waits; of several waits the longest is shown."""
        with self._lock:
            if self._clock() + seconds > self._wait_ends:
                self._wait_ends, self._reason = self._clock() + seconds, safe_text(reason)

    def load(self, rows: int) -> None:
        """A load begins."""
        with self._lock:
            self._loading = rows

    def loaded(self, runs: Sequence[ResourceRun]) -> None:
        """A load is done."""
        with self._lock:
            self._loading = None
            self.runs.update({run.resource: run for run in runs})
            self._loaded = {run.resource: run.rows_loaded[RESOURCE_TABLES[run.resource].name] for run in runs}

    def stop(self) -> None:
        """A signal asks the run to end."""
        with self._lock:
            self._stopping = True

    def describe_loaded(self) -> str | None:
        """The rows that are loaded, such as `10,100 of 20,000 tickets`; None if there are none."""
        with self._lock:
            told = [_describe_rows(self.runs[name], rows) for name, rows in self._loaded.items() if rows]
        return ", ".join(told) or None

    @property
    def status(self) -> str:
        """The present activity, in one line."""
        with self._lock:
            parts = ["stopping"] if self._stopping else []
            if self._loading is not None:
                parts.append(f"loading {self._loading:,} rows" if self._loading else "loading the run's record")
            left = self._wait_ends - self._clock()
            if left > 0 and not self._stopping:
                parts.append(f"waiting {left:.0f} s more ({self._reason})")
            if not self.runs and not parts:
                parts.append("waiting for the API's first answer")
            if self._requests_left is not None:
                parts.append(f"{self._requests_left} requests left in the window")
            return "; ".join(parts) or "reading"

    def unfinished(self) -> list[ResourceRun]:
        """The resources that are partly read."""
        with self._lock:
            return [run for run in self.runs.values() if run.status == "running"]


def _describe_rows(run: ResourceRun, rows: int) -> str:
    total = run.meter.total_count
    return f"{rows:,}{f' of {total:,}' if total and rows <= total else ''} {run.resource}"


def describe_run(run: ResourceRun) -> str:
    """The progress of a resource, in one line."""
    meter = run.meter
    # More rows than that mean a second reading, for a census or a verification.
    total = f" of {meter.total_count:,}" if meter.total_count and meter.rows <= meter.total_count else ""
    return f"{run.resource}: {meter.rows:,} rows{total}, {meter.pages} pages, waited {meter.waited_seconds:.0f} s"


@contextmanager
def show_progress(console: Console, *, live: bool) -> Iterator[Watch]:
    """Show the progress of a sync within the block.

    Args:
        console: Where to draw bars.
        live: Whether to draw bars; log lines otherwise.
    """
    watch = Watch()
    if live:
        screen = _Screen(watch, time.monotonic)
        with Live(console=console, get_renderable=screen.draw, refresh_per_second=FRAMES_A_SECOND):
            yield watch
        return
    with _log_now_and_then(watch):
        yield watch


class _Screen:
    """A bar for each resource, and a line on the present activity."""

    def __init__(self, watch: Watch, clock: Callable[[], float]) -> None:
        self._watch = watch
        self._clock = clock
        self._began = clock()
        self._bars = Bars(
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[told]}"),
        )
        self._tasks: dict[str, TaskID] = {}
        # Rows and the time of the last ones: the rate must not fall while no request is sent.
        self._newest: dict[str, tuple[int, float]] = {}

    def draw(self) -> Group:
        """The present picture."""
        left = [self._draw_run(run) for run in list(self._watch.runs.values())]
        longest = max((seconds for seconds in left if seconds is not None), default=None)
        told = [] if longest is None else [f"about {span(longest, blank=' ')} left"]
        elapsed = timedelta(seconds=int(self._clock() - self._began))
        return Group(self._bars, Text(f"  {elapsed}  {'; '.join([*told, self._watch.status])}", style="dim"))

    def _draw_run(self, run: ResourceRun) -> float | None:
        """Draw a resource's bar; returns the seconds that it takes yet, None where that is not known."""
        meter = run.meter
        if run.resource not in self._tasks:
            self._tasks[run.resource] = self._bars.add_task(run.resource, total=None, told="")
        task = self._tasks[run.resource]
        # Rows that are read again, at the ends of windows or for a comparison, are no further ones.
        total, rows = meter.total_count or None, min(meter.rows, meter.total_count or meter.rows)
        counted = f"{rows:,} of {total:,} rows" if total else f"{rows:,} rows"
        rate = self._find_rate(run.resource, meter.rows)
        if run.status != "running" or rows == total or rate is None:
            is_done = run.status == "done"
            self._bars.update(task, total=1 if is_done else total, completed=1 if is_done else rows, told=counted)
            return None
        self._bars.update(task, total=total, completed=rows, told=f"{counted}, {rate:,.0f} a second")
        return (total - rows) / rate if total else None

    def _find_rate(self, resource: str, rows: int) -> float | None:
        """Rows a second; None before the first ones, and where none came for a while."""
        if self._newest.get(resource, (0, 0.0))[0] != rows:
            self._newest[resource] = rows, self._clock()
        read, came = self._newest.get(resource, (0, 0.0))
        if not read or self._clock() - came > STALE_SECONDS:
            return None
        return read / max(came - self._began, 0.1)


@contextmanager
def _log_now_and_then(watch: Watch) -> Iterator[None]:
    """Log the progress regularly, so that a run is never silent for long."""
    over = threading.Event()

    def log() -> None:
        told: dict[str, int] = {}
        while not over.wait(LINE_EVERY_SECONDS):
            for line in describe_news(watch, told):
                logger.info("%s", line)

    thread = threading.Thread(target=log, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def describe_news(watch: Watch, told: dict[str, int]) -> list[str]:
    """A line for each resource with new pages, and one on the present activity.

    Args:
        watch: The collected progress.
        told: Pages already logged, by resource name; updated.
    """
    news = [run for run in watch.unfinished() if told.get(run.resource) != run.meter.pages]
    told.update({run.resource: run.meter.pages for run in news})
    return [*map(describe_run, news), watch.status]
