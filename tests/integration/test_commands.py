"""The commands of `cogny` beside the sync: check, status, verify, census, reset, report, schema, sandbox."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner

from cogny_source.cli import main
from cogny_source.destinations.registry import list_column_types
from cogny_source.engine.working_dir import hold_lock
from cogny_source.sandbox import SandboxServer
from cogny_source.schema.markdown import render_tables
from tests.support.contents import list_completed, refusing
from tests.support.syncs import ROOT, Script

Ask = Callable[[str], list[tuple[object, ...]]]


def read_json(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    """The status of each resource by name."""
    return {resource["resource"]: resource for resource in json.loads(done.stdout)["resources"]}


def test_check_tells_a_line_for_each_thing(cogny: Script, tmp_path: Path) -> None:
    """Settings, resources, clock, rate limit and destination; no file is left behind."""
    lines = cogny("check", "--database", "growth.duckdb").stdout.splitlines()
    assert [line.split(": ")[0] for line in lines] == [
        "ok    settings",
        "ok    API, tickets",
        "ok    clock",
        "ok    API, reports",
        "ok    API, warehouses",
        "ok    account",
        "ok    rate limit",
        "ok    API, contents of reports",
        "ok    growth.duckdb",
        "ok    first load",
    ]
    assert "sk_test_sandbox" not in "".join(lines)
    assert list(tmp_path.glob("*.duckdb*")) == []


def test_check_tells_how_long_a_first_load_takes(cogny: Script, sandbox: SandboxServer) -> None:
    """Pages, and two requests more for each list; time by what the reserve leaves; nothing once it was synced."""
    rows = [len(sandbox.world.rows(name)) for name in ("tickets", "reports", "warehouses")]
    requests = sum(-(-known // 100) + 2 for known in rows)
    told = [line for line in cogny("check").stdout.splitlines() if "first load" in line]
    assert told == [f"ok    first load: about {sum(rows):,} rows in {requests} requests"]
    told = cogny("check", SOURCES__COGNY__API_KEY="sk_live_standard_sandbox").stdout.splitlines()
    assert told[-1].endswith(f" {requests} requests, {requests / 90 * 60:.1f} s at 90 a minute")
    cogny("sync")
    assert "first load" not in cogny("check").stdout


def test_check_goes_on_after_a_failure(cogny: Script, sandbox: SandboxServer) -> None:
    """A missing scope and a broken file are both told, each with what mends it, and end with 2."""
    Path("broken.duckdb").write_text("no database")
    done = cogny(
        "check", "--database", "broken.duckdb", expect=2, SOURCES__COGNY__API_KEY="sk_live_reports_only_sandbox"
    )
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAIL")]
    assert [line.split(": ")[0] for line in failed] == [
        "FAIL  API, tickets",
        "FAIL  API, warehouses",
        "FAIL  destination",
    ]
    assert "tickets:read" in failed[0]
    assert "broken.duckdb" in failed[2]


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (403, "FAIL  API, contents of reports: the content is broken; the key needs the scope reports:read"),
        (404, "ok    API, contents of reports: a completed report has none"),
        (None, "ok    API, contents of reports: no report is completed yet"),
    ],
)
def test_check_tries_a_content(cogny: Script, sandbox: SandboxServer, status: int | None, told: str) -> None:
    """A refusal fails it, with what leaves contents out; a report without a content does not."""
    keys = [row["id"] for row in list_completed(sandbox.world)]
    for key in keys if status is None else ():
        sandbox.world.delete("reports", key)
    with refusing(sandbox, keys, status or 500):
        lines = cogny("check", expect=2 if status == 403 else 0).stdout.splitlines()
    [line] = [line for line in lines if "contents" in line]
    assert line.startswith(told)
    assert ("--contents never" in line) == (status == 403)


def test_check_asks_once_with_a_wrong_key(cogny: Script) -> None:
    """A key that is not known is not tried on each resource; the destination is tried all the same."""
    lines = cogny("check", expect=2, SOURCES__COGNY__API_KEY="sk_test_other").stdout.splitlines()
    assert [line[:4] for line in lines] == ["ok  ", "FAIL", "ok  ", "ok  "]


def test_check_tells_what_the_clock_is_worth(cogny: Script, sandbox: SandboxServer) -> None:
    """A clock that is off is told, and is no failure."""
    sandbox.switches.clock_offset_seconds = 3600
    told = [line for line in cogny("check").stdout.splitlines() if "clock" in line]
    assert len(told) == 1
    assert told[0].startswith("ok    clock: this machine is 3,")
    assert told[0].endswith(" s behind the API; a sync goes by the API's")


def test_check_beside_a_session_that_holds_the_file(cogny: Script, tmp_path: Path) -> None:
    """A file that is in use is no failure: a sync waits for it."""
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import duckdb; c = duckdb.connect('held.duckdb'); print('held', flush=True); input()",
        ],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    told = cogny("check", "--database", "held.duckdb").stdout.splitlines()[-1]
    assert told == "ok    held.duckdb: another process has it open, so writing was not tested"
    holder.communicate("\n")


def test_working_directory_that_cannot_be_is_named(cogny: Script) -> None:
    """By a sync, with the variable that names another."""
    Path("file").touch()
    done = cogny("sync", "duckdb", "--quiet", expect=2, DLT_DATA_DIR=str(Path("file").resolve()))
    assert "cannot be written" in done.stderr
    assert "set DLT_DATA_DIR to another" in done.stderr


def test_status_before_the_first_sync(cogny: Script, tmp_path: Path) -> None:
    """Nothing is made by looking, and nothing is well."""
    told = json.loads(cogny("status", "--format", "json", expect=1).stdout)
    assert (told["healthy"], told["level"]) == (False, "error")
    assert told["destination"] == f"{tmp_path / 'cogny.duckdb'} cogny_data"
    assert [(found["kind"], found["resource"]) for found in told["findings"]] == [("never_synced", None)]
    assert {resource["resource"]: resource["level"] for resource in told["resources"]} == dict.fromkeys(
        ("tickets", "reports", "warehouses"), "unsynced"
    )
    shown = cogny("status", expect=1).stdout.splitlines()
    assert shown == [f"ERROR: {tmp_path / 'cogny.duckdb'} cogny_data", "ERROR: it was never synced; run cogny sync"]
    assert list(tmp_path.glob("*.duckdb")) == []


@pytest.mark.parametrize("destination", ["duckdb", "parquet"])
def test_status_after_a_sync(cogny: Script, sandbox: SandboxServer, destination: str) -> None:
    """Rows, watermark and last run of each resource, needing no key."""
    before = datetime.now(UTC)
    cogny("sync", destination, "--quiet")
    told = json.loads(cogny("status", destination, "--format", "json", SOURCES__COGNY__API_KEY="").stdout)
    assert (told["healthy"], told["running"]) == (True, False)
    resources = {resource["resource"]: resource for resource in told["resources"]}
    assert {name: resource["rows"] for name, resource in resources.items()} == {
        name: len(sandbox.world.rows(name)) for name in ("tickets", "reports", "warehouses")
    }
    for name, resource in resources.items():
        assert before - timedelta(seconds=2) <= datetime.fromisoformat(resource["updated_after"])
        assert 0 <= resource["age_seconds"] + 2 < 120
        assert resource["backfill_windows"] == 0
        assert resource["last_run"]["status"] == "done"
        assert resource["last_run"]["mode"] == ("full" if name == "warehouses" else "backfill")
        assert resource["last_error"] is None
    table = cogny("status", destination).stdout
    [head, *lines] = table.splitlines()
    assert head.startswith("OK: ")
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == [*resources, "contents"]
    assert "tickets     450 rows, 0 more marked deleted" in table
    assert "last run: backfill, done, " in table


def test_status_tells_of_a_run_that_failed(cogny: Script, sandbox: SandboxServer) -> None:
    """Of its sentence, though the run could load no record; once a run went well, as the last error."""
    cogny("sync", "duckdb", "--quiet")
    cogny("sync", "duckdb", "--quiet", expect=2, SOURCES__COGNY__API_KEY="sk_test_other")
    done = cogny("status", expect=1)
    assert "ERROR: the last run failed: " in done.stdout
    cogny("sync", "duckdb", "--quiet")
    told = read_json(cogny("status", "--format", "json"))
    assert told["tickets"]["last_run"]["status"] == "done"
    assert told["tickets"]["last_error"]["status"] == "failed"
    assert re.search(r"; last error: [\d-]{10} [\d:]{8}Z, failed$", cogny("status").stdout, re.MULTILINE)


def test_status_beside_a_run(cogny: Script, tmp_path: Path) -> None:
    """A run that holds the lock is told of, and loses nothing by that."""
    cogny("sync", "duckdb", "--quiet")
    [folder] = (tmp_path / "home" / ".dlt").rglob("cogny.lock")
    with hold_lock(folder.parent, "cogny"):
        assert json.loads(cogny("status", "--format", "json").stdout)["running"] is True
        assert "A run works on it now." in cogny("status").stdout
    assert json.loads(cogny("status", "--format", "json").stdout)["running"] is False


@contextmanager
def another_run(folder: Path) -> Iterator[threading.Event]:
    """Hold the lock in another thread, until the event is set or the block ends."""
    held, done = threading.Event(), threading.Event()

    def run() -> None:
        with hold_lock(folder, "cogny"):
            held.set()
            done.wait(60)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert held.wait(10)
        yield done
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize("command", ["sync", "verify", "census"])
def test_a_run_waits_for_another_one(cogny: Script, tmp_path: Path, command: str) -> None:
    """A scheduled run beside a slow one, or beside a resident puller, says that it waits, and is done."""
    cogny("sync", "--resources", "warehouses")
    [lock] = (tmp_path / "home" / ".dlt").rglob("cogny.lock")
    with another_run(lock.parent) as done:
        threading.Timer(1.0, done.set).start()
        told = cogny(command, "--resources", "warehouses").stderr
    assert f"another run holds {lock} (process {os.getpid()}, since " in told
    assert "; waiting for it, at most 10 min" in told


@pytest.mark.parametrize(("wait", "told"), [("0s", ""), ("1s", " for 1.0 s")])
def test_a_run_does_not_wait_longer_than_it_may(cogny: Script, tmp_path: Path, wait: str, told: str) -> None:
    """It ends with 75, and has asked nothing."""
    cogny("sync", "--resources", "warehouses")
    [lock] = (tmp_path / "home" / ".dlt").rglob("cogny.lock")
    with another_run(lock.parent):
        done = cogny("sync", "--wait-for-run", wait, expect=75)
    assert f"another run holds {lock}{told} (process " in done.stderr
    assert done.stderr.endswith("; this one changed nothing\n")


def test_wrong_age_is_refused() -> None:
    """With what it may be."""
    done = CliRunner().invoke(main, ["status", "--max-age", "soon"])
    assert done.exit_code == 2
    assert "write 90m, 3h or 2d" in done.output


def test_status_knows_the_destination_from_the_environment(cogny: Script) -> None:
    """As a container sets it once for all commands; variables of other destinations do no harm."""
    variables = {"COGNY_DESTINATION": "parquet", "COGNY_BUCKET_URL": "exports", "COGNY_DATABASE": "other.duckdb"}
    cogny("sync", "parquet", "--quiet", **variables)
    assert read_json(cogny("status", "--format", "json", **variables))["tickets"]["level"] == "ok"


def test_option_of_another_destination_is_refused(cogny: Script) -> None:
    """Rather than left aside, as if it had been heeded."""
    done = cogny("status", "duckdb", "--bucket-url", "exports", expect=2)
    assert "--bucket-url does not go with duckdb" in done.stderr


def test_verify_compares_after_a_sync(cogny: Script, database: Ask) -> None:
    """A cell that somebody changed is found, named, and ends with 1."""
    assert "all as the API lists them" in cogny("verify").stdout
    with duckdb.connect("cogny.duckdb") as connection:
        [(key,)] = connection.execute("SELECT min(id) FROM cogny_data.tickets").fetchall()
        connection.execute("UPDATE cogny_data.tickets SET title = 'mine' WHERE id = ?", [key])
    done = cogny("verify", "--resources", "tickets", expect=1)
    assert key in done.stdout
    assert "--census mends them" in done.stderr


def test_census_marks_what_is_gone(cogny: Script, sandbox: SandboxServer, database: Ask) -> None:
    """Now, also where the counts of both sides agree."""
    cogny("sync", "duckdb", "--quiet")
    gone = sandbox.world.rows("tickets")[0]["id"]
    sandbox.world.delete("tickets", gone)
    cogny("census", "--quiet")
    assert database("SELECT id FROM tickets WHERE deleted_at IS NOT NULL") == [(gone,)]


@pytest.mark.parametrize("destination", ["duckdb", "parquet"])
def test_reset_reads_all_again(cogny: Script, sandbox: SandboxServer, destination: str) -> None:
    """The rows stay, the other resources go on where they were, and `sync_runs` tells of it."""
    cogny("sync", destination, "--quiet")
    done = cogny("reset", "tickets", destination, typed="y\n")
    rows = len(sandbox.world.rows("tickets"))
    requests = -(-rows // 100)
    assert f"The {rows:,} rows stay; the next sync reads all rows again, in about {requests} requests" in done.stdout
    assert "tickets is reset" in done.stdout
    done = cogny("status", destination, "--format", "json", expect=1)
    told, [found] = read_json(done), json.loads(done.stdout)["findings"]
    assert (found["resource"], found["kind"], found["level"]) == ("tickets", "reset", "error")
    assert (told["tickets"]["rows"], told["tickets"]["updated_after"]) == (rows, None)
    assert told["tickets"]["last_run"]["mode"] == "reset"
    assert told["reports"]["updated_after"] is not None
    asked = len(sandbox.requests)
    cogny("sync", destination, "--quiet")
    assert len([r for r in sandbox.requests[asked:] if r.path == "/v1/tickets"]) >= requests
    assert read_json(cogny("status", destination, "--format", "json"))["tickets"]["last_run"]["mode"] == "backfill"
    assert "all as the API lists them" in cogny("verify", destination).stdout


def test_reset_asks_first(cogny: Script) -> None:
    """A person who says no has lost nothing."""
    cogny("sync", "duckdb", "--quiet")
    before = read_json(cogny("status", "--format", "json"))["tickets"]["updated_after"]
    done = cogny("reset", "tickets", typed="n\n", expect=1)
    assert "Reset it? [y/N]" in done.stdout
    assert "Nothing was reset." in done.stdout
    assert "--yes resets without asking" in cogny("reset", "tickets", typed="", expect=2).stderr
    assert read_json(cogny("status", "--format", "json"))["tickets"]["updated_after"] == before


def test_reset_of_what_is_not_there(cogny: Script, tmp_path: Path) -> None:
    """Is refused in words, and makes no file."""
    assert "nothing was synced there yet" in cogny("reset", "tickets", "--yes", expect=2).stderr
    assert list(tmp_path.glob("*.duckdb")) == []
    cogny("sync", "duckdb", "--quiet")
    assert "nothing was synced there" in cogny("reset", "tickets", "--dataset", "never", "--yes", expect=2).stderr
    with duckdb.connect("cogny.duckdb", read_only=True) as connection:
        assert connection.execute("SELECT * FROM duckdb_schemas() WHERE schema_name = 'never'").fetchall() == []


def test_reset_waits_for_no_run(cogny: Script, tmp_path: Path) -> None:
    """While a run works on the database, it is refused like a second run."""
    cogny("sync", "duckdb", "--quiet")
    [folder] = (tmp_path / "home" / ".dlt").rglob("cogny.lock")
    with hold_lock(folder.parent, "cogny"):
        done = subprocess.run(
            [sys.executable, "-m", "cogny_source", "reset", "tickets", "--yes"],
            cwd=tmp_path,
            env={
                "PATH": "",
                "DLT_DATA_DIR": str(tmp_path / "home" / ".dlt"),
                "HOME": str(tmp_path / "home"),
                "PYTHONPATH": str(ROOT),
            },
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 75
    assert f"another run holds {folder} (process {os.getpid()}, since 20" in done.stderr


def test_schema_is_printed_in_three_forms() -> None:
    """Markdown as the page in docs, DBML and JSON with the same tables and columns."""
    runner = CliRunner()
    assert runner.invoke(main, ["schema"]).output == render_tables(list_column_types())
    told = json.loads(runner.invoke(main, ["schema", "--format", "json"]).output)
    dbml = runner.invoke(main, ["schema", "--format", "dbml"]).output
    assert [table["name"] for table in told] == [
        line.split()[1] for line in dbml.splitlines() if line.startswith("Table ")
    ]
    lists = next(table for table in told if table["name"] == "tickets__action_items")
    assert lists["primary_key"] == ["ticket_id", "position"]
    assert lists["references"] == [{"column": "ticket_id", "table": "tickets", "parent_column": "id"}]
    assert "Ref: tickets__action_items.ticket_id > tickets.id" in dbml
    versions = next(table for table in told if table["name"] == "tickets_history")
    assert versions["references"] == [{"column": "id", "table": "tickets", "parent_column": "id"}]
    assert "Ref: tickets_history.id > tickets.id" in dbml
    assert "    (ticket_id, position) [pk]" in dbml


COMMANDS = ("check", "config", "sync", "status", "runs", "query", "open", "verify", "census", "reset", "dashboard")


def test_help_names_the_commands() -> None:
    """Each with examples."""
    runner = CliRunner()
    shown = runner.invoke(main, ["--help"]).output
    for name in (*COMMANDS, "schema", "sandbox"):
        assert name in shown
        if name not in ("sync", "sandbox"):
            assert "Examples:" in runner.invoke(main, [name, "--help"]).output


def test_report_is_written(cogny: Script, sandbox: SandboxServer) -> None:
    """One file, with the tickets that there are; not for what was never synced."""
    assert "nothing was synced there yet" in cogny("dashboard", expect=2).stderr
    cogny("sync", "duckdb", "--quiet")
    assert cogny("dashboard", "--out", "page.html", SOURCES__COGNY__API_KEY="").stdout == "page.html is written.\n"
    assert f"{len(sandbox.world.rows('tickets')):,}" in Path("page.html").read_text(encoding="utf-8")
    assert "the folder nowhere is not there" in cogny("dashboard", "--out", "nowhere/page.html", expect=2).stderr
