"""The start date belongs to the dataset: each later command keeps to it, until an earlier one is named."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cogny_source.sandbox import SandboxServer
from tests.support.syncs import Script
from tests.support.truth import Ask, assert_exact

Born = Callable[[str, int], str]


@pytest.fixture
def born(sandbox: SandboxServer) -> Born:
    """When the row of a resource at a place by age was created."""

    def find(resource: str, place: int) -> str:
        return sorted(str(row["created_at"]) for row in sandbox.world.rows(resource))[place]

    return find


def count_since(sandbox: SandboxServer, resource: str, instant: str) -> int:
    """How many rows were created at an instant or later."""
    start = datetime.fromisoformat(instant)
    return sum(datetime.fromisoformat(row["created_at"]) >= start for row in sandbox.world.rows(resource))


def held(database: Ask, table: str) -> int:
    """The rows of a table."""
    [(rows,)] = database(f"SELECT count(*) FROM {table}")
    return int(str(rows))


@pytest.mark.parametrize(
    "command", [("sync", "duckdb"), ("sync", "duckdb", "--full-refresh"), ("verify",), ("census",)], ids=" ".join
)
def test_command_without_a_date_keeps_to_the_datasets(
    command: tuple[str, ...], sandbox: SandboxServer, cogny: Script, born: Born, database: Ask, tmp_path: Path
) -> None:
    """On another machine too: the date is in the destination. Rows before it stay out when they change."""
    start = born("tickets", 300)
    cogny("sync", "duckdb", "--start-date", start)
    shutil.rmtree(tmp_path / "home/.dlt")
    old = min(sandbox.world.rows("tickets"), key=lambda row: str(row["created_at"]))
    sandbox.world.patch("tickets", old["id"], status="completed")
    cogny(*command)
    assert held(database, "tickets") == count_since(sandbox, "tickets", start)
    assert held(database, "reports") == count_since(sandbox, "reports", start)


def test_verification_compares_from_the_date_on(
    sandbox: SandboxServer, cogny: Script, born: Born, tmp_path: Path
) -> None:
    """It verifies what the dataset holds, and takes the reading options of a sync."""
    start = born("tickets", 300)
    cogny("sync", "duckdb", "--resources", "tickets", "--start-date", start)
    told = cogny("verify", "--resources", "tickets", "--workers", "1", "--chunk-rows", "100", "--no-history").stdout
    assert f"Verified {count_since(sandbox, 'tickets', start):,} rows: all as the API lists them." in told


@pytest.mark.parametrize("command", [("sync", "duckdb"), ("verify",), ("census",)], ids=" ".join)
def test_earlier_date_loads_what_lies_between(
    command: tuple[str, ...], sandbox: SandboxServer, cogny: Script, born: Born, database: Ask
) -> None:
    """And is the dataset's from then on."""
    cogny("sync", "duckdb", "--resources", "tickets", "--start-date", born("tickets", 300))
    cogny(*command, "--resources", "tickets", "--start-date", born("tickets", 100))
    wanted = count_since(sandbox, "tickets", born("tickets", 100))
    assert held(database, "tickets") == wanted
    cogny("census", "--resources", "tickets")
    assert held(database, "tickets") == wanted


def test_later_date_takes_nothing_away(sandbox: SandboxServer, cogny: Script, born: Born, database: Ask) -> None:
    """Rows that are loaded stay, and are brought up to date."""
    cogny("sync", "duckdb", "--resources", "tickets", "--start-date", born("tickets", 100))
    row = sorted(sandbox.world.rows("tickets"), key=lambda row: str(row["created_at"]))[200]
    sandbox.world.patch("tickets", row["id"], assignee="someone@example.com")
    cogny("sync", "duckdb", "--resources", "tickets", "--start-date", born("tickets", 300))
    assert held(database, "tickets") == count_since(sandbox, "tickets", born("tickets", 100))
    assert database(f"SELECT assignee FROM tickets WHERE id = '{row['id']}'") == [("someone@example.com",)]


@pytest.mark.parametrize("way", [{"SOURCES__COGNY__START_DATE": "all"}, {}], ids=["setting", "option"])
def test_all_loads_everything(
    way: dict[str, str], sandbox: SandboxServer, sync_here: Script, born: Born, database: Ask
) -> None:
    """The word is for the option and the setting."""
    sync_here("--start-date", born("tickets", 300))
    sync_here(*(() if way else ("--start-date", "all")), **way)
    assert_exact(database, sandbox.world)


def test_reset_keeps_the_date(sandbox: SandboxServer, cogny: Script, born: Born, database: Ask) -> None:
    """It says from when on the next sync reads all rows, which then does."""
    start = born("tickets", 300)
    cogny("sync", "duckdb", "--start-date", start)
    told = cogny("reset", "tickets", "--yes").stdout
    assert f"reads all rows from {datetime.fromisoformat(start).astimezone(UTC):%Y-%m-%dT%H:%M:%S}" in told
    cogny("sync", "duckdb")
    assert held(database, "tickets") == count_since(sandbox, "tickets", start)


def test_resource_that_is_added_later_has_the_datasets_date(
    sandbox: SandboxServer, cogny: Script, born: Born, database: Ask
) -> None:
    """Unless it names its own."""
    start = born("reports", 20)
    cogny("sync", "duckdb", "--resources", "tickets", "--start-date", start)
    cogny("sync", "duckdb", "--resources", "reports,warehouses")
    assert held(database, "reports") == count_since(sandbox, "reports", start)
    assert held(database, "warehouses") == 5
    cogny("sync", "duckdb", "--resources", "reports", "--start-date", born("reports", 5))
    assert held(database, "reports") == count_since(sandbox, "reports", born("reports", 5))
    assert held(database, "tickets") == count_since(sandbox, "tickets", start)


def test_first_load_that_was_cut_off_goes_on_from_its_date(
    sandbox: SandboxServer, cogny: Script, born: Born, database: Ask
) -> None:
    """A verification after it reads what was left, and no row before the date."""
    start = born("tickets", 100)
    sandbox.switches.revoked_after_requests = len(sandbox.requests) + 4
    cogny("sync", "duckdb", "--resources", "tickets", "--chunk-rows", "100", "--start-date", start, expect=2)
    assert 0 < held(database, "tickets") < count_since(sandbox, "tickets", start)
    sandbox.switches.revoked_after_requests = None
    cogny("verify", "--resources", "tickets")
    assert held(database, "tickets") == count_since(sandbox, "tickets", start)


def test_dropped_table_is_read_again_from_its_date(
    sandbox: SandboxServer, cogny: Script, born: Born, database: Ask, tmp_path: Path, ask: Ask
) -> None:
    """The state that is left has it."""
    start = born("tickets", 300)
    cogny("sync", "duckdb", "--resources", "tickets", "--start-date", start)
    ask("DROP TABLE tickets")
    cogny("sync", "duckdb", "--resources", "tickets")
    assert held(database, "tickets") == count_since(sandbox, "tickets", start)


def test_window_begins_at_the_datasets_date(sandbox: SandboxServer, cogny: Script, born: Born, database: Ask) -> None:
    """Unless it names a beginning; one that would be empty is refused in a sentence."""
    cogny("sync", "duckdb", "--resources", "tickets", "--start-date", born("tickets", 300))
    before = held(database, "tickets")
    cogny("sync", "duckdb", "--resources", "tickets", "--end-date", born("tickets", 400))
    assert held(database, "tickets") == before
    told = cogny("sync", "duckdb", "--resources", "tickets", "--end-date", born("tickets", 200), expect=2).stderr
    assert "end_date lies before" in told
    assert "name a start_date too" in told
    cogny("sync", "duckdb", "--resources", "tickets", "--start-date", "all", "--end-date", born("tickets", 10))
    assert held(database, "tickets") == before + 450 - count_since(sandbox, "tickets", born("tickets", 0)) + 10
    cogny("sync", "duckdb", "--resources", "tickets", "--log-format", "json")
    assert held(database, "tickets") == before + 10
