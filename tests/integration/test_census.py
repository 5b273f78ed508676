"""Deletions: counted after every sync, explained and marked by a census."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dlt
import pytest

from cogny_source import sync
from cogny_source.engine.cancellation import CancelToken
from cogny_source.engine.run_record import ResourceRun
from cogny_source.errors import CognyError, ConfigError
from cogny_source.sandbox import SandboxServer
from tests.support.syncs import Script, each_page, make_pipeline, settings_for
from tests.support.truth import Ask, assert_exact, read_gone

RESOURCES = ("tickets", "reports", "warehouses")


def delete(sandbox: SandboxServer, resource: str, *places: int) -> list[dict[str, Any]]:
    """Take rows away by their place in creation order; returns them."""
    rows = [sandbox.world.rows(resource)[place] for place in places]
    for row in rows:
        sandbox.world.delete(resource, row["id"])
    return rows


def deleted(ask: Ask, resource: str) -> set[str]:
    """The keys that are marked deleted."""
    return {key for (key,) in ask(f"SELECT id FROM {resource} WHERE deleted_at IS NOT NULL")}


def keys(rows: list[dict[str, Any]]) -> set[str]:
    """The rows' keys."""
    return {row["id"] for row in rows}


def by_name(runs: tuple[ResourceRun, ...]) -> dict[str, ResourceRun]:
    """A result's entries by resource."""
    return {run.resource: run for run in runs}


def test_counts_that_agree_need_no_census(sandbox: SandboxServer, pipeline: dlt.Pipeline, tmp_path: Path) -> None:
    """Where both sides count the same, nothing is listed again; a first load learns the count from its first page."""
    sync(pipeline, settings_for(sandbox))
    assert len(sandbox.requests) == (5 + 1) + (1 + 1) + 1
    result = sync(make_pipeline(tmp_path), settings_for(sandbox))
    for run in result.resources:
        count = sandbox.world.count(run.resource)
        assert (run.counts.api_rows, run.counts.live_rows, run.counts.unexplained_rows) == (count, count, 0)
        assert run.counts.deleted_rows is None


def test_deletions_are_told_where_no_census_is_wanted(sandbox: SandboxServer, sync_here: Script, database: Ask) -> None:
    """The summary and `sync_runs` say by how much the counts differ, and how to explain it; nothing is marked."""
    sync_here()
    delete(sandbox, "tickets", 3, 70, 449)
    done = sync_here("--census", "never")
    line = "tickets: the API counts 3 rows fewer than the destination holds: deleted there; --census explains it"
    assert line in done.stdout
    assert "counts 3 rows fewer" in done.stderr
    assert deleted(database, "tickets") == set()
    assert database("SELECT unexplained_rows, api_rows, live_rows FROM sync_runs WHERE unexplained_rows <> 0") == [
        (-3, 447, 450)
    ]


def test_differing_counts_bring_about_a_census(sandbox: SandboxServer, sync_here: Script, database: Ask) -> None:
    """By default rows that are gone are marked with the server's clock, of every resource; their children stay."""
    sync_here()
    items = database("SELECT count(*) FROM tickets__action_items")
    gone = {name: keys(delete(sandbox, name, 0, 2)) for name in RESOURCES}
    before = datetime.now(UTC)
    done = sync_here()
    for name in RESOURCES:
        assert deleted(database, name) == gone[name]
        stamps = database(f"SELECT DISTINCT deleted_at FROM {name} WHERE deleted_at IS NOT NULL")
        assert all(before <= stamp[0] <= datetime.now(UTC) for stamp in stamps)
    assert database("SELECT count(*) FROM tickets__action_items") == items
    assert_exact(database, sandbox.world, but=read_gone(database, sandbox.world))
    assert "marked 2 deleted" in done.stderr
    assert "counts" not in done.stdout
    asked = len(sandbox.requests)
    sync_here()
    assert len(sandbox.requests) - asked == 5


def test_clock_of_the_server_stamps_deletions(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """`deleted_at` is an instant of the server's clock, whatever this machine's says."""
    sync(pipeline, settings_for(sandbox))
    delete(sandbox, "tickets", 5)
    sandbox.switches.clock_offset_seconds = 86_400.0
    sync(make_pipeline(tmp_path), settings_for(sandbox))
    [(stamp,)] = ask("SELECT deleted_at FROM tickets WHERE deleted_at IS NOT NULL")
    assert timedelta(hours=23) < stamp - datetime.now(UTC) < timedelta(hours=25)


@pytest.mark.parametrize("touched", [False, True])
def test_row_that_comes_back_is_live_again(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path, *, touched: bool
) -> None:
    """With or without a new `updated_at`, a row that is listed again has no `deleted_at`."""
    sync(pipeline, settings_for(sandbox))
    rows = {name: delete(sandbox, name, 1) for name in RESOURCES}
    sync(make_pipeline(tmp_path), settings_for(sandbox))
    for name, [row] in rows.items():
        assert deleted(ask, name) == {row["id"]}
        sandbox.world.put(name, row)
        if touched and name != "warehouses":
            sandbox.world.patch(name, row["id"], status="completed")
    sync(make_pipeline(tmp_path), settings_for(sandbox))
    assert [deleted(ask, name) for name in RESOURCES] == [set(), set(), set()]
    assert_exact(ask, sandbox.world)


def test_one_row_gone_and_one_new_are_found_on_request(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """A deletion that hides from the count behind a row that the sync cannot see is found by `--census`."""
    sync(pipeline, settings_for(sandbox))
    [gone] = delete(sandbox, "tickets", 9)
    sandbox.world.put("tickets", {**gone, "id": "tkt_hidden", "updated_at": "yesterday"})
    sync(make_pipeline(tmp_path), settings_for(sandbox))
    assert deleted(ask, "tickets") == set()
    sync(make_pipeline(tmp_path), settings_for(sandbox), census="always")
    assert deleted(ask, "tickets") == {gone["id"]}
    assert ask("SELECT extra->>'updated_at' FROM tickets WHERE id = 'tkt_hidden'") == [("yesterday",)]


def test_rows_that_are_missing_are_brought(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """A row that no sync could see, such as one that the filter hides, is counted as missing and brought."""
    sync(pipeline, settings_for(sandbox))
    row = sandbox.world.rows("tickets")[7]
    sandbox.world.put("tickets", {**row, "id": "tkt_unseen", "action_items": ["one", "two"]})
    sync(make_pipeline(tmp_path), settings_for(sandbox))
    assert_exact(ask, sandbox.world)


def test_rows_that_were_changed_or_lost_in_the_destination_are_mended(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """A census brings what the destination holds otherwise than the API: cells, lists, and rows."""
    sync(pipeline, settings_for(sandbox))
    rows = [row for row in sandbox.world.rows("tickets") if len(row["action_items"]) > 1]
    ask(f"UPDATE tickets SET title = 'x' WHERE id = '{rows[0]['id']}'")
    ask(f"DELETE FROM tickets WHERE id = '{rows[1]['id']}'")
    ask(f"DELETE FROM tickets__action_items WHERE ticket_id = '{rows[2]['id']}' AND position = 1")
    ask(f"INSERT INTO tickets SELECT * FROM tickets WHERE id = '{rows[3]['id']}'")
    ask(f"UPDATE reports SET deleted_at = now() WHERE id = '{sandbox.world.rows('reports')[0]['id']}'")
    sync(make_pipeline(tmp_path), settings_for(sandbox), census="always")
    assert_exact(ask, sandbox.world)
    assert deleted(ask, "reports") == set()


def test_count_that_lags_behind_a_deletion_is_asked_again(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """A count that follows within seconds fails no run; the rows that are gone are marked."""
    sync(pipeline, settings_for(sandbox))
    waits: list[float] = []

    class CountFollows(CancelToken):
        """Waits that take no time, in which the count follows."""

        def sleep(self, seconds: float) -> None:
            waits.append(seconds)
            sandbox.switches.total_count_surplus = 0

    gone = keys(delete(sandbox, "tickets", 3, 8))
    sandbox.switches.total_count_surplus = 2
    result = sync(
        make_pipeline(tmp_path), settings_for(sandbox), resources=["tickets"], census="always", stop=CountFollows()
    )
    assert deleted(ask, "tickets") == gone
    assert waits == [1.0]
    assert result.resources[0].counts.unexplained_rows == 0


def test_failed_census_marks_nothing(sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path) -> None:
    """A census that ends on its third page leaves every row as it was; the next one finishes."""
    sync(pipeline, settings_for(sandbox))
    gone = keys(delete(sandbox, "tickets", 0, 1))
    pages = 0

    def fail_soon(run: ResourceRun, _: int | None) -> None:
        nonlocal pages
        pages += run.resource == "tickets"
        if pages == 4:
            sandbox.switches.missing_cursor = True

    with pytest.raises(CognyError, match="has_more"):
        sync(make_pipeline(tmp_path), settings_for(sandbox), resources=["tickets"], progress=each_page(fail_soon))
    assert deleted(ask, "tickets") == set()
    sandbox.switches.missing_cursor = False
    sync(make_pipeline(tmp_path), settings_for(sandbox))
    assert deleted(ask, "tickets") == gone


def test_start_date_bounds_the_census(sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path) -> None:
    """Rows before the start date are neither counted nor marked nor brought."""
    stamps = sorted(datetime.fromisoformat(row["created_at"]) for row in sandbox.world.rows("tickets"))
    start = stamps[200] + timedelta(microseconds=1)
    settings = settings_for(sandbox, start_date=start)
    rows = sum(stamp >= start for stamp in stamps)
    result = sync(pipeline, settings, resources=["tickets"])
    counts = by_name(result.resources)["tickets"].counts
    assert (counts.api_rows, counts.live_rows, counts.unexplained_rows) == (rows, rows, 0)
    old, recent = delete(sandbox, "tickets", 3, 440)
    result = sync(make_pipeline(tmp_path), settings, resources=["tickets"])
    assert by_name(result.resources)["tickets"].counts.unexplained_rows == 0
    assert deleted(ask, "tickets") == {recent["id"]}
    assert ask(f"SELECT count(*) FROM tickets WHERE id = '{old['id']}'") == [(0,)]


def test_count_that_never_agrees_is_accepted_after_two_censuses(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, tmp_path: Path
) -> None:
    """An API that counts every ticket of the account, whatever the filter, costs two censuses and no more."""
    stamps = sorted(datetime.fromisoformat(row["created_at"]) for row in sandbox.world.rows("tickets"))
    settings = settings_for(sandbox, start_date=stamps[200])
    sandbox.switches.total_count_unfiltered = True
    costs = []
    for _ in range(4):
        asked = len(sandbox.requests)
        result = sync(make_pipeline(tmp_path), settings, resources=["tickets"])
        costs.append(len(sandbox.requests) - asked)
    assert by_name(result.resources)["tickets"].counts.unexplained_rows == 200
    assert costs[3] < costs[1]
    assert by_name(result.resources)["tickets"].counts.deleted_rows is None


def test_api_that_does_not_count_is_told(sandbox: SandboxServer, sync_here: Script, database: Ask) -> None:
    """Without `total_count` the summary says that only a census finds deletions, and one does."""
    sandbox.switches.total_count = False
    done = sync_here()
    assert "tickets: the API does not count its rows; --census finds those that were deleted." in done.stdout
    gone = keys(delete(sandbox, "tickets", 8, 9))
    sync_here()
    assert deleted(database, "tickets") == set()
    sync_here("--census")
    assert deleted(database, "tickets") == gone


def test_window_takes_no_census(sandbox: SandboxServer, pipeline: dlt.Pipeline) -> None:
    """A window is a part; a census or a proof of it would call the rest missing."""
    with pytest.raises(ConfigError, match="leave end_date out"):
        sync(pipeline, settings_for(sandbox), end_date="2026-01-01", census="always")
    with pytest.raises(ConfigError, match="leave end_date out"):
        sync(pipeline, settings_for(sandbox), end_date="2026-01-01", verify=True)
