"""The command of the script, run in this process and compared cell by cell with the truth of the sandbox."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cogny_source.sandbox import SandboxServer
from tests.support.syncs import Script
from tests.support.truth import Ask, assert_exact


def test_second_sync_without_changes_asks_twice_a_resource(
    sandbox: SandboxServer, sync_here: Script, database: Ask
) -> None:
    """Where nothing changed, a request for changes and one for the count is all, and no row is written again."""
    sync_here(SOURCES__COGNY__OVERLAP_SECONDS="0")
    before = database("SELECT id, _dlt_load_id FROM warehouses ORDER BY id")
    asked = len(sandbox.requests)
    sync_here(SOURCES__COGNY__OVERLAP_SECONDS="0")
    paths = Counter(request.path for request in sandbox.requests[asked:])
    assert paths == {"/v1/tickets": 2, "/v1/reports": 2, "/v1/warehouses": 1}
    assert database("SELECT id, _dlt_load_id FROM warehouses ORDER BY id") == before
    assert_exact(database, sandbox.world)


def test_changes_and_new_rows_arrive(sandbox: SandboxServer, sync_here: Script, database: Ask) -> None:
    """Updates, inserts, emptied and shortened lists and finished reports are there after the next sync."""
    sync_here()
    world = sandbox.world
    listed = sorted((row for row in world.rows("tickets") if len(row["action_items"]) > 1), key=lambda row: row["id"])
    world.patch("tickets", listed[0]["id"], action_items=[])
    world.patch("tickets", listed[1]["id"], action_items=listed[1]["action_items"][:1], status="completed")
    world.patch("tickets", listed[2]["id"], action_items=["one", "two", "three"], estimated_impact=None)
    world.advance(datetime.now(UTC), created=130, changed=150)
    sync_here()
    assert_exact(database, world)
    sync_here()
    assert_exact(database, world)


def test_values_that_do_not_fit_are_kept_in_extra(sandbox: SandboxServer, sync_here: Script, database: Ask) -> None:
    """An undeclared field, a string for an object, an unreadable timestamp and a list for a text survive verbatim."""
    world = sandbox.world
    row = world.rows("tickets")[0]
    odd = {
        "id": "tkt_odd", "estimated_impact": "about 12 %", "updated_at": "yesterday", "title": ["a", "b"],
        "sla": {"hours": 4, "big": 12345678901234567890123}, "action_items": ["x", 5], "effort": 3,
    }  # fmt: skip
    world.put("tickets", {**row, **odd})
    done = sync_here()
    [(extra, *cells)] = database(
        "SELECT extra, title, effort, updated_at, estimated_impact__metric FROM tickets WHERE id = 'tkt_odd'"
    )
    assert cells == [None, None, None, None]
    assert json.loads(str(extra)) == {name: value for name, value in odd.items() if name != "id"}
    assert database("SELECT position, value FROM tickets__action_items WHERE ticket_id = 'tkt_odd' ORDER BY 1") == [
        (0, "x"),
        (1, None),
    ]
    assert database("SELECT count(*) FROM tickets WHERE extra IS NOT NULL") == [(1,)]
    assert {"sla (1)", "title (1)", "estimated_impact (1)"} <= set(re.findall(r"[\w.]+ \(\d+\)", done.stdout))


def test_missing_scope_is_named(sandbox: SandboxServer, sync_here: Script) -> None:
    """A key without a scope exits with 2 and the scope's name."""
    done = sync_here(expect=2, SOURCES__COGNY__API_KEY="sk_live_reports_only_sandbox")
    assert "tickets:read" in done.stderr


def test_failing_api_fails_the_run_and_is_recorded(sandbox: SandboxServer, sync_here: Script, database: Ask) -> None:
    """Where the API asks for a longer wait than the run bears, it exits with 1, and `sync_runs` tells why."""
    sync_here("--resources", "warehouses")
    sandbox.switches.rate_limited = 1.0
    done = sync_here(expect=1, SOURCES__COGNY__MAX_WAIT_SECONDS="0.01")
    assert "status 429" in done.stderr
    assert "Traceback" not in done.stderr
    [(error,)] = database("SELECT error FROM sync_runs WHERE resource = 'tickets' AND status = 'failed'")
    assert "status 429" in str(error)
    # The others were refused too, unless they were stopped before.
    ended = database("SELECT resource FROM sync_runs WHERE error IS NOT NULL AND status IN ('failed', 'stopped')")
    assert sorted(ended) == [("report_contents",), ("reports",), ("tickets",), ("warehouses",)]
    sandbox.switches.rate_limited = 0.0
    sync_here()
    assert_exact(database, sandbox.world)


def test_window_moves_no_watermark(sandbox: SandboxServer, sync_here: Script, database: Ask) -> None:
    """A window by creation time loads its rows only, and the next sync still brings everything."""
    stamps = sorted(datetime.fromisoformat(row["created_at"]).astimezone(UTC) for row in sandbox.world.rows("tickets"))
    start, end = stamps[100], stamps[200]
    sync_here("--resources", "tickets", "--start-date", start.isoformat(), "--end-date", end.isoformat())
    assert database("SELECT created_at FROM tickets ORDER BY 1") == [(at,) for at in stamps if start <= at < end]
    sync_here()
    assert_exact(database, sandbox.world)


def test_start_date_can_be_moved_back(sandbox: SandboxServer, sync_here: Script, database: Ask) -> None:
    """Rows before the start date are left out, also when they change, until an earlier start date asks for them."""
    rows = sandbox.world.rows("tickets")
    stamps = sorted(datetime.fromisoformat(row["created_at"]).astimezone(UTC) for row in rows)
    start = stamps[225] + timedelta(microseconds=1)
    old = next(row for row in rows if datetime.fromisoformat(row["created_at"]) < start)
    sync_here(SOURCES__COGNY__START_DATE=start.isoformat())
    sandbox.world.patch("tickets", old["id"], status="completed")
    sync_here(SOURCES__COGNY__START_DATE=start.isoformat())
    assert database("SELECT created_at FROM tickets ORDER BY 1") == [(at,) for at in stamps if at >= start]
    sync_here("--start-date", "all")
    assert_exact(database, sandbox.world)


def test_full_refresh_reads_everything_again(sandbox: SandboxServer, sync_here: Script, database: Ask) -> None:
    """A full refresh loads every row anew, and leaves the tables exact."""
    sync_here()
    before = {
        load for (load,) in database("SELECT _dlt_load_id FROM tickets UNION SELECT _dlt_load_id FROM warehouses")
    }
    sync_here("--full-refresh")
    after = {load for (load,) in database("SELECT _dlt_load_id FROM tickets UNION SELECT _dlt_load_id FROM warehouses")}
    assert not before & after
    assert_exact(database, sandbox.world)


def test_deleted_database_is_loaded_anew(
    sandbox: SandboxServer, sync_here: Script, database: Ask, tmp_path: Path
) -> None:
    """A watermark in the working directory does not outlive the database it speaks of."""
    sync_here()
    (tmp_path / "cogny.duckdb").unlink()
    sync_here()
    assert_exact(database, sandbox.world)


@pytest.mark.parametrize("content", [b"", bytes(8) + b"DUCK" + bytes(4084), bytes(8) + b"DUCK" + bytes(8180)])
def test_a_file_that_was_only_begun_is_made_anew(
    content: bytes,
    sandbox: SandboxServer,
    sync_here: Script,
    database: Ask,
    tmp_path: Path,
) -> None:
    """Killed, or on a full disk, as DuckDB made its file: the next run needs no help, and says what it does."""
    (tmp_path / "cogny.duckdb").write_bytes(content)
    done = sync_here("--quiet")
    assert "is created again" in done.stderr
    assert_exact(database, sandbox.world)


def test_a_small_file_of_another_kind_is_left_alone(sync_here: Script, tmp_path: Path) -> None:
    """Whoever mistakes a file of notes for the database still has it afterwards."""
    (tmp_path / "cogny.duckdb").write_text("my notes")
    done = sync_here(expect=2)
    assert "--database cogny.duckdb is not a DuckDB database: name another file" in done.stderr
    assert (tmp_path / "cogny.duckdb").read_text() == "my notes"
