"""The summary of a sync: a line a resource that fits a terminal of 80 columns."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime

import pytest
from rich.console import Console

from cogny_source.cli.display import Line, align_lines, print_differences, print_status, print_summary
from cogny_source.engine.run_record import ResourceRun, SyncResult
from cogny_source.extract.context import Difference
from cogny_source.monitoring.health import ResourceFacts
from cogny_source.monitoring.run_history import Run, RunHistory
from cogny_source.monitoring.status import assess
from cogny_source.plain_text import safe_text
from cogny_source.sandbox import SandboxServer
from tests.support.hostile import NAMES
from tests.support.syncs import Script

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)

TICKETS = Line("tickets", 30, 12, 0, 5_010, 2, 1.2)
REPORTS = Line("reports", 0, 0, 1, 1, 1, 0.4)


def test_lines_are_columns_with_a_total() -> None:
    """New, changed and deleted are told apart; the total lasts as long as the longest."""
    assert align_lines([TICKETS, REPORTS], 80) == [
        "tickets  +30 new, 12 changed             5,010 rows  2 requests  1.2 s",
        "reports  1 deleted                            1 row   1 request  0.4 s",
        "total    +30 new, 12 changed, 1 deleted  5,011 rows  3 requests  1.2 s",
    ]


def test_single_resource_needs_no_total() -> None:
    """It would say the same."""
    assert align_lines([TICKETS], 80) == ["tickets  +30 new, 12 changed  5,010 rows  2 requests  1.2 s"]


def test_long_lines_are_sentences() -> None:
    """Where the columns do not fit, no figure is cut."""
    lines = align_lines([TICKETS._replace(new=1_234_567, changed=1_234_567, deleted=1_234_567)], 80)
    assert lines == ["tickets: +1,234,567 new, 1,234,567 changed, 1,234,567 deleted, 5,010 rows, 2 requests, 1.2 s"]


def test_nothing_new_is_said() -> None:
    """In words."""
    assert "  nothing new  " in align_lines([REPORTS._replace(deleted=0)], 80)[0]


@pytest.mark.parametrize("columns", ["80", "100", "300"])
def test_sync_tells_new_from_changed_rows(cogny: Script, sandbox: SandboxServer, columns: str) -> None:
    """Each as the API had them, at any width; rows that the overlap brings again are neither."""
    tickets, reports = sandbox.world.count("tickets"), sandbox.world.count("reports")
    first = cogny("sync", "duckdb", COLUMNS=columns).stdout.splitlines()
    assert re.sub(r" +", " ", first[0]).startswith(f"tickets +{tickets} new {tickets} rows ")
    assert re.sub(r" +", " ", first[1]).startswith(f"reports +{reports} new {reports} rows ")
    sandbox.world.patch("tickets", sandbox.world.rows("tickets")[0]["id"], title="changed")
    sandbox.world.churn("tickets", created=3, changed=5)
    for ticket in sandbox.world.rows("tickets")[10:12]:
        sandbox.world.delete("tickets", ticket["id"])
    again = cogny("sync", "duckdb", COLUMNS=columns).stdout.splitlines()
    assert re.sub(r" +", " ", again[0]).startswith(f"tickets +3 new, 6 changed, 2 deleted {tickets + 1} rows ")
    assert again[1].startswith("reports ")
    assert "nothing new" in again[1]
    assert re.sub(r" +", " ", again[3]).startswith("total +3 new, 6 changed, 2 deleted ")


def test_nothing_is_padded_in_a_pipe(cogny: Script) -> None:
    """Neither the lines nor the tables; `--verbose` shows what each table got."""
    shown = cogny("sync", "duckdb", "--verbose").stdout
    assert [line for line in shown.splitlines() if line != line.rstrip()] == []
    assert "tickets__action_items" in shown


def test_waits_and_undeclared_fields_have_lines_of_their_own(cogny: Script, sandbox: SandboxServer) -> None:
    """Below the summary, where there are any."""
    row = {**sandbox.world.rows("warehouses")[0], "id": "wh_odd", "sla": 1}
    sandbox.world.put("warehouses", row)
    shown = cogny("sync", "duckdb", "--resources", "warehouses").stdout
    assert "warehouses: fields without a column, kept in extra: sla (1).\n" in shown
    assert "waited" not in shown


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
    print_summary(console, SyncResult("run", (run,)), Counted(), verbose=True)
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
