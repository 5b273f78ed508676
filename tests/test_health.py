"""What the counts of the last runs say against the data: pure, in `cogny status`, and on the page."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from support import Script

from cogny_source.health import (
    OF_DELETIONS,
    RUNS_JUDGED,
    Counts,
    describe_mass_deletion,
    describe_missing_count,
    read_counts,
)
from cogny_source.sandbox import SandboxServer

DONE = Counts("done", "incremental", 900, 0, None, None)
MARKED = replace(DONE, deleted_rows=100)
PROVEN = replace(DONE, differences=0)


@pytest.mark.parametrize(
    ("runs", "is_told"),
    [
        ([], False),
        ([DONE], False),
        ([MARKED], True),
        ([replace(MARKED, deleted_rows=99)], False),
        ([MARKED, DONE, replace(DONE, status="failed")], True),
        ([MARKED, PROVEN, DONE], False),
        ([PROVEN, MARKED], True),
        ([MARKED, replace(PROVEN, differences=3)], True),
        ([MARKED, replace(PROVEN, status="failed")], True),
        ([replace(MARKED, differences=0)], True),
        ([replace(MARKED, status="failed")], True),
        ([MARKED, replace(DONE, deleted_rows=0)], True),
        ([replace(DONE, live_rows=4, deleted_rows=1)], False),
        ([replace(DONE, live_rows=0, deleted_rows=1)], True),
        ([replace(DONE, live_rows=0, deleted_rows=1_200)], True),
        ([replace(MARKED, live_rows=None)], False),
    ],
)
def test_deletion_of_a_tenth_stands_until_a_verification(runs: list[Counts], is_told: bool) -> None:
    """A later run that verified every row accepts it; the run that marked them does not accept itself."""
    assert (describe_mass_deletion(runs) is not None) is is_told


@pytest.mark.parametrize(
    ("runs", "is_told"),
    [
        ([], False),
        ([DONE], False),
        ([DONE, replace(DONE, unexplained_rows=None)], True),
        ([replace(DONE, unexplained_rows=None), DONE], False),
        ([replace(DONE, unexplained_rows=None, deleted_rows=0)], False),
        ([replace(DONE, unexplained_rows=None), replace(DONE, status="failed")], True),
        ([DONE, Counts("done", "window", None, None, None, None)], False),
        ([DONE, Counts("done", "reset", None, None, None, None)], False),
    ],
)
def test_count_that_is_missing_is_told_until_the_next_one(runs: list[Counts], is_told: bool) -> None:
    """A census has looked at every row instead; a window and a reset count nothing."""
    assert (describe_missing_count(runs) is not None) is is_told


def test_rows_that_went_at_once_are_not_well(cogny: Script, sandbox: SandboxServer) -> None:
    """`status` and the page say no, with cause and command, also after the next sync; a verification accepts it."""
    cogny("sync", "duckdb", "--quiet")
    for row in sandbox.world.rows("tickets")[:60]:
        sandbox.world.delete("tickets", row["id"])
    cogny("sync", "duckdb", "--quiet", "--accept-deletions")
    cogny("sync", "duckdb", "--quiet")
    done = cogny("status", expect=1)
    assert "NOT WELL: one run marked 60 of 450 rows deleted (13%), as the API listed them no more: " in done.stdout
    tickets = json.loads(cogny("status", "--format", "json", expect=1).stdout)["resources"][0]
    assert (tickets["healthy"], tickets["complaint"] == tickets["mass_deletion"]) == (False, True)
    cogny("report")
    assert "Not now.</strong>" in Path("report.html").read_text(encoding="utf-8")
    cogny("verify", "--quiet")
    assert "NOT WELL" not in cogny("status").stdout
    cogny("report")
    assert "Yes.</strong>" in Path("report.html").read_text(encoding="utf-8")


def test_rows_that_were_not_counted_are_told(cogny: Script, sandbox: SandboxServer) -> None:
    """Where the API stops counting, deletions may stay unmarked: `status` notes it, and the page takes care."""
    cogny("sync", "duckdb", "--quiet")
    sandbox.switches.total_count = False
    cogny("sync", "duckdb", "--quiet")
    assert "note: the API's rows were not counted, so that deletions may be unmarked" in cogny("status").stdout
    cogny("report")
    assert "With care.</strong>" in Path("report.html").read_text(encoding="utf-8")
    cogny("census", "--quiet")
    assert "note: " not in cogny("status").stdout


def test_deletion_stands_however_many_runs_come_after() -> None:
    """Only runs that marked or compared rows are asked for."""
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE sync_runs AS SELECT 'tickets' AS resource, 'done' AS status, 'incremental' AS mode,"
            " make_timestamp(n) AS started_at, 900 AS live_rows, 0 AS unexplained_rows,"
            " CASE WHEN n = 1 THEN 100 END AS deleted_rows, NULL::INT AS differences FROM range(1, 500) AS runs(n)"
        )
        runs = read_counts(lambda query: connection.execute(query).fetchall(), "tickets", OF_DELETIONS)
        assert runs == [MARKED]
        assert len(read_counts(lambda query: connection.execute(query).fetchall(), "tickets")) == RUNS_JUDGED
