"""What a person sees while a sync runs: live bars on a terminal, a log line every half a minute elsewhere."""

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

from cogny_source.engine.progress import Progress
from cogny_source.engine.run_record import ResourceRun
from cogny_source.plain_text import safe_text

logger = logging.getLogger(__name__)

LINE_EVERY_SECONDS = 30.0
FRAMES_A_SECOND = 4


class Watch:
    """Remembers what a sync tells, and puts it into words.

    Args:
        clock: Seconds that never run backwards.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._requests_left: int | None = None
        self._wait_ends = 0.0
        self._reason = ""
        self._loading: int | None = None
        self.runs: dict[str, ResourceRun] = {}

    def read(self, run: ResourceRun, requests_left: int | None) -> None:
        """A page was read: whoever waits does so no more, or says it again."""
        with self._lock:
            self.runs[run.resource] = run
            self._requests_left = requests_left
            self._wait_ends = 0.0

    def wait(self, seconds: float, reason: str) -> None:
        """A request waits; of several the one that waits longest is told of."""
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

    @property
    def status(self) -> str:
        """What goes on just now, in one line."""
        with self._lock:
            parts = []
            if self._loading is not None:
                parts.append(f"loading {self._loading:,} rows" if self._loading else "loading the run's record")
            left = self._wait_ends - self._clock()
            if left > 0:
                parts.append(f"waiting {left:.0f} s more ({self._reason})")
            if not self.runs and not parts:
                parts.append("waiting for the API's first answer")
            if self._requests_left is not None:
                parts.append(f"{self._requests_left} requests left in the window")
            return "; ".join(parts) or "reading"

    def unfinished(self) -> list[ResourceRun]:
        """The resources of which something was read, and more will be."""
        with self._lock:
            return [run for run in self.runs.values() if run.status == "running"]


def describe_run(run: ResourceRun) -> str:
    """One line on how far a resource is."""
    meter = run.meter
    # Beyond the count it is read once more, for a census or a proof.
    total = f" of {meter.total_count:,}" if meter.total_count and meter.rows <= meter.total_count else ""
    return f"{run.resource}: {meter.rows:,} rows{total}, {meter.pages} pages, waited {meter.waited_seconds:.0f} s"


@contextmanager
def show_progress(console: Console, *, live: bool) -> Iterator[Progress]:
    """Something for `sync` to tell, which a person can watch.

    Args:
        console: Where bars are drawn.
        live: Whether to draw them; log lines otherwise.
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
    """A bar for each resource, and a line on what goes on just now."""

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
        # Rows, and when they came: a rate does not sink while nothing is asked for.
        self._newest: dict[str, tuple[int, float]] = {}

    def draw(self) -> Group:
        """The picture at this moment."""
        for run in list(self._watch.runs.values()):
            self._draw_run(run)
        elapsed = timedelta(seconds=int(self._clock() - self._began))
        return Group(self._bars, Text(f"  {elapsed}  {self._watch.status}", style="dim"))

    def _draw_run(self, run: ResourceRun) -> None:
        meter = run.meter
        if run.resource not in self._tasks:
            self._tasks[run.resource] = self._bars.add_task(run.resource, total=None, told="")
        task = self._tasks[run.resource]
        done = run.status == "done"
        total = meter.total_count if meter.total_count and meter.rows <= meter.total_count else None
        counted = f"{meter.rows:,} of {total:,} rows" if total else f"{meter.rows:,} rows"
        if self._newest.get(run.resource, (0, 0.0))[0] != meter.rows:
            self._newest[run.resource] = meter.rows, self._clock()
        _, came = self._newest.get(run.resource, (0, self._clock()))
        rate = meter.rows / max(came - self._began, 0.1)
        told = counted if done or meter.rows == total else f"{counted}, {rate:,.0f} a second"
        self._bars.update(task, total=1 if done else total, completed=1 if done else meter.rows, told=told)


@contextmanager
def _log_now_and_then(watch: Watch) -> Iterator[None]:
    """Log what goes on, so that a run is never silent for long, whatever it waits for."""
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
    """A line for each resource that went on, and one on what goes on just now.

    Args:
        watch: What the sync told.
        told: Resource name to the pages that were told of; brought up to date.
    """
    news = [run for run in watch.unfinished() if told.get(run.resource) != run.meter.pages]
    told.update({run.resource: run.meter.pages for run in news})
    return [*map(describe_run, news), watch.status]
