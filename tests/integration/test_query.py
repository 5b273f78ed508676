"""`cogny query`, and the line that a sync ends with."""

from __future__ import annotations

import csv
import json
import shlex
from io import StringIO
from pathlib import Path

import pytest

from cogny_source.cli.console import PlainConsole
from cogny_source.cli.display import print_rows
from tests.support.syncs import Script

COUNT = "SELECT count(*) AS tickets, min(created_at) AS first FROM tickets"


def test_query_shows_rows_in_each_form(sync_here: Script, cogny: Script) -> None:
    """As a table, as CSV, and as JSON with numbers as numbers."""
    sync_here()
    lines = cogny("query", COUNT).stdout.splitlines()
    assert (lines[1].split(), lines[-1]) == (["tickets", "first"], "1 row.")
    assert lines[3].split()[0] == "450"
    rows = list(csv.reader(StringIO(cogny("query", COUNT, "--format", "csv").stdout)))
    assert (rows[0], rows[1][0], len(rows)) == (["tickets", "first"], "450", 2)
    [row] = json.loads(cogny("query", COUNT, "--format", "json").stdout)
    assert (row["tickets"], row["first"][:2]) == (450, "20")


@pytest.mark.parametrize("resources", ["tickets", "reports", "warehouses", "reports,tickets"])
@pytest.mark.parametrize("place", [("duckdb", "--database", "a b.duckdb"), ("parquet", "--bucket-url", "ex ports")])
def test_last_line_of_a_sync_is_a_query_that_works(resources: str, place: tuple[str, ...], cogny: Script) -> None:
    """Whatever was synced, and into whatever."""
    told = cogny("sync", *place, "--resources", resources).stdout.splitlines()[-1]
    arguments = shlex.split(told.removeprefix("To ask it: "))
    assert "number" in cogny(*arguments[arguments.index("query") :]).stdout


@pytest.mark.parametrize(
    "sql",
    ["DROP TABLE tickets", "SELECT 1; DROP TABLE tickets", "insert into tickets values (1)", "", "COPY tickets TO 'x'"],
)
def test_query_that_is_none_is_refused(sql: str, cogny: Script) -> None:
    """Before the destination is asked: BigQuery is not opened read-only."""
    assert "cogny query only reads" in cogny("query", sql, expect=2).stderr


def test_wrong_query_and_wrong_place_are_told(sync_here: Script, cogny: Script) -> None:
    """In a sentence that tells the database's reason, or where was looked."""
    sync_here()
    assert "the query failed: " in cogny("query", "FROM no_such_table", expect=2).stderr
    told = cogny("query", "FROM tickets", "--database", "no.duckdb", expect=2).stderr
    assert told == f"Error: {Path('no.duckdb').resolve()} cogny_data: nothing was synced there yet\n"


def test_rows_that_are_too_wide_stand_below_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    """No column is cut to a single character."""
    console = PlainConsole(width=40)
    console._force_terminal = True
    print_rows(console, ["id", "description"], [["tkt_1", "word " * 7], ["tkt_2", None]])
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        "id           tkt_1",
        "description  word word word word word",
        "word word",
        "",
        "id           tkt_2",
        "description  -",
        "",
        "2 rows.",
    ]
