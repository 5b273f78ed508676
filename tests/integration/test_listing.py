"""Losses that the soak and a close reading found, each as small as it can be told."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dlt
import pytest

from cogny_source import sync
from cogny_source.engine.cancellation import CancelToken
from cogny_source.engine.run_record import ResourceRun
from cogny_source.errors import Stopped
from cogny_source.sandbox import SandboxServer, World
from tests.support.syncs import each_page, make_pipeline, settings_for
from tests.support.truth import Ask, assert_exact, instant


@pytest.fixture
def large() -> Iterator[SandboxServer]:
    """A sandbox with 1,500 tickets, more than the pages after which an order counts as proven."""
    with SandboxServer(World(seed=3, tickets=1500, reports=5, warehouses=1, ties=0.0)) as server:
        yield server


def pass_hours(server: SandboxServer, hours: float) -> datetime:
    """Let the server's clock go on by so many hours; returns its time."""
    then = time.time() + 3600 * hours
    server.world.clock = lambda: then
    return datetime.fromtimestamp(then, UTC)


def stop_after(pages: int) -> dict[str, Any]:
    """Arguments of a sync that is stopped after so many pages of tickets."""
    stop = CancelToken()

    def count(run: ResourceRun, _: int | None) -> None:
        if run.resource == "tickets" and run.meter.pages == pages:
            stop.set(15)

    return {"stop": stop, "progress": each_page(count), "resources": ["tickets"]}


def test_tied_rows_at_the_head_of_a_newest_first_list_prove_no_order(
    large: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """A first load stopped within 1,200 rows of one instant, listed newest first, still owes all the older ones."""
    rows = sorted(large.world.rows("tickets"), key=lambda row: str(instant(row["created_at"])))
    for row in rows[300:]:
        large.world.put("tickets", {**row, "created_at": rows[300]["created_at"]})
    large.switches.ignored_sorts = {"tickets": "newest_first"}
    with pytest.raises(Stopped):
        sync(pipeline, settings_for(large), **stop_after(11))
    sync(make_pipeline(tmp_path), settings_for(large), census="never")
    assert_exact(ask, large.world)


def test_rows_changed_at_one_instant_at_the_head_of_a_list_prove_no_order(
    large: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """A sync stopped within 1,100 rows changed at once, listed latest change first, still owes the earlier changes."""
    sync(pipeline, settings_for(large))
    keys = [row["id"] for row in large.world.rows("tickets")]
    large.switches.ignored_sorts = {"tickets": "recently_updated_first"}
    for hours, some in ((1, keys[:300]), (2, keys[300:1400])):
        stamp = pass_hours(large, hours).isoformat()
        for key in some:
            large.world.patch("tickets", key, notes=f"after {hours} h", updated_at=stamp)
    pass_hours(large, 3)
    with pytest.raises(Stopped):
        sync(make_pipeline(tmp_path), settings_for(large), **stop_after(10))
    sync(make_pipeline(tmp_path), settings_for(large))
    assert_exact(ask, large.world)


def test_row_that_vanishes_from_an_unsorted_list_hides_no_change(
    large: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """Where `sort` is ignored and cursors count places, a change that slips as a row vanishes comes all the same."""
    sync(pipeline, settings_for(large))
    large.switches.ignored_sorts = {"tickets": "oldest_first"}
    large.switches.cursor_kind = "offset"
    pass_hours(large, 2)
    changed = large.world.rows("tickets")[:300]
    for row in changed:
        large.world.patch("tickets", row["id"], notes="changed")
    first = min(changed, key=lambda row: str(instant(row["created_at"])))
    pages: list[int] = []

    def delete_after_the_first(run: ResourceRun, _: int | None) -> None:
        if run.resource == "tickets" and not pages:
            pages.append(run.meter.pages)
            large.world.delete("tickets", first["id"])

    pass_hours(large, 3)
    sync(make_pipeline(tmp_path), settings_for(large), progress=each_page(delete_after_the_first), census="never")
    pass_hours(large, 4)
    sync(make_pipeline(tmp_path), settings_for(large), census="never")
    large_rows = {row["id"]: row["notes"] for row in large.world.rows("tickets")}
    held: dict[object, object] = dict(ask("SELECT id, notes FROM tickets"))
    assert {key for key, notes in large_rows.items() if held[key] != notes} == set()


def test_list_read_again_for_missing_rows_may_outlive_its_cursors_again(
    large: SandboxServer, pipeline: dlt.Pipeline, ask: Ask
) -> None:
    """Progress is measured anew where a list is read again from its start: here the API counts what it filters out."""
    stamps = sorted(str(instant(row["created_at"])) for row in large.world.rows("tickets"))
    large.switches.cursor_lifetime_pages = 3
    large.switches.total_count_unfiltered = True
    sync(pipeline, settings_for(large), start_date=stamps[500].replace(" ", "T"), resources=["tickets"])
    assert ask("SELECT count(*) FROM tickets") == [(1000,)]


def test_first_row_that_changes_before_the_proof_proves_no_order(
    large: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """Of a list by creation, the first row changes just before the newest is asked for: it is not taken for proof."""
    sync(pipeline, settings_for(large))
    large.switches.ignored_sorts = {"tickets": "oldest_first"}
    rows = sorted(large.world.rows("tickets"), key=lambda row: str(instant(row["created_at"])))
    moment = pass_hours(large, 2)
    for number, row in enumerate(rows):
        # Ascending for eleven pages, and then the changes that came first.
        minutes = number if number < 1150 else -number
        stamp = moment + timedelta(seconds=minutes)
        large.world.patch("tickets", row["id"], notes="changed", updated_at=stamp.isoformat())
    pass_hours(large, 3)
    stop = CancelToken()

    def change_then_stop(run: ResourceRun, _: int | None) -> None:
        if run.meter.pages == 9:
            large.world.patch("tickets", rows[0]["id"], notes="again")
        if run.meter.pages == 11:
            stop.set(15)

    with pytest.raises(Stopped):
        sync(
            make_pipeline(tmp_path),
            settings_for(large),
            resources=["tickets"],
            stop=stop,
            progress=each_page(change_then_stop),
        )
    sync(make_pipeline(tmp_path), settings_for(large), census="never")
    assert_exact(ask, large.world)
