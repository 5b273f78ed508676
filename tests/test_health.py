"""What the counts of the last runs say against the data: pure, in `cogny status`, and on the page."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support import Script

from cogny_source.monitoring.health import (
    Counts,
    describe_missing_count,
)
from cogny_source.sandbox import SandboxServer

DONE = Counts("done", "incremental", 900, 0, None)


@pytest.mark.parametrize(
    ("runs", "is_told"),
    [
        ([], False),
        ([DONE], False),
        ([DONE, replace(DONE, unexplained_rows=None)], True),
        ([replace(DONE, unexplained_rows=None), DONE], False),
        ([replace(DONE, unexplained_rows=None, deleted_rows=0)], False),
        ([replace(DONE, unexplained_rows=None), replace(DONE, status="failed")], True),
        ([DONE, Counts("done", "window", None, None, None)], False),
        ([DONE, Counts("done", "reset", None, None, None)], False),
    ],
)
def test_count_that_is_missing_is_told_until_the_next_one(runs: list[Counts], is_told: bool) -> None:
    """A census has looked at every row instead; a window and a reset count nothing."""
    assert (describe_missing_count(runs) is not None) is is_told


def test_rows_that_went_at_once_are_not_well(cogny: Script, sandbox: SandboxServer) -> None:
    """`status` and the page say no, with cause and command, until a person has accepted it."""
    cogny("sync", "duckdb", "--quiet")
    for row in sandbox.world.rows("tickets")[:60]:
        sandbox.world.delete("tickets", row["id"])
    cogny("sync", "duckdb", "--quiet", expect=1)
    done = cogny("status", expect=1)
    assert "NOT WELL: the last run failed: the API no longer lists 60 of 450 rows of tickets" in done.stdout
    assert "--accept-deletions" in done.stdout
    cogny("report")
    assert "Not now.</strong>" in Path("report.html").read_text(encoding="utf-8")
    cogny("sync", "duckdb", "--quiet", "--accept-deletions")
    assert "NOT WELL" not in cogny("status").stdout
    cogny("report")
    assert "Yes.</strong>" in Path("report.html").read_text(encoding="utf-8")


def test_comparison_is_told(cogny: Script) -> None:
    """Status, its JSON and the page tell within how many days every row was compared."""
    cogny("sync", "duckdb", "--quiet")
    assert cogny("status").stdout.count("every row was compared with the API within the last 0.0 days") == 3
    resources = json.loads(cogny("status", "--format", "json").stdout)["resources"]
    assert all(datetime.fromisoformat(told["compared_since"]) <= datetime.now(UTC) for told in resources)
    cogny("report")
    assert "every row was compared with the API within the last 0.0 days" in Path("report.html").read_text(
        encoding="utf-8"
    )


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
