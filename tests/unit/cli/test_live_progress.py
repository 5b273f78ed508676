"""What a person sees while a sync runs: bars and a status on a terminal, log lines elsewhere."""

from __future__ import annotations

import io
import logging
import time

import pytest
from rich.console import Console

from cogny_source.cli import live_progress as module
from cogny_source.cli.live_progress import Watch, _Screen, describe_news, describe_run, show_progress
from cogny_source.engine.run_record import ResourceRun
from cogny_source.timestamps import parse_instant

STARTED = parse_instant("2026-01-15T12:00:00Z")


def a_run(resource: str = "tickets") -> ResourceRun:
    """A resource in the middle of its reading."""
    assert STARTED is not None
    run = ResourceRun(resource, "backfill", STARTED)
    run.meter.rows, run.meter.pages, run.meter.total_count, run.meter.waited_seconds = 1200, 12, 45000, 3.4
    return run


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_progress_line_tells_rows_pages_and_waits() -> None:
    """One line says how far a resource is, and how long was waited."""
    run = a_run()
    assert describe_run(run) == "tickets: 1,200 rows of 45,000, 12 pages, waited 3 s"
    run.meter.total_count = None
    assert describe_run(run) == "tickets: 1,200 rows, 12 pages, waited 3 s"


def test_status_tells_what_goes_on() -> None:
    """Before the first answer, while rows are read, while the limit is waited for, and while rows are loaded."""
    clock = Clock()
    watch = Watch(clock)
    told = [watch.status]
    watch.read(a_run(), 88)
    told.append(watch.status)
    watch.wait(42.0, "/tickets: the rate limit's window is used up")
    watch.wait(1.0, "/reports: after attempt 1")
    clock.now += 12
    told.append(watch.status)
    clock.now += 31
    told.append(watch.status)
    watch.load(15000)
    told.append(watch.status)
    watch.loaded([a_run()])
    watch.load(0)
    told.append(watch.status)
    assert told == [
        "waiting for the API's first answer",
        "88 requests left in the window",
        "waiting 30 s more (/tickets: the rate limit's window is used up); 88 requests left in the window",
        "88 requests left in the window",
        "loading 15,000 rows; 88 requests left in the window",
        "loading the run's record; 88 requests left in the window",
    ]


def test_log_lines_tell_of_what_went_on() -> None:
    """A line a resource that was read since the last time, and one on what goes on now, so that none is no line."""
    watch = Watch(Clock())
    told: dict[str, int] = {}
    run, other = a_run(), a_run("reports")
    watch.read(run, None)
    watch.read(other, None)
    first = describe_news(watch, told)
    run.meter.pages += 1
    other.finish("done", run.started_at)
    second = describe_news(watch, told)
    third = describe_news(watch, told)
    assert [[line.partition(":")[0] for line in lines] for lines in (first, second, third)] == [
        ["tickets", "reports", "reading"],
        ["tickets", "reading"],
        ["reading"],
    ]


def test_log_is_never_silent(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Lines come by the clock, also where no page does."""
    monkeypatch.setattr(module, "LINE_EVERY_SECONDS", 0.01)
    with caplog.at_level(logging.INFO), show_progress(Console(file=io.StringIO()), live=False) as watch:
        watch.wait(500.0, "/tickets: the rate limit's window is used up")
        deadline = time.monotonic() + 10
        while len(caplog.messages) < 3:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert {message.partition(" (")[2] for message in caplog.messages} == {
        "/tickets: the rate limit's window is used up)"
    }


def test_terminal_shows_a_bar_a_resource() -> None:
    """On a terminal the picture is live: rows, rate, what goes on."""
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=160)
    with show_progress(console, live=True) as watch:
        run = a_run()
        watch.read(run, 88)
        run.finish("done", run.started_at)
        watch.loaded([run])
    text = screen.getvalue()
    assert "✓ tickets" in text
    assert "1,200 of 45,000 rows" in text
    assert "88 requests left in the window" in text


def picture(screen: _Screen) -> list[str]:
    """The lines of a live picture in 80 columns."""
    written = io.StringIO()
    Console(file=written, width=80).print(screen.draw())
    return [line.rstrip() for line in written.getvalue().splitlines()]


def test_picture_tells_rate_and_time_left_while_rows_come() -> None:
    """A rate that is no longer one is left out, and rows that are read again are no further ones."""
    clock, watch = Clock(), Watch()
    screen, run = _Screen(watch, clock), a_run()
    watch.runs = {"tickets": run}
    clock.now += 10.0
    bars, activity = picture(screen)
    assert bars.endswith(" 1,200 of 45,000 rows, 120 a second")
    assert activity.startswith("  0:00:10  about 6 min 5 s left; ")
    clock.now += 6.0
    bars, activity = picture(screen)
    assert bars.endswith(" 1,200 of 45,000 rows")
    assert " left; " not in activity
    run.meter.rows = 45_600
    bars, activity = picture(screen)
    assert bars.endswith(" 45,000 of 45,000 rows")
    assert " left; " not in activity


def test_picture_of_a_failure_has_no_full_bar() -> None:
    """Nothing was read, and no rate is told."""
    watch = Watch()
    run = ResourceRun("tickets", "backfill", a_run().started_at)
    run.finish("failed", run.started_at, "cannot connect")
    watch.runs = {"tickets": run}
    bars = picture(_Screen(watch, Clock()))[0]
    assert bars.endswith(" 0 rows")
    assert "✓" not in bars
    assert "second" not in bars


def test_stopping_is_told_with_what_is_loaded() -> None:
    """In place of a wait, and by resource; without a count of the API the rows alone."""
    watch = Watch(Clock())
    tickets, reports = a_run(), a_run("reports")
    tickets.rows_loaded["tickets"], reports.rows_loaded["reports"], reports.meter.total_count = 900, 12_000, None
    watch.read(tickets, None)
    assert watch.describe_loaded() is None
    watch.loaded([tickets, reports])
    watch.wait(30.0, "the limit")
    watch.stop()
    assert watch.status == "stopping"
    assert watch.describe_loaded() == "900 of 45,000 tickets, 12,000 reports"
