"""The commands of the client: what they print, how they ask, and how they end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any
from unittest.mock import patch

import click
import pytest
from click.testing import CliRunner

from cogny_source.cli import main
from cogny_source.cli.report_progress import Progress, show_wait
from cogny_source.client import Report
from cogny_source.sandbox import SandboxServer
from tests.support.syncs import KEY, Script


@pytest.fixture(autouse=True)
def quick(sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let reports be made at once and be looked at soon, and one warehouse be connected."""
    monkeypatch.setattr("cogny_source.client.waiting.FIRST_SECONDS", 0.01)
    sandbox.switches.report_seconds = 0.0
    sandbox.world.patch("warehouses", warehouse(sandbox), status="connected")


def warehouse(sandbox: SandboxServer) -> str:
    """The first warehouse."""
    return str(sandbox.world.rows("warehouses")[0]["id"])


def objects(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """What a command printed, an object a line."""
    return [json.loads(line) for line in done.stdout.splitlines()]


def writes(sandbox: SandboxServer) -> list[tuple[str, str]]:
    """The requests that wrote."""
    return [(record.method, record.path) for record in sandbox.requests if record.method != "GET"]


def test_a_report_from_its_question_to_its_content(cogny: Script, sandbox: SandboxServer) -> None:
    """Created and waited for; its content is JSON in a pipe."""
    question = ["--prompt", "Why?", "--from", "2025-02-01", "--to", "2025-02-03", "--metadata", "team=growth"]
    [report] = objects(cogny("reports", "create", "--warehouse", warehouse(sandbox), *question, "--wait"))
    assert (report["status"], report["prompt"], report["metadata"]["team"]) == ("completed", "Why?", "growth")
    [content] = objects(cogny("reports", "content", report["id"]))
    assert content["report_id"] == report["id"]
    events = objects(cogny("reports", "stream", report["id"]))
    assert [event["type"] for event in events][-2:] == ["visualization", "completed"]
    [waited] = objects(cogny("reports", "wait", report["id"]))
    assert waited == objects(cogny("reports", "get", report["id"]))[0]


def test_a_prompt_from_standard_input(cogny: Script, sandbox: SandboxServer) -> None:
    """As long as the API takes."""
    arguments = ["reports", "create", "--warehouse", warehouse(sandbox), "--prompt", "-"]
    [report] = objects(cogny(*arguments, typed="x" * 2000))
    assert report["prompt"] == "x" * 2000
    done = cogny(*arguments, typed="x" * 2001, expect=2)
    assert "prompt has 2,001 characters; it may have 2,000" in done.stderr


@pytest.mark.parametrize("command", ["create", "wait", "stream"])
def test_a_report_that_failed_ends_with_1(cogny: Script, sandbox: SandboxServer, command: str) -> None:
    """The sentence names it."""
    sandbox.switches.failing_reports = 1.0
    create = ["reports", "create", "--warehouse", warehouse(sandbox), "--prompt", "Why?"]
    if command == "create":
        done = cogny(*create, "--wait", expect=1)
    else:
        [report] = objects(cogny(*create))
        done = cogny("reports", command, report["id"], expect=1)
    assert "is failed" in done.stderr or json.loads(done.stdout.splitlines()[-1])["type"] == "error"


def test_a_report_is_cancelled(cogny: Script, sandbox: SandboxServer) -> None:
    """One that is finished cannot be."""
    sandbox.switches.report_seconds = 1000.0
    [report] = objects(cogny("reports", "create", "--warehouse", warehouse(sandbox), "--prompt", "Why?"))
    [cancelled] = objects(cogny("reports", "cancel", report["id"]))
    assert (cancelled["id"], cancelled["status"]) == (report["id"], "cancelled")
    cogny("reports", "cancel", report["id"], expect=1)


def test_an_unknown_outcome_prints_the_token(
    cogny: Script, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With which the same command finds the report."""
    monkeypatch.setattr("cogny_source.client.looking.PAUSES", (0.0,))
    sandbox.switches.listed_after_seconds = 1e6
    sandbox.fail_next("lost_504")
    arguments = ["reports", "create", "--warehouse", warehouse(sandbox), "--prompt", "Why?"]
    done = cogny(*arguments, expect=1)
    token = done.stderr.split("--token ")[1].split()[0]
    sandbox.switches.listed_after_seconds = 0.0
    [report] = objects(cogny(*arguments, "--token", token))
    assert report["id"] == sandbox.world.rows("reports")[-1]["id"]
    assert len(writes(sandbox)) == 1


def test_lists_are_tables_on_a_terminal(cogny: Script, sandbox: SandboxServer) -> None:
    """And an object a line elsewhere; --limit ends them, without reading the rest."""
    rows = sandbox.world.rows("tickets")
    assert objects(cogny("tickets", "list")) == rows
    assert objects(cogny("tickets", "list", "--limit", "3")) == rows[:3]
    assert len(sandbox.requests) == 5 + 1
    table = cogny("tickets", "list", "--limit", "3", "--format", "table").stdout
    assert [row["id"] for row in rows[:3]] == [line.split()[0] for line in table.splitlines() if "tkt_" in line]
    assert "priority" in table
    open_ones = [row for row in rows if row["status"] == "open" and row["priority"] == "high"]
    assert objects(cogny("tickets", "list", "--status", "open", "--priority", "high")) == open_ones
    assert objects(cogny("warehouses", "list")) == sandbox.world.rows("warehouses")
    assert objects(cogny("reports", "list", "--status", "failed")) == [
        row for row in sandbox.world.rows("reports") if row["status"] == "failed"
    ]


def test_objects_are_shown_a_member_a_line(cogny: Script, sandbox: SandboxServer) -> None:
    """With the members of objects within."""
    row = next(row for row in sandbox.world.rows("tickets") if row["assignee"])
    shown = cogny("tickets", "get", row["id"], "--format", "table").stdout
    lines = dict(line.split(maxsplit=1) for line in shown.splitlines())
    assert (lines["id"], lines["estimated_impact.metric"]) == (row["id"], row["estimated_impact"]["metric"])
    stats = cogny("tickets", "stats", "--format", "table").stdout
    assert "by_status.open" in stats


def test_texts_of_the_api_control_no_terminal(cogny: Script, sandbox: SandboxServer) -> None:
    """An escape sequence is shown, not sent."""
    identity = sandbox.world.rows("tickets")[0]["id"]
    sandbox.world.patch("tickets", identity, title="\x1b[31mred [bold]x[/bold]")
    for arguments in (["list", "--limit", "1"], ["get", identity]):
        for output in ("table", "json"):
            assert "\x1b" not in cogny("tickets", *arguments, "--format", output).stdout


def test_a_ticket_is_changed_and_dismissed(cogny: Script, sandbox: SandboxServer) -> None:
    """An empty text clears; what is not named stays."""
    identity = sandbox.world.rows("tickets")[0]["id"]
    changes = ["--status", "in_progress", "--notes", "", "--action-item", "a", "--action-item", "b"]
    [row] = objects(cogny("tickets", "update", identity, *changes))
    assert (row["status"], row["notes"], row["action_items"]) == ("in_progress", None, ["a", "b"])
    [row] = objects(cogny("tickets", "dismiss", identity, "--reason", "other", "--notes", "x"))
    assert (row["status"], row["notes"]) == ("dismissed", "x")
    assert "changes are missing" in cogny("tickets", "update", identity, expect=2).stderr
    assert "Invalid value for '--reason'" in cogny("tickets", "dismiss", identity, "--reason", "x", expect=2).stderr


def test_a_bulk_change_wants_a_yes(cogny: Script, sandbox: SandboxServer) -> None:
    """Where nobody can answer, nothing is changed without --yes."""
    ids = [row["id"] for row in sandbox.world.rows("tickets")[:3]]
    done = cogny("tickets", "bulk-update", *ids, "--priority", "low", expect=2)
    assert "Change 3 tickets: priority=low? Add --yes" in done.stderr
    assert writes(sandbox) == []
    [told] = objects(cogny("tickets", "bulk-update", *ids, "--priority", "low", "--yes"))
    assert told["updated_ids"] == ids
    [told] = objects(cogny("tickets", "bulk-update", "-", "--status", "open", "--yes", typed="\n".join(ids)))
    assert told["updated_count"] == 3
    assert "standard input named no ticket" in cogny("tickets", "bulk-update", "-", "--yes", typed="", expect=2).stderr


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 1), ("", 1)])
def test_a_bulk_change_is_asked_for_on_a_terminal(
    sandbox: SandboxServer, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    """Only a yes changes anything."""
    identity = sandbox.world.rows("tickets")[0]["id"]
    monkeypatch.setattr("cogny_source.cli.client_options.is_answered", lambda: True)
    settings = {"COGNY_API_KEY": KEY, "COGNY_BASE_URL": sandbox.base_url}
    with patch.dict(os.environ, {**environment, **settings}, clear=True):
        done = CliRunner().invoke(main, ["tickets", "bulk-update", identity, "--status", "open"], input=answer)
    assert done.exit_code == code
    assert "Change 1 ticket: status=open?" in done.stderr
    assert ("Nothing was changed." in done.stderr, len(writes(sandbox))) == (code == 1, 1 - code)


def test_an_export_is_written(cogny: Script, sandbox: SandboxServer, tmp_path: Path) -> None:
    """Into a file, to standard output, or its URL is printed; a file that cannot be written is told before."""
    done = cogny("tickets", "export", "--format", "jira", "--status", "open", "--out", "tickets.csv")
    number = sum(row["status"] == "open" for row in sandbox.world.rows("tickets"))
    assert done.stdout == f"tickets.csv is written: {number} tickets.\n"
    assert (tmp_path / "tickets.csv").read_text(encoding="utf-8").startswith("Summary,Description")
    assert cogny("tickets", "export").stdout.startswith("http://localhost:")
    told = cogny("tickets", "export", "--format", "jira", "--status", "open", "--out", "-").stdout
    assert told.splitlines() == (tmp_path / "tickets.csv").read_text(encoding="utf-8").splitlines()
    asked = len(writes(sandbox))
    assert "the folder none is not there" in cogny("tickets", "export", "--out", "none/x.csv", expect=2).stderr
    assert len(writes(sandbox)) == asked
    assert [path.name for path in tmp_path.glob("*csv*")] == ["tickets.csv"]


def test_a_webhook_is_subscribed(cogny: Script, sandbox: SandboxServer) -> None:
    """Its secret comes from the environment, and is printed nowhere."""
    arguments = ["webhooks", "create", "--url", "https://example.com/hook", "--event", "report.completed"]
    done = cogny(*arguments, COGNY_WEBHOOK_SECRET="s3cret")
    assert objects(done)[0]["events"] == ["report.completed"]
    assert "s3cret" not in done.stdout + done.stderr
    told = cogny(*arguments, expect=2).stderr
    assert told == "Error: a secret is missing: set COGNY_WEBHOOK_SECRET where nobody can answer\n"


def test_exit_codes(cogny: Script, sandbox: SandboxServer) -> None:
    """2 for usage, settings and key, 1 for what the API refuses."""
    assert "No API key" in cogny("tickets", "stats", expect=2, SOURCES__COGNY__API_KEY="").stderr
    cogny("tickets", "stats", expect=2, SOURCES__COGNY__API_KEY="sk_live_wrong")
    cogny("reports", "get", "a/b", expect=2)
    cogny("reports", "get", "rpt_none", expect=1)
    cogny("reports", "list", "--status", "open", expect=2)


def test_help_has_examples() -> None:
    """Of each command."""
    for name in ("reports", "tickets", "warehouses", "webhooks"):
        group = main.commands[name]
        assert isinstance(group, click.Group)
        shown = [CliRunner().invoke(main, [name, command, "--help"]).output for command in group.commands]
        assert [text for text in shown if "Example" not in text or "COGNY_API_KEY" not in text] == []


def test_none_of_them_imports_dlt(sandbox: SandboxServer, environment: dict[str, str]) -> None:
    """Nor Arrow, nor DuckDB: they start in a fraction of a sync's time."""
    script = (
        "import sys\n"
        "from cogny_source.cli import main\n"
        "for line in sys.argv[1:]:\n"
        "    try: main(line.split())\n"
        "    except SystemExit as end: assert not end.code, (line, end.code)\n"
        "print([name for name in ('dlt', 'pyarrow', 'duckdb') if name in sys.modules])\n"
    )
    identity = sandbox.world.rows("tickets")[0]["id"]
    commands = ["--help", "reports --help", "reports list --limit 1", f"tickets get {identity}", "warehouses list"]
    settings = {**environment, "COGNY_API_KEY": KEY, "COGNY_BASE_URL": sandbox.base_url}
    done = subprocess.run(
        [sys.executable, "-c", script, *commands, "sandbox --help"],
        env=settings,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "[]"), done.stderr


def test_the_pages_old_name_says_the_new_one(sync_here: Script, cogny: Script, tmp_path: Path) -> None:
    """In one line; it still writes the page, with all options."""
    sync_here("--resources", "warehouses")
    done = cogny("report", "--out", "old.html", "--max-age", "3h")
    assert done.stderr.startswith("cogny report is called cogny dashboard now")
    assert (tmp_path / "old.html").exists()
    assert "called" not in cogny("dashboard", "--out", "new.html").stderr
    assert "  report " not in cogny("--help").stdout


def test_progress_in_a_line() -> None:
    """Of one report its status, of several how many are finished."""
    one, many = Progress(1), Progress(3)
    assert one.describe() == "the report is asked for, waited 0.0 s"
    for progress in (one, many):
        progress.see(Report(id="rpt_1", status="processing"), 45.0)
    assert one.describe() == "the report is processing, waited 45 s"
    many.see(Report(id="rpt_2", status="failed"), 45.0)
    assert (many.done, many.describe(60.0)) == (1, "1 of 3 reports are finished, waited 1 min")


def test_a_line_each_half_a_minute(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where standard error is no terminal."""
    monkeypatch.setattr("cogny_source.cli.report_progress.LINE_EVERY_SECONDS", 0.02)
    with show_wait(2) as on_progress:
        on_progress(Report(id="rpt_1", status="completed"), 3.0)
        threading.Event().wait(0.2)
    assert "1 of 2 reports are finished, waited 0.0 s" in capsys.readouterr().err
