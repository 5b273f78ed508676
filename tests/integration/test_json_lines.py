"""With `--log-format json` every line of a command is one object, the summary and the last error too."""

from __future__ import annotations

import json
from typing import Any

import duckdb

from cogny_source.sandbox import SandboxServer
from tests.support.syncs import Script

JSON = ("--log-format", "json")


def read_lines(text: str) -> list[dict[str, Any]]:
    """Each line as an object; a line that is none fails."""
    return [json.loads(line) for line in text.splitlines()]


def test_sync_writes_nothing_but_lines(cogny: Script, sandbox: SandboxServer) -> None:
    """Standard output stays empty; figures are fields, and every line of the run names it."""
    done = cogny("sync", "duckdb", *JSON)
    assert done.stdout == ""
    lines = read_lines(done.stderr)
    assert len({line["run_id"] for line in lines}) == 1
    assert {line["level"] for line in lines} == {"INFO"}
    tickets = next(line for line in lines if line.get("resource") == "tickets" and "requests" in line)
    expected = {
        "new": sandbox.world.count("tickets"),
        "changed": 0,
        "deleted": 0,
        "rows": sandbox.world.count("tickets"),
    }
    assert {name: tickets[name] for name in expected} == expected
    assert tickets["message"].startswith(f"tickets: +{expected['new']} new, ")
    names = "tickets, reports, warehouses"
    assert lines[0]["message"] == f"syncing {names} of {sandbox.base_url} into duckdb, cogny_data"
    loaded = next(line for line in lines if line["message"].startswith("tickets: 450 rows loaded"))
    assert loaded["rows"] == 450
    assert "None" not in done.stderr


def test_last_error_is_a_line(cogny: Script, sandbox: SandboxServer) -> None:
    """With its level, exit code and what the API's operators need; with `--verbose` its traceback."""
    done = cogny("sync", "duckdb", *JSON, "--verbose", expect=2, SOURCES__COGNY__API_KEY="sk_live_wrong")
    *_, last = read_lines(done.stderr)
    assert (last["level"], last["exit_code"], last["status"]) == ("ERROR", 2, 401)
    assert last["request_id"]
    assert last["exception"].startswith("Traceback")
    assert "sk_live_wrong" not in done.stderr
    done = cogny("sync", "duckdb", *JSON, "--database", "nowhere/x.duckdb", expect=2)
    assert [line["level"] for line in read_lines(done.stderr)] == ["ERROR"]


def test_differences_are_lines(cogny: Script, sandbox: SandboxServer) -> None:
    """One a row, then the error."""
    cogny("sync", "duckdb", *JSON)
    with duckdb.connect("cogny.duckdb") as db:
        db.execute("UPDATE cogny_data.warehouses SET name = 'other'")
    done = cogny("sync", "duckdb", *JSON, "--verify", "--census", "never", expect=1)
    lines = read_lines(done.stderr)
    differing = [line for line in lines if "kind" in line]
    assert {(line["table"], line["kind"]) for line in differing} <= {("warehouses", "differs")}
    assert lines[-1]["level"] == "ERROR"
    assert done.stdout == ""


def test_repeated_request_names_itself(cogny: Script, sandbox: SandboxServer) -> None:
    """Its path, status and attempt are fields."""
    sandbox.fail_next("error_500")
    lines = read_lines(cogny("sync", "duckdb", *JSON, "--resources", "warehouses").stderr)
    repeated = next(line for line in lines if line.get("attempt") == 1)
    assert (repeated["level"], repeated["path"], repeated["status"]) == ("WARNING", "/warehouses", 500)


def test_check_writes_objects(cogny: Script) -> None:
    """One for each thing that was tried."""
    findings = read_lines(cogny("check", *JSON).stdout)
    assert {finding["ok"] for finding in findings} == {True}
    assert all(finding["message"] for finding in findings)


def test_field_without_a_column_warns_once(cogny: Script, sandbox: SandboxServer) -> None:
    """By its name in quotes, in the first sync that has it; a further one warns then."""
    row = {**sandbox.world.rows("warehouses")[0], "id": "wh_odd"}
    sandbox.world.put("warehouses", {**row, "sync": 1})
    sync = ("sync", "duckdb", "--resources", "warehouses", "--quiet")
    told = 'WARNING warehouses: the field "{}" fits no column; its values are kept in extra\n'
    assert told.format("sync") in cogny(*sync).stderr
    sandbox.world.put("warehouses", {**row, "sync": 2})
    assert cogny(*sync).stderr == ""
    with duckdb.connect("cogny.duckdb") as db:
        db.execute(
            "UPDATE cogny_data.sync_runs SET undeclared_fields = '[1]' WHERE started_at = (SELECT max(started_at)"
            " FROM cogny_data.sync_runs)"
        )
    sandbox.world.put("warehouses", {**row, "sync": 2, "sla": 3})
    shown = cogny(*sync).stderr
    assert told.format("sla") in shown
    assert "sync" not in shown
