"""The tables of the terminal show texts of the API as texts."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime
from typing import cast

import pytest
from rich.console import Console

from cogny_source.cli.display import print_differences, print_status, print_summary
from cogny_source.destinations.session import DestinationSession
from cogny_source.engine.run_record import ResourceRun, SyncResult
from cogny_source.extract.context import Difference
from cogny_source.monitoring.health import ResourceFacts
from cogny_source.monitoring.run_history import Run, RunHistory
from cogny_source.monitoring.status import ContentFacts, assess, describe_backlog
from cogny_source.plain_text import safe_text
from cogny_source.reconcile.content_backlog import ContentCounts
from cogny_source.schema import TableSpec
from tests.support.hostile import NAMES

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)


class Counted:
    """A destination that holds two rows of everything, without a time of change."""

    def count_rows(self, _: TableSpec) -> tuple[int, int]:
        return 2, 0

    def query_if_there(self, query: str) -> list[tuple[object, ...]]:
        return [(2, 0)] if "count" in query else [(None,)]


def print_on(console_of: type[Console] = Console) -> tuple[Console, io.StringIO]:
    """A console, as wide as it needs, that writes into a text."""
    shown = io.StringIO()
    return Console(file=shown, width=500, force_terminal=True, color_system=None), shown


@pytest.mark.parametrize("name", NAMES)
def test_summary_shows_a_field_as_it_is_called(name: str) -> None:
    """A field that the API names is neither markup nor an order to the terminal."""
    run = ResourceRun("warehouses", "full", NOW)
    run.undeclared[name] = 2
    console, shown = print_on()
    print_summary(console, SyncResult("run", (run,)), cast(DestinationSession, Counted()), verbose=True)
    assert f"{safe_text(name)} (2)" in shown.getvalue()


@pytest.mark.parametrize("name", NAMES)
def test_differences_and_status_show_what_the_api_says(name: str) -> None:
    """Keys of rows, names of columns, and sentences of earlier runs."""
    run = ResourceRun("tickets", "full", NOW)
    run.counts.differences = (Difference("tickets", name, "differs", (name,), fresh=False),)
    console, shown = print_on()
    print_differences(console, SyncResult("run", (run,)), quiet=False)
    failed = Run("run", "tickets", "full", "failed", NOW, error=name)
    print_status(console, assess([ResourceFacts("tickets", RunHistory((failed,)))], NOW), name)
    assert shown.getvalue().count(safe_text(name)) == 4


@pytest.mark.parametrize(
    ("to_go", "a_minute", "told"),
    [
        (3420, 90, "3,420 to go, 38 min at 90 a minute"),
        (1, 1000, "1 to go, 0.1 s at 1,000 a minute"),
        (3420, None, "3,420 to go"),
    ],
)
def test_backlog_is_told_with_its_time(to_go: int, a_minute: int | None, told: str) -> None:
    """By the pace of the last run; without one the number alone."""
    assert describe_backlog(to_go, a_minute) == told


def test_contents_are_told_where_some_are_to_go_or_left_out() -> None:
    """And not otherwise."""
    run = ResourceRun("report_contents", "contents", NOW)
    run.finish("done", NOW)
    for to_go, left_out, lines in (
        (0, 0, []),
        (9, 0, ["7 fetched, 9 to go, 3.0 s at 180 a minute; the next runs fetch them, the newest first."]),
        (0, 1, ["the contents of 1 report completed earlier are left out; --contents all fetches them."]),
    ):
        run.counts.unexplained_rows, run.counts.left_out, run.counts.rows_a_minute = to_go, left_out, 180
        run.meter.rows = 7
        console, shown = print_on()
        print_summary(console, SyncResult("run", (run,)), Counted(), verbose=False)  # type: ignore[arg-type]
        assert shown.getvalue().splitlines()[1:] == [f"report_contents: {line}" for line in lines]


@pytest.mark.parametrize(
    ("mode", "counts", "told"),
    [
        ("new", (1, 0, 0, 0, 0, 0), "1 content of reports"),
        ("new", (5, 0, 0, 0, 0, 7), "5 contents of reports, 7 left out; sync with --contents all to fetch them"),
        ("never", (5, 0, 0, 0, 0, 7), "5 contents of reports, 7 not fetched, as the last sync said --contents never"),
        (
            "all",
            (1200, 1, 2, 3, 180, 0),
            "1,200 contents of reports, 180 to go, 2 min at 90 a minute, 1 report without one, 2 larger than"
            " max_answer_megabytes, 3 cannot be fetched, see error in report_contents",
        ),
    ],
)
def test_status_of_contents(mode: str, counts: tuple[int, ...], told: str) -> None:
    """What is there, what comes, what does not and why."""
    facts = ContentFacts(ContentCounts(*counts), mode, 90)
    status = replace(assess([], NOW), contents=facts)
    console, shown = print_on()
    print_status(console, status, "growth")
    assert shown.getvalue().splitlines()[-1] == f"contents    {told}"
