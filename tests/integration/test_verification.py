"""The proof: `--verify` finds whatever differs, and tells fresh changes from faults."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dlt
import pytest

from cogny_source import sync
from cogny_source.engine.run_record import ResourceRun, SyncResult
from cogny_source.errors import CognyError, NotVerifiable
from cogny_source.extract.context import Difference
from cogny_source.sandbox import SandboxServer
from tests.support.syncs import Script, each_page, make_pipeline, settings_for
from tests.support.truth import Ask


def differences(result: SyncResult) -> list[Difference]:
    """What a verification found, of all resources."""
    return [row for run in result.resources for row in run.counts.differences or ()]


def test_exact_tables_are_proven_at_the_cost_of_one_listing(sandbox: SandboxServer, sync_here: Script) -> None:
    """After a sync of odd values the proof finds nothing, says how many rows it compared, and exits with 0."""
    sandbox.switches.undeclared_fields = True
    sandbox.switches.misfits = 0.3
    sandbox.switches.impact_as_string = 0.3
    done = sync_here("--verify")
    assert "Verified 495 rows: all as the API lists them." in done.stdout
    listed = [record for record in sandbox.requests if not record.path.endswith("/content")]
    assert len(listed) == (5 + 1 + 5) + (1 + 1 + 1) + (1 + 1)


def test_differences_are_shown_and_fail_the_run(sandbox: SandboxServer, sync_here: Script, tmp_path: Path) -> None:
    """Each row that differs is in a table with its key and the columns that differ; exit code 1 and the remedy."""
    sync_here()
    rows = [row for row in sandbox.world.rows("tickets") if len(row["action_items"]) > 1]
    finding = next(row for row in sandbox.world.rows("reports") if (row["summary"] or {}).get("key_findings"))
    with duckdb_of(tmp_path) as connection:
        connection.execute(f"UPDATE tickets SET title = 'x', effort = NULL WHERE id = '{rows[0]['id']}'")
        connection.execute(f"UPDATE tickets SET estimated_impact__confidence = 7 WHERE id = '{rows[1]['id']}'")
        connection.execute(f"DELETE FROM tickets WHERE id = '{rows[2]['id']}'")
        connection.execute(f"UPDATE tickets__action_items SET value = 'y' WHERE ticket_id = '{rows[3]['id']}'")
        connection.execute(f"INSERT INTO tickets SELECT * FROM tickets WHERE id = '{rows[4]['id']}'")
        connection.execute("INSERT INTO tickets (id, created_at) VALUES ('tkt_bogus', '2025-01-01')")
        connection.execute(f"DELETE FROM reports__summary__key_findings WHERE report_id = '{finding['id']}'")
        connection.execute("UPDATE warehouses SET deleted_at = now()")
    done = sync_here("--verify", "--census", "never", expect=1)
    table = {tuple(line.split()) for line in done.stdout.splitlines()}
    assert ("tickets", rows[0]["id"], "differs", "title,", "effort") in table
    assert ("tickets", rows[1]["id"], "differs", "estimated_impact__confidence") in table
    assert ("tickets", rows[2]["id"], "missing", "-") in table
    assert ("tickets__action_items", rows[3]["id"], "differs", "-") in table
    assert ("tickets", rows[4]["id"], "there", "more", "than", "once", "-") in table
    assert ("tickets", "tkt_bogus", "not", "listed", "-") in table
    assert ("reports__summary__key_findings", finding["id"], "differs", "-") in table
    assert sum(line[:1] == ("warehouses",) and "marked" in line for line in table) == 5
    assert done.stderr.splitlines()[-1] == (
        "Error: 12 rows of the database are not as the API lists them; --census mends them"
    )
    with duckdb_of(tmp_path) as connection:
        recorded = connection.execute("SELECT sum(differences) FROM sync_runs").fetchall()
    assert recorded == [(12,)]
    sync_here("--verify", "--census", "--quiet")


def duckdb_of(folder: Path) -> Any:
    """The database that the script wrote, to tamper with."""
    import duckdb

    connection = duckdb.connect(str(folder / "cogny.duckdb"))
    connection.execute("SET schema = 'cogny_data'")
    return connection


def change_after_sync(
    sandbox: SandboxServer, change: Callable[[], object]
) -> Callable[[ResourceRun, int | None], None]:
    """A progress callback that changes the API's rows once the proof has begun: when a page comes after the count."""
    done = False

    def act(run: ResourceRun, _: int | None) -> None:
        nonlocal done
        if not done and run.counts.live_rows is not None:
            done = True
            change()

    return act


def test_fresh_changes_are_no_faults(sandbox: SandboxServer, pipeline: dlt.Pipeline, tmp_path: Path) -> None:
    """Rows that change, appear and vanish between the sync and the proof are told apart."""
    sync(pipeline, settings_for(sandbox))
    rows = sandbox.world.rows("tickets")

    def change() -> None:
        sandbox.world.patch("tickets", rows[440]["id"], title="fresh", action_items=["new"])
        sandbox.world.churn("tickets", created=2)
        sandbox.world.delete("tickets", rows[441]["id"])

    progress = change_after_sync(sandbox, change)
    result = sync(make_pipeline(tmp_path), settings_for(sandbox), verify=True, progress=each_page(progress))
    found = differences(result)
    assert {row.key for row in found} >= {rows[440]["id"], rows[441]["id"]}
    assert len({row.key for row in found}) == 4
    assert all(row.fresh for row in found)


def test_a_fault_beside_a_fresh_change_is_a_fault(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """A row that was tampered with is not excused by one that changed."""
    sync(pipeline, settings_for(sandbox))
    rows = sandbox.world.rows("tickets")
    ask(f"UPDATE tickets SET title = 'x' WHERE id = '{rows[3]['id']}'")
    progress = change_after_sync(sandbox, lambda: sandbox.world.patch("tickets", rows[440]["id"], title="fresh"))
    result = sync(make_pipeline(tmp_path), settings_for(sandbox), verify=True, progress=each_page(progress))
    assert {(row.key, row.fresh) for row in differences(result)} == {(rows[3]["id"], False), (rows[440]["id"], True)}


def test_warehouses_without_timestamps_can_be_fresh(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """Of rows without `updated_at` the content that the sync read tells whether they changed since."""
    sync(pipeline, settings_for(sandbox))
    rows = sandbox.world.rows("warehouses")
    ask(f"UPDATE warehouses SET name = 'x' WHERE id = '{rows[0]['id']}'")
    wait = change_after_sync(sandbox, lambda: sandbox.world.patch("warehouses", rows[1]["id"], name="fresh"))
    result = sync(
        make_pipeline(tmp_path), settings_for(sandbox), resources=["warehouses"], verify=True, progress=each_page(wait)
    )
    found = {(row.key, row.fresh) for row in differences(result)}
    assert (rows[0]["id"], False) in found
    assert found <= {(rows[0]["id"], False), (rows[1]["id"], True)}


def test_rows_gone_since_the_census_are_fresh(sandbox: SandboxServer, pipeline: dlt.Pipeline, tmp_path: Path) -> None:
    """Where rows vanish while a census and then the proof list them, those that the census still saw are fresh."""
    sync(pipeline, settings_for(sandbox))
    sandbox.world.delete("tickets", sandbox.world.rows("tickets")[4]["id"])
    sandbox.switches.churn_deletes_per_page = 1
    result = sync(make_pipeline(tmp_path), settings_for(sandbox), resources=["tickets"], verify=True)
    assert differences(result)
    assert all(row.fresh for row in differences(result))


def test_warehouses_that_a_census_brought_are_known(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, tmp_path: Path
) -> None:
    """Warehouses that appear between the sync and its census are counted, proven, and not loaded again."""
    sync(pipeline, settings_for(sandbox))
    row = sandbox.world.rows("warehouses")[0]
    pages = 0

    def add_two(run: ResourceRun, _: int | None) -> None:
        nonlocal pages
        pages += 1
        if pages == 1:
            for key in ("wh_new_one", "wh_new_two"):
                sandbox.world.put("warehouses", {**row, "id": key})

    asked: dict[str, Any] = {"resources": ["warehouses"], "census": "always", "verify": True}
    result = sync(make_pipeline(tmp_path), settings_for(sandbox), progress=each_page(add_two), **asked)
    [run] = result.resources
    assert (run.counts.live_rows, run.counts.unexplained_rows, run.counts.differences) == (7, 0, ())
    result = sync(make_pipeline(tmp_path), settings_for(sandbox), resources=["warehouses"])
    assert result.resources[0].rows_loaded["warehouses"] == 0


def test_deletions_that_nobody_marked_are_faults(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, tmp_path: Path
) -> None:
    """Rows that were gone before the sync, and are not marked, are not as the API lists them."""
    sync(pipeline, settings_for(sandbox))
    row = sandbox.world.rows("tickets")[4]
    sandbox.world.delete("tickets", row["id"])
    result = sync(make_pipeline(tmp_path), settings_for(sandbox), census="never", verify=True)
    assert differences(result) == [Difference("tickets", row["id"], "not listed")]


def test_list_that_cannot_be_read_whole_proves_nothing(sandbox: SandboxServer, pipeline: dlt.Pipeline) -> None:
    """A proof that breaks off is a failure, not a success."""
    progress = change_after_sync(sandbox, lambda: setattr(sandbox.switches, "repeat_cursor", True))
    with pytest.raises(CognyError):
        sync(pipeline, settings_for(sandbox), verify=True, progress=each_page(progress))


def test_rows_that_never_rest_are_not_verified(sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask) -> None:
    """Where each reading loses rows, no verdict is given, and the sentence says what helps; the rows are loaded."""
    sandbox.switches.update({"ignored_sorts": {"tickets": "recently_updated_first"}})
    sync(pipeline, settings_for(sandbox))
    sandbox.switches.update({"churn_per_page": 3, "churn_deletes_per_page": 1})
    with pytest.raises(NotVerifiable, match="nothing is verified; run cogny verify again when fewer rows change"):
        sync(pipeline, settings_for(sandbox), resources=["tickets"], verify=True, accept_deletions=True)
    sandbox.switches.update({"churn_per_page": 0, "churn_deletes_per_page": 0})
    [run] = sync(pipeline, settings_for(sandbox), resources=["tickets"], verify=True, accept_deletions=True).resources
    assert run.counts.differences == ()
    live = ask("SELECT id FROM cogny_data.tickets WHERE deleted_at IS NULL ORDER BY id")
    assert live == [(key,) for key in sorted(row["id"] for row in sandbox.world.rows("tickets"))]
