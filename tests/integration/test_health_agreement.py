"""What is told of a dataset: exit code, text, JSON, page and alert rest on one judgement, whatever happened to it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from cogny_source.sandbox import SandboxServer, World
from tests.support.report_page import Page
from tests.support.syncs import Script
from tests.support.webhook import Webhook

Problems = set[tuple[str | None, str]]
NAMES = ("tickets", "reports", "warehouses")
TITLES = {"ok": "Yes.", "warn": "With care.", "error": "Not now."}


class Dataset:
    """A dataset that is synced, and whoever is called for it.

    Args:
        cogny: Runs the command.
        sandbox: The API.
        webhook: What is told of failures.
    """

    def __init__(self, cogny: Script, sandbox: SandboxServer, webhook: Webhook) -> None:
        self.cogny = cogny
        self.sandbox = sandbox
        self.webhook = webhook

    def sync(self, *arguments: str, expect: int = 0, **variables: str) -> None:
        """Sync it."""
        settings = {"SOURCES__COGNY__ALERT_WEBHOOK": self.webhook.url, **variables}
        self.cogny("sync", "duckdb", "--quiet", *arguments, expect=expect, **settings)

    def delete(self, rows: int) -> None:
        """Delete tickets."""
        for row in self.sandbox.world.rows("tickets")[:rows]:
            self.sandbox.world.delete("tickets", row["id"])


def delete_five(dataset: Dataset) -> None:
    """Five tickets are deleted, and no census may mark them."""
    dataset.sync()
    dataset.delete(5)
    dataset.sync("--census", "never")


def use_a_wrong_key(dataset: Dataset) -> None:
    """A run fails."""
    dataset.sync()
    dataset.sync(expect=2, SOURCES__COGNY__API_KEY="sk_test_other")


def delete_many(dataset: Dataset) -> None:
    """So many are deleted that a person must accept it."""
    dataset.sync()
    dataset.delete(60)
    dataset.sync(expect=1)


def interrupt_a_listing(dataset: Dataset) -> None:
    """A run that ends in the middle of the list of changes."""
    dataset.sync()
    for row in dataset.sandbox.world.rows("tickets")[:400]:
        dataset.sandbox.world.patch("tickets", row["id"], notes="changed")
    dataset.sandbox.switches.revoked_after_requests = len(dataset.sandbox.requests) + 4
    dataset.sync("--chunk-rows", "100", "--resources", "tickets", expect=2)


def reset_reports(dataset: Dataset) -> None:
    """A resource is reset, and another is synced."""
    dataset.sync()
    dataset.cogny("reset", "reports", "--yes")
    dataset.sync("--resources", "tickets")


def change_a_row(dataset: Dataset) -> None:
    """Somebody changes a row, and a verification finds it."""
    dataset.sync()
    with duckdb.connect("cogny.duckdb") as connection:
        connection.execute(
            "UPDATE cogny_data.tickets SET title = 'mine' WHERE id = (SELECT min(id) FROM cogny_data.tickets)"
        )
    dataset.sync("--verify", expect=1)


def stop_counting(dataset: Dataset) -> None:
    """The API no longer counts its rows."""
    dataset.sync()
    dataset.sandbox.switches.total_count = False
    dataset.sync()


@pytest.mark.parametrize(
    ("happens", "level", "problems", "codes"),
    [
        (Dataset.sync, "ok", set(), []),
        (lambda dataset: dataset.sync("--resources", "tickets"), "ok", set(), []),
        (delete_five, "warn", {("tickets", "counts_differ")}, []),
        (stop_counting, "warn", {("tickets", "not_counted"), ("reports", "not_counted")}, []),
        (use_a_wrong_key, "error", {(name, "run_failed") for name in NAMES}, [2]),
        (delete_many, "error", {("tickets", "run_failed"), ("tickets", "deletions_refused")}, [1]),
        (interrupt_a_listing, "error", {("tickets", "run_failed"), ("tickets", "spans_unproven")}, [2]),
        (reset_reports, "error", {("reports", "reset")}, [0]),
        (change_a_row, "error", {("tickets", "rows_differ")}, [1]),
    ],
)
def test_all_tell_the_same(
    cogny: Script,
    sandbox: SandboxServer,
    webhook: Webhook,
    happens: Callable[[Dataset], None],
    level: str,
    problems: Problems,
    codes: list[int],
) -> None:
    """An error ends `status` with 1 and calls somebody; what needs care does neither, and is told everywhere."""
    happens(Dataset(cogny, sandbox, webhook))
    assert_agreement(cogny, level, problems)
    found = [re.search(r"ended with exit code (\d+)\. ", told["text"]) for told in webhook.told]
    assert [told and int(told[1]) for told in found] == codes


def assert_agreement(cogny: Script, level: str, problems: Problems) -> None:
    """Hold everything that is told against one level and its reasons."""
    fails = int(level == "error")
    text = cogny("status", expect=fails).stdout
    told = json.loads(cogny("status", "--format", "json", expect=fails).stdout)
    cogny("status", "--fail-on", "warn", expect=int(level != "ok"))
    cogny("dashboard")
    page = Page(Path("report.html").read_text(encoding="utf-8"))
    assert (told["healthy"], told["level"]) == (not fails, level)
    assert {(found["resource"], found["kind"]) for found in told["findings"]} == problems
    assert text.startswith(f"{level.upper()}: ")
    assert TITLES[level] in page.texts["answer"][0]
    tiles = [leave_out_seconds(tile) for tile in page.texts["tile"]]
    for found in told["findings"]:
        advice = leave_out_seconds(f"{found['sentence']}; {found['remedy']}")
        assert f"{found['level'].upper()}: {advice}" in leave_out_seconds(text)
        assert any(advice in tile for tile in tiles)


def leave_out_seconds(text: str) -> str:
    """A text in which what was some seconds ago is as long ago as whatever else was: the answers come one by one."""
    return re.sub(r"[\d.]+ s ago", "just now", text)


@pytest.mark.parametrize(("hours", "level", "kind"), [(25, "warn", "late"), (73, "error", "stale")])
def test_late_data_is_told_alike(cogny: Script, hours: int, level: str, kind: str) -> None:
    """Where one run is on record, a day is late, and three are an error; an age that is allowed wins over both."""
    born = datetime.now(UTC) - timedelta(hours=hours)
    with SandboxServer(World(seed=7, tickets=20, reports=5, warehouses=2, now=born)) as sandbox:
        cogny("sync", "duckdb", "--quiet", SOURCES__COGNY__BASE_URL=sandbox.base_url)
    assert_agreement(cogny, level, {("tickets", kind), ("reports", kind)})
    told = json.loads(cogny("status", "--format", "json", "--max-age", "100h").stdout)
    assert (told["level"], told["findings"]) == ("ok", [])
    cogny("dashboard", "--max-age", "100h")
    assert "Yes.</strong>" in Path("report.html").read_text(encoding="utf-8")
    told = json.loads(cogny("status", "--format", "json", "--max-age", "3h", expect=1).stdout)
    assert {found["kind"] for found in told["findings"]} == {"too_old"}


def test_dataset_that_was_never_synced_is_told_alike(cogny: Script) -> None:
    """No page is written of what is not there; of an empty dataset in a database that is, it says so."""
    [found] = read_findings(cogny, "status", expect=1)
    assert (found["resource"], found["kind"]) == (None, "never_synced")
    assert "nothing was synced there yet" in cogny("dashboard", expect=2).stderr
    cogny("sync", "duckdb", "--quiet")
    assert [found["kind"] for found in read_findings(cogny, "status", "--dataset", "other", expect=1)] == [
        "never_synced"
    ]
    cogny("dashboard", "--dataset", "other")
    assert "There is no data yet.</strong>" in Path("report.html").read_text(encoding="utf-8")


def read_findings(cogny: Script, *arguments: str, expect: int = 0) -> list[dict[str, object]]:
    """The findings in the JSON."""
    found: list[dict[str, object]] = json.loads(cogny(*arguments, "--format", "json", expect=expect).stdout)["findings"]
    return found


def test_resources_that_must_be_synced_are_named(cogny: Script) -> None:
    """A schedule for some of them is well; a monitor may name those that it counts on."""
    cogny("sync", "duckdb", "--quiet", "--resources", "tickets")
    assert read_findings(cogny, "status", "--resources", "tickets") == []
    [found] = read_findings(cogny, "status", "--resources", "tickets,reports", expect=1)
    assert (found["resource"], found["kind"]) == ("reports", "never_synced")
    assert "reports     not synced" in cogny("status").stdout
    [found] = read_findings(cogny, "status", "--resources", "bananas", expect=2)
    assert str(found["sentence"]).startswith("unknown resource bananas")


def test_rows_that_went_at_once_are_well_once_accepted(cogny: Script, sandbox: SandboxServer, webhook: Webhook) -> None:
    """Until then the cause and the command are told."""
    dataset = Dataset(cogny, sandbox, webhook)
    delete_many(dataset)
    assert "cogny census --accept-deletions" in cogny("status", expect=1).stdout
    dataset.sync("--accept-deletions")
    assert_agreement(cogny, "ok", set())


def test_rows_that_were_not_counted_are_well_after_a_census(
    cogny: Script, sandbox: SandboxServer, webhook: Webhook
) -> None:
    """It has looked at every row instead."""
    stop_counting(Dataset(cogny, sandbox, webhook))
    cogny("census", "--quiet")
    assert_agreement(cogny, "ok", set())


def test_killed_run_is_on_the_page(cogny: Script, tmp_path: Path) -> None:
    """Its record is in the journal alone, as it could load none."""
    cogny("sync", "duckdb", "--quiet")
    [lock] = (tmp_path / "home" / ".dlt").rglob("cogny.lock")
    journal = lock.parent / "cogny.runs"
    journal.mkdir(exist_ok=True)
    row = {"run_id": "k", "resource": "tickets", "mode": "incremental", "status": "killed", "error": "why"}
    (journal / "k.json").write_text(json.dumps([{**row, "started_at": datetime.now(UTC).isoformat()}]))
    assert_agreement(cogny, "error", {("tickets", "run_killed")})


def test_comparison_is_told(cogny: Script) -> None:
    """Status, its JSON and the page tell within how many days every row was compared."""
    cogny("sync", "duckdb", "--quiet")
    told = "every row was compared with the API within the last day"
    assert cogny("status").stdout.count(told) == 3
    resources = json.loads(cogny("status", "--format", "json").stdout)["resources"]
    assert all(datetime.fromisoformat(known["compared_since"]) <= datetime.now(UTC) for known in resources)
    cogny("dashboard")
    assert Path("report.html").read_text(encoding="utf-8").count(told) == 3


def test_errors_are_json_too(cogny: Script, tmp_path: Path) -> None:
    """A monitor reads why there is nothing to tell, with the exit code of the error; standard error has it, too."""
    (tmp_path / "text.duckdb").write_text("this is no database")
    for database, sentence in (("text.duckdb", "is not a DuckDB database"), ("no/x.duckdb", "does not exist")):
        done = cogny("status", "--database", database, "--format", "json", expect=2)
        told = json.loads(done.stdout)
        assert (told["healthy"], told["level"], told["resources"]) == (False, "error", [])
        [found] = told["findings"]
        assert (found["kind"], found["resource"]) == ("not_read", None)
        assert sentence in found["sentence"]
        assert done.stderr == f"Error: {found['sentence']}\n"
        assert cogny("status", "--database", database, expect=2).stdout == ""
