"""Rows that a listing does not bring: marked only where they are certainly gone, and never in masses unasked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dlt
import pytest

from cogny_source import sync
from cogny_source.errors import MassDeletion
from cogny_source.sandbox import SandboxServer, World
from tests.support.syncs import Script, each_page, make_pipeline, settings_for
from tests.support.truth import Ask, assert_exact, read_gone

RESOURCES = ("tickets", "reports", "warehouses")


def delete(sandbox: SandboxServer, resource: str, *places: int) -> set[str]:
    """Take rows away by their place in creation order; returns their keys."""
    keys = {sandbox.world.rows(resource)[place]["id"] for place in places}
    for key in keys:
        sandbox.world.delete(resource, key)
    return keys


def deleted(ask: Ask, resource: str) -> set[str]:
    """The keys that are marked deleted."""
    return {key for (key,) in ask(f"SELECT id FROM {resource} WHERE deleted_at IS NOT NULL")}


def lists(sandbox: SandboxServer, asked: int) -> int:
    """How many pages of tickets were listed since so many requests."""
    return sum(r.path == "/v1/tickets" and r.params.get("limit") == "100" for r in sandbox.requests[asked:])


def test_mass_deletion_marks_nothing_until_it_is_accepted(
    sandbox: SandboxServer, sync_here: Script, database: Ask
) -> None:
    """More than a tenth gone: exit 1 and one sentence, at once in the next run, until --accept-deletions."""
    sync_here()
    delete(sandbox, "tickets", *range(60))
    failed = sync_here(expect=1)
    assert failed.returncode == 1
    sentence = "the API no longer lists 60 of 450 rows of tickets, even when asked twice; nothing was marked deleted"
    assert sentence in failed.stderr
    assert "--accept-deletions" in failed.stderr
    assert deleted(database, "tickets") == set()
    sandbox.world.patch("tickets", sandbox.world.rows("tickets")[7]["id"], notes="changed meanwhile")
    asked = len(sandbox.requests)
    again = sync_here(expect=1)
    assert again.returncode == 1
    assert sentence in again.stderr
    assert lists(sandbox, asked) == 1
    assert database("SELECT count(*) FROM tickets WHERE notes = 'changed meanwhile'") == [(1,)]
    sync_here("--accept-deletions")
    assert database("SELECT count(*) FROM tickets WHERE deleted_at IS NOT NULL") == [(60,)]
    assert_exact(database, sandbox.world, but=read_gone(database, sandbox.world))
    sync_here()


def test_refusal_keeps_no_other_resource_back(tmp_path: Path, pipeline: dlt.Pipeline, ask: Ask) -> None:
    """As long as nobody accepts it, the others are read to their end all the same, however many pages they take."""
    with SandboxServer(World(seed=7, tickets=100, reports=450, warehouses=5)) as sandbox:
        sync(pipeline, settings_for(sandbox))
        delete(sandbox, "tickets", *range(60))
        with pytest.raises(MassDeletion):
            sync(make_pipeline(tmp_path), settings_for(sandbox))
        for row in sandbox.world.rows("reports"):
            sandbox.world.patch("reports", row["id"], prompt="changed meanwhile")
        with pytest.raises(MassDeletion):
            sync(make_pipeline(tmp_path), settings_for(sandbox, chunk_rows=100))
    assert ask("SELECT count(*) FROM reports WHERE prompt = 'changed meanwhile'") == [(450,)]
    newest = "SELECT resource, status FROM sync_runs ORDER BY started_at DESC, resource LIMIT 3"
    assert ask(newest) == [("reports", "done"), ("tickets", "failed"), ("warehouses", "done")]


@pytest.mark.parametrize("resources", [["tickets"], ["warehouses"], ["reports"]])
def test_emptied_account_is_marked_once_accepted(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path, resources: list[str]
) -> None:
    """Where the API lists nothing any more, nothing is marked unasked; with consent every row is, and none removed."""
    [name] = resources
    for number in range(8 if name == "warehouses" else 0):
        sandbox.world.put(name, {"id": f"wh_{number:012}", "name": "x", "type": "x", "status": "x"})
    sync(pipeline, settings_for(sandbox))
    rows = sandbox.world.count(name)
    delete(sandbox, name, *range(rows))
    with pytest.raises(MassDeletion, match=f"{rows} of {rows} rows of {name}"):
        sync(make_pipeline(tmp_path), settings_for(sandbox), resources=resources)
    assert ask(f"SELECT count(*), count(deleted_at) FROM {name}") == [(rows, 0)]
    sync(make_pipeline(tmp_path), settings_for(sandbox), resources=resources, accept_deletions=True)
    assert ask(f"SELECT count(*), count(deleted_at) FROM {name}") == [(rows, rows)]


def test_rows_that_are_back_need_no_consent(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """Where the API lists the rows again, the refusal is forgotten, and a few deletions are marked as ever."""
    sync(pipeline, settings_for(sandbox))
    rows = sandbox.world.rows("tickets")
    delete(sandbox, "tickets", *range(100))
    with pytest.raises(MassDeletion):
        sync(make_pipeline(tmp_path), settings_for(sandbox))
    for row in rows[3:100]:
        sandbox.world.put("tickets", row)
    sync(make_pipeline(tmp_path), settings_for(sandbox))
    assert deleted(ask, "tickets") == {row["id"] for row in rows[:3]}
    assert_exact(ask, sandbox.world, but=read_gone(ask, sandbox.world))


@pytest.mark.parametrize("faults", [("empty_list",) * 3, ("empty_list",) * 12])
def test_lists_that_are_empty_for_a_moment_mark_nothing(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path, faults: tuple[str, ...]
) -> None:
    """A success without rows is asked twice before anything is marked; the next sync is exact."""
    sync(pipeline, settings_for(sandbox))
    sandbox.api.fail_next(*faults)
    try:
        sync(make_pipeline(tmp_path), settings_for(sandbox))
    except MassDeletion:
        assert len(faults) > 3
    sandbox.api.fail_next()
    assert [deleted(ask, name) for name in RESOURCES] == [set(), set(), set()]
    for _ in range(2):
        sync(make_pipeline(tmp_path), settings_for(sandbox), census="always")
    assert_exact(ask, sandbox.world)


def test_deletion_costs_a_request_a_row(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, tmp_path: Path, ask: Ask
) -> None:
    """A few rows are asked for by their keys, after one that is listed; no second listing is needed."""
    sync(pipeline, settings_for(sandbox))
    gone = delete(sandbox, "tickets", 5, 9)
    asked = len(sandbox.requests)
    sync(make_pipeline(tmp_path), settings_for(sandbox), resources=["tickets"])
    singles = [r for r in sandbox.requests[asked:] if r.path.startswith("/v1/tickets/")]
    assert sorted(r.status for r in singles) == [200, 404, 404]
    assert lists(sandbox, asked) == 1 + 5
    assert deleted(ask, "tickets") == gone


@pytest.mark.parametrize("total_count", [True, False])
def test_rows_that_slip_out_of_a_census_are_not_marked(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path, *, total_count: bool
) -> None:
    """Deletions between the pages of place-counting cursors: what slips is live still, as its own answer says."""
    sync(pipeline, settings_for(sandbox))
    sandbox.switches.cursor_kind, sandbox.switches.total_count = "offset", total_count
    keys = [row["id"] for row in sandbox.world.rows("tickets")]
    gone: set[str] = set()

    def delete_some(run: Any, _: int | None) -> None:
        if run.resource == "tickets" and len(gone) < 9 and run.meter.pages > 1:
            for key in keys[len(gone) : len(gone) + 3]:
                sandbox.world.delete("tickets", key)
                gone.add(key)

    sync(make_pipeline(tmp_path), settings_for(sandbox), census="always", progress=each_page(delete_some))
    assert deleted(ask, "tickets") <= gone
    sync(make_pipeline(tmp_path), settings_for(sandbox), census="always")
    assert deleted(ask, "tickets") == gone


def test_row_that_only_the_list_lacks_is_not_marked(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """A list that lags behind does not bring a new row; the row's own answer shows that it is there."""
    sandbox.switches.lists_frozen = True
    sync(make_pipeline(tmp_path), settings_for(sandbox), resources=["tickets"])
    sandbox.switches.lists_frozen = False
    sandbox.world.churn("tickets", 0, 1, 0)
    sync(make_pipeline(tmp_path), settings_for(sandbox))
    newest = sandbox.world.rows("tickets")[-1]
    sandbox.world.delete("tickets", newest["id"])
    sandbox.switches.lists_frozen = True
    sync(make_pipeline(tmp_path), settings_for(sandbox), resources=["reports"])
    sandbox.world.put("tickets", newest)
    sync(make_pipeline(tmp_path), settings_for(sandbox), resources=["tickets"], census="always")
    assert deleted(ask, "tickets") == set()


@pytest.mark.parametrize("born", [{}, {"created_at": None}, {"created_at": None, "updated_at": None}])
@pytest.mark.parametrize("how", [{}, {"census": "always"}])
def test_deleted_row_that_is_still_given_by_itself_is_marked(
    sandbox: SandboxServer,
    pipeline: dlt.Pipeline,
    ask: Ask,
    tmp_path: Path,
    how: dict[str, Any],
    born: dict[str, Any],
) -> None:
    """An API may keep deleted rows: one that is older than any list lags is gone where two listings lack it."""
    row = {**sandbox.world.rows("tickets")[7], **born}
    sandbox.world.put("tickets", row)
    sync(pipeline, settings_for(sandbox))
    key = row["id"]
    sandbox.world.delete("tickets", key)
    sandbox.switches.lists_frozen = True
    sandbox.api._listed_table("tickets")
    sandbox.world.put("tickets", row)
    sync(make_pipeline(tmp_path), settings_for(sandbox), resources=["tickets"], **how)
    assert deleted(ask, "tickets") == {key}
