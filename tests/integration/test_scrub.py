"""The scrub: what no watermark and no count shows is found within a week, and mended."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import dlt
import duckdb
import pytest

from cogny_source import sync
from cogny_source.api.http_client import make_client
from cogny_source.api.meter import Meter
from cogny_source.destinations.registry import open_session
from cogny_source.engine.run_record import SyncResult
from cogny_source.extract.context import ReadContext
from cogny_source.extract.endpoints import ENDPOINTS
from cogny_source.extract.plan import Census, DeletionGuard
from cogny_source.reconcile.coverage import Coverage
from cogny_source.reconcile.scrub import Scrub
from cogny_source.records.chunk import Chunk
from cogny_source.sandbox import SandboxServer, World
from cogny_source.settings import Settings
from cogny_source.timestamps import format_instant
from tests.support.syncs import Script, make_pipeline, settings_for, wait
from tests.support.truth import Ask, assert_exact, read_gone

BIRTH = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def sandbox() -> Iterator[SandboxServer]:
    """A world whose clock stands still but for what the test does."""
    with SandboxServer(World(seed=7, tickets=1_250, reports=40, warehouses=5, now=BIRTH)) as server:
        yield server


def run(sandbox: SandboxServer, tmp_path: Path, **values: Any) -> SyncResult:
    """A sync as a new process would do it; it never looks back, so that the scrub is alone."""
    return sync(make_pipeline(tmp_path), settings_for(sandbox, lookback_hours=0.0, **values))


def spoil(sandbox: SandboxServer, tmp_path: Path) -> None:
    """Wrong in every way that watermark and counts do not show: rows of long ago changed, went and came."""
    old = format_instant(sandbox.world.now - timedelta(days=90))
    rows = sandbox.world.rows("tickets")
    sandbox.world.patch("tickets", rows[150]["id"], notes="without a new time", updated_at=rows[150]["updated_at"])
    sandbox.world.patch("tickets", rows[1100]["id"], action_items=["other"], updated_at=rows[1100]["updated_at"])
    sandbox.world.delete("tickets", rows[700]["id"])
    sandbox.world.put("tickets", {**rows[800], "id": "tkt_imported", "created_at": old, "updated_at": old})
    report = sandbox.world.rows("reports")[3]
    sandbox.world.patch("reports", report["id"], prompt="rewritten", updated_at=report["updated_at"])


def test_what_no_count_shows_is_mended_within_a_week(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """Seven syncs, a day apart, compare every row, and tell what was wrong and since when all is compared."""
    sync(pipeline, settings_for(sandbox))
    spoil(sandbox, tmp_path)
    found: dict[str, int] = {}
    began = sandbox.world.now
    for _ in range(7):
        wait(sandbox, days=1)
        result = run(sandbox, tmp_path)
        tickets, reports, _ = result.resources
        for name in (*tickets.counts.corrections.elements(), *reports.counts.corrections.elements()):
            found[name] = found.get(name, 0) + 1
        assert tickets.counts.compared_rows <= 400
    assert found == {"differs": 3, "missing": 1, "not listed": 1}
    assert_exact(ask, sandbox.world, but=read_gone(ask, sandbox.world))
    assert tickets.counts.compared_since is not None
    assert tickets.counts.compared_since > began
    [(since, told)] = ask(
        "SELECT max(compared_since), string_agg(corrections::VARCHAR, '' ORDER BY started_at) FROM sync_runs"
        " WHERE resource = 'reports' AND corrections IS NOT NULL"
    )
    assert json.loads(told) == {"differs": 1}
    assert since is not None


def test_summary_tells_what_was_mended(sandbox: SandboxServer, sync_here: Script, tmp_path: Path) -> None:
    """A person sees after a sync which rows had been wrong, and how."""
    sync_here("--quiet")
    spoil(sandbox, tmp_path)
    done = sync_here("--census")
    line = "tickets: rows that no change and no count had shown are mended: 2 differs, 1 missing."
    assert line in done.stdout.splitlines()


def test_sync_soon_after_the_last_compares_nothing(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, tmp_path: Path
) -> None:
    """A quiet sync costs what it did: changes, and the count."""
    sync(pipeline, settings_for(sandbox))
    wait(sandbox, hours=1)
    asked = len(sandbox.requests)
    result = run(sandbox, tmp_path)
    assert len(sandbox.requests) - asked == 5
    assert [r.counts.compared_rows for r in result.resources] == [0, 0, 0]
    assert result.resources[0].counts.compared_since == BIRTH


def test_scrub_can_be_turned_off(sandbox: SandboxServer, pipeline: dlt.Pipeline, tmp_path: Path) -> None:
    """With a share of 0 nothing is compared, however long ago it was."""
    sync(pipeline, settings_for(sandbox))
    wait(sandbox, days=20)
    result = run(sandbox, tmp_path, scrub_share=0.0)
    assert result.resources[0].counts.compared_rows == 0


def test_key_at_its_limit_pays_for_no_scrub(sandbox: SandboxServer, pipeline: dlt.Pipeline, tmp_path: Path) -> None:
    """Where the window's requests are used up but for the reserve, the scrub waits for another sync."""
    sync(pipeline, settings_for(sandbox))
    wait(sandbox, days=6)
    sandbox.switches.requests_per_minute = 12
    settings = Settings("sk_live_standard_sandbox", sandbox.base_url, requests_per_minute=100.0, lookback_hours=0.0)
    asked = len(sandbox.requests)
    sync(make_pipeline(tmp_path), settings, resources=["tickets"])
    assert len(sandbox.requests) - asked <= 12 - 1
    assert all(request.status == 200 for request in sandbox.requests[asked:])


def test_living_row_behind_a_slice_is_not_marked(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """A list in the order of changes begins as one in the order of creation: old rows that changed stand behind it."""
    rows = sandbox.world.rows("tickets")
    for place, row in enumerate(rows):
        changed = rows[-1] if place in (3, 40) else row
        sandbox.world.put("tickets", row | {"updated_at": changed["created_at"]})
    sandbox.switches.ignored_sorts = {"tickets": "least_recently_updated_first"}
    sandbox.switches.ignored_filters = {"tickets": frozenset({"*"})}
    sync(pipeline, settings_for(sandbox), resources=["tickets"])
    wait(sandbox, days=2)
    sync(make_pipeline(tmp_path), settings_for(sandbox, lookback_hours=0.0), resources=["tickets"])
    assert ask("SELECT count(*), count(deleted_at) FROM tickets") == [(1_250, 0)]


def test_rows_that_a_scrub_marks_are_counted(sandbox: SandboxServer, pipeline: dlt.Pipeline, tmp_path: Path) -> None:
    """An API without counts: the figures of the run that found a row gone are those of the table after it."""
    sandbox.switches.total_count = False
    sync(pipeline, settings_for(sandbox))
    sandbox.world.delete("reports", sandbox.world.rows("reports")[3]["id"])
    wait(sandbox, days=7)
    _, reports, _ = run(sandbox, tmp_path).resources
    assert reports.counts.corrections == {"not listed": 1}
    assert reports.counts.live_rows == 39


@pytest.mark.parametrize(
    "habit",
    [
        {"ignored_filters": {"tickets": {"created_after"}}},
        pytest.param({"ignored_filters": {"tickets": {"created_before"}}}, marks=pytest.mark.long),
        {"ignored_sorts": {"tickets": "newest_first"}},
        {"cursor_kind": "offset"},
        pytest.param({"single_rows": False}, marks=pytest.mark.long),
        pytest.param({"total_count": False}, marks=pytest.mark.long),
        pytest.param({"inclusive_bounds": True}, marks=pytest.mark.long),
        pytest.param({"meta_timestamp": False}, marks=pytest.mark.long),
    ],
)
def test_scrub_bears_every_habit_of_the_api(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path, habit: dict[str, Any]
) -> None:
    """Where the API ignores windows of creation time a census is taken once a week instead."""
    for name, value in habit.items():
        setattr(sandbox.switches, name, value)
    sync(pipeline, settings_for(sandbox))
    spoil(sandbox, tmp_path)
    for _ in range(4):
        wait(sandbox, days=2)
        run(sandbox, tmp_path)
    assert_exact(ask, sandbox.world, but=read_gone(ask, sandbox.world))


def test_rows_of_one_timestamp_are_one_slice(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """An import of many rows at one instant is compared as a whole, and the scrub goes on behind it."""
    rows = sandbox.world.rows("tickets")
    for row in rows[100:900]:
        sandbox.world.put("tickets", {**row, "created_at": rows[100]["created_at"]})
    sync(pipeline, settings_for(sandbox))
    spoil(sandbox, tmp_path)
    for _ in range(4):
        wait(sandbox, days=2)
        run(sandbox, tmp_path)
    assert_exact(ask, sandbox.world, but=read_gone(ask, sandbox.world))


def test_slices_of_a_dense_second_lead_on(sandbox: SandboxServer, pipeline: dlt.Pipeline) -> None:
    """Where a page of rows lies within the margin before a slice, the slice ends behind its beginning all the same."""
    rows = sandbox.world.rows("tickets")
    instant = datetime.fromisoformat(rows[100]["created_at"])
    for place, row in enumerate(rows[100:700]):
        created = format_instant(instant + timedelta(milliseconds=place))
        sandbox.world.put("tickets", {**row, "created_at": created})
    settings = settings_for(sandbox)
    sync(pipeline, settings, resources=["tickets"])
    reading = ReadContext(make_client(settings), ENDPOINTS["tickets"], Meter(), lambda: None, 10_000)
    scrub = Scrub(reading, open_session(pipeline, 10.0), None, DeletionGuard())
    coverage = Coverage.of_all(BIRTH, BIRTH)
    ends: list[datetime] = []
    while len(ends) < 20:
        coverage = _run_slice(scrub.chunks(coverage, 1, BIRTH))
        if coverage.position is None:
            break
        ends.append(coverage.position)
    assert coverage.position is None
    assert ends == sorted(set(ends))


def _run_slice(chunks: Generator[Chunk, None, Coverage]) -> Coverage:
    """Compare a slice in which nothing differs."""
    while True:
        try:
            assert next(chunks).rows == 0
        except StopIteration as end:
            return cast(Coverage, end.value)


def test_warehouse_that_is_wrong_here_is_mended_within_a_day(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """A list that is read whole is held against the table each day, and at each change."""
    sync(pipeline, settings_for(sandbox))
    rows = sandbox.world.rows("warehouses")

    def spoil_here() -> None:
        with duckdb.connect(str(tmp_path / "cogny.duckdb")) as connection:
            connection.execute("UPDATE cogny_data.warehouses SET name = 'other' WHERE id = ?", [rows[2]["id"]])

    spoil_here()
    assert run(sandbox, tmp_path).resources[2].rows_loaded["warehouses"] == 0
    sandbox.world.patch("warehouses", rows[0]["id"], status="disconnected")
    assert run(sandbox, tmp_path).resources[2].rows_loaded["warehouses"] == 2
    spoil_here()
    wait(sandbox, hours=25)
    assert run(sandbox, tmp_path).resources[2].rows_loaded["warehouses"] == 1
    assert_exact(ask, sandbox.world)


def test_warehouse_deleted_while_another_comes_is_marked(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """The counts agree, and the list itself shows which one is gone."""
    sync(pipeline, settings_for(sandbox))
    rows = sandbox.world.rows("warehouses")
    sandbox.world.delete("warehouses", rows[1]["id"])
    sandbox.world.put("warehouses", {**rows[1], "id": "wh_other"})
    run(sandbox, tmp_path)
    assert ask("SELECT id FROM warehouses WHERE deleted_at IS NOT NULL") == [(rows[1]["id"],)]
    assert_exact(ask, sandbox.world, but=read_gone(ask, sandbox.world))


def test_row_deleted_while_another_comes_back_is_found(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """The counts agree where one row goes and another, marked deleted before, is restored with its old times."""
    sync(pipeline, settings_for(sandbox))
    rows = sandbox.world.rows("tickets")
    sandbox.world.delete("tickets", rows[5]["id"])
    wait(sandbox, hours=1)
    run(sandbox, tmp_path)
    sandbox.world.put("tickets", rows[5])
    sandbox.world.delete("tickets", rows[900]["id"])
    for _ in range(4):
        wait(sandbox, days=2)
        run(sandbox, tmp_path)
    assert ask("SELECT id FROM tickets WHERE deleted_at IS NOT NULL") == [(rows[900]["id"],)]
    assert_exact(ask, sandbox.world, but=read_gone(ask, sandbox.world))


def test_list_that_is_read_whole_tells_its_last_comparison(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, tmp_path: Path
) -> None:
    """Whether a census made it or a sync of a later day."""
    only = ["warehouses"]
    sync(pipeline, settings_for(sandbox), resources=only)
    for census in ("always", "auto"):
        wait(sandbox, days=3)
        [warehouses] = sync(make_pipeline(tmp_path), settings_for(sandbox), resources=only, census=census).resources
        assert warehouses.counts.compared_since == sandbox.world.now


def test_earlier_start_date_makes_no_old_row_compared(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, tmp_path: Path
) -> None:
    """What no sync has held against the API since it was loaded stays so, though a first load ends once more."""
    late, early = (sandbox.world.rows("tickets")[place]["created_at"] for place in (900, 600))
    turns: tuple[tuple[str, Census], ...] = ((late, "never"), (late, "never"), (early, "auto"))
    for start_date, census in turns:
        wait(sandbox, days=1)
        [tickets] = sync(
            make_pipeline(tmp_path), settings_for(sandbox), resources=["tickets"], start_date=start_date, census=census
        ).resources
    assert tickets.mode == "backfill"
    assert tickets.counts.compared_since is None


def test_scrub_begins_once_the_api_tells_its_time(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, tmp_path: Path
) -> None:
    """A first load without a clock does not keep it off for good."""
    sandbox.switches.date_header = sandbox.switches.meta_timestamp = False
    sync(pipeline, settings_for(sandbox), resources=["reports"])
    sandbox.switches.date_header = sandbox.switches.meta_timestamp = True
    compared = []
    for _ in range(2):
        wait(sandbox, days=6)
        [reports] = sync(make_pipeline(tmp_path), settings_for(sandbox), resources=["reports"]).resources
        compared.append(reports.counts.compared_rows)
    assert compared == [0, 40]


def test_rows_that_were_born_within_a_second_are_compared(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """A slice goes on beyond the second before it, which is asked for with it, however many rows that holds."""
    for place, row in enumerate(sandbox.world.rows("tickets")):
        born = format_instant(BIRTH - timedelta(days=9) + timedelta(milliseconds=2 * place))
        sandbox.world.put("tickets", {**row, "created_at": born, "updated_at": born})
    sync(pipeline, settings_for(sandbox))
    row = sandbox.world.rows("tickets")[900]
    sandbox.world.patch("tickets", row["id"], notes="without a new time", updated_at=row["updated_at"])
    for _ in range(7):
        wait(sandbox, days=1)
        result = run(sandbox, tmp_path)
    assert result.resources[0].counts.compared_since is not None
    assert result.resources[0].counts.compared_since > BIRTH
    assert_exact(ask, sandbox.world)


def test_slice_is_read_on_where_a_cursor_expires(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """Cursors that live for three pages fail no run, and a table of thirteen is compared at once."""
    sync(pipeline, settings_for(sandbox))
    sandbox.switches.cursor_lifetime_pages = 3
    row = sandbox.world.rows("tickets")[1_200]
    sandbox.world.patch("tickets", row["id"], notes="without a new time", updated_at=row["updated_at"])
    wait(sandbox, days=6)
    result = run(sandbox, tmp_path)
    assert result.resources[0].counts.compared_since == sandbox.world.now
    assert_exact(ask, sandbox.world)


def test_rows_without_a_time_of_creation_are_compared(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """They are in no slice: a census stands for the round, and brings what changed in silence."""
    row = sandbox.world.rows("tickets")[700]
    sandbox.world.put("tickets", {**row, "created_at": None})
    sync(pipeline, settings_for(sandbox))
    sandbox.world.patch("tickets", row["id"], notes="without a new time", updated_at=row["updated_at"])
    for _ in range(7):
        wait(sandbox, days=1)
        run(sandbox, tmp_path)
    assert ask(f"SELECT notes FROM tickets WHERE id = '{row['id']}'") == [("without a new time",)]


def test_clock_that_was_ahead_does_not_let_the_scrub_rest(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """One run by a clock that was a year ahead, which compared all: within a week all is compared again."""
    sync(pipeline, settings_for(sandbox))
    sandbox.switches.clock_offset_seconds = 365 * 86_400.0
    run(sandbox, tmp_path)
    sandbox.switches.clock_offset_seconds = 0.0
    row = sandbox.world.rows("tickets")[900]
    sandbox.world.patch("tickets", row["id"], notes="without a new time", updated_at=row["updated_at"])
    for _ in range(8):
        wait(sandbox, days=1)
        result = run(sandbox, tmp_path)
    assert_exact(ask, sandbox.world)
    since = result.resources[0].counts.compared_since
    assert since is not None
    assert BIRTH < since < sandbox.world.now


def test_census_from_a_start_date_does_not_end_the_scrub(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """The scrub goes on from the census, whose listing has a filter."""
    start = sorted(row["created_at"] for row in sandbox.world.rows("tickets"))[300]
    sync(pipeline, settings_for(sandbox), start_date=start)
    result = sync(make_pipeline(tmp_path), settings_for(sandbox), start_date=start, census="always")
    assert result.resources[0].counts.compared_since == BIRTH
    row = max(sandbox.world.rows("tickets"), key=lambda row: row["created_at"])
    sandbox.world.patch("tickets", row["id"], notes="without a new time", updated_at=row["updated_at"])
    for _ in range(7):
        wait(sandbox, days=1)
        sync(make_pipeline(tmp_path), settings_for(sandbox, lookback_hours=0.0), start_date=start)
    assert ask(f"SELECT notes FROM tickets WHERE id = '{row['id']}'") == [("without a new time",)]
