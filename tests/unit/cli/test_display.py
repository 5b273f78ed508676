"""The tables of the terminal show texts of the API as texts."""

from __future__ import annotations

import io
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
from cogny_source.monitoring.status import assess
from cogny_source.plain_text import safe_text
from tests.support.hostile import NAMES

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)


class Counted:
    """A destination that holds two rows of everything, without a time of change."""

    def count_rows(self, _: str) -> tuple[int, int]:
        return 2, 0

    def query(self, query: str) -> list[tuple[object, ...]]:
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
