"""Contents of reports in a sync: exact, resumed from the destination alone, bounded, and never in the way."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dlt
import pytest

from cogny_source import sync
from cogny_source.engine.progress import Silence
from cogny_source.engine.reset import Reset
from cogny_source.engine.run_record import ResourceRun
from cogny_source.errors import MassDeletion
from cogny_source.extract import contents
from cogny_source.sandbox import SandboxServer, World
from tests.support.contents import (
    BIRTH,
    assert_contents,
    complete_one,
    count_fetches,
    list_completed,
    load_contents,
    make_world,
    read_contents,
    sync_contents,
)
from tests.support.syncs import each_page, make_pipeline, settings_for, wait
from tests.support.truth import Ask, assert_exact

CHILDREN = (
    "report_sections", "report_insights", "report_recommendations", "report_recommendations__action_items",
)  # fmt: skip


@pytest.fixture
def sandbox() -> Iterator[SandboxServer]:
    """A world whose clock stands still but for what the test does."""
    with SandboxServer(make_world()) as server:
        yield server


def list_versions(sandbox: SandboxServer) -> set[tuple[str, str]]:
    """Each completed report with its version."""
    return {(row["id"], row["updated_at"]) for row in list_completed(sandbox.world)}


def test_all_contents_are_there(sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path) -> None:
    """Every cell equals what the API serves; nothing new costs no request."""
    told, fetches = sync_contents(sandbox, tmp_path)
    assert_contents(ask, sandbox.world)
    assert_exact(ask, sandbox.world)
    completed = len(list_completed(sandbox.world))
    assert (told.status, told.mode, told.meter.rows, told.counts.unexplained_rows) == ("done", "contents", completed, 0)
    assert fetches == completed
    assert sync_contents(sandbox, tmp_path)[1] == 0
    recorded = (
        "SELECT mode, rows, unexplained_rows FROM sync_runs WHERE resource = 'report_contents' ORDER BY started_at"
    )
    assert ask(recorded) == [("contents", completed, 0), ("contents", 0, 0)]


def test_contents_of_changed_and_new_reports_are_fetched(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """Again where the report changed, once where it was completed; a list that became shorter leaves nothing behind."""
    load_contents(tmp_path)
    before = list_versions(sandbox)
    wait(sandbox, hours=1)
    changed = [row["id"] for row in list_completed(sandbox.world) if row["summary"]["total_insights"] > 1][:4]
    for key in changed:
        sandbox.world.patch("reports", key, summary={"total_queries": 1, "total_insights": 0, "key_findings": []})
    turned = next(row for row in sandbox.world.rows("reports") if row["status"] == "failed")
    finished = {"status": "completed", "summary": {"total_queries": 2, "total_insights": 1, "key_findings": ["new"]}}
    sandbox.world.patch("reports", turned["id"], **finished)
    _, fetches = sync_contents(sandbox, tmp_path)
    assert fetches == len(list_versions(sandbox) - before) >= 5
    assert_contents(ask, sandbox.world)
    assert all(ask(f"SELECT count(*) FROM {table} WHERE report_id IS NULL") == [(0,)] for table in CHILDREN)


def test_a_deleted_report_keeps_its_content(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """It is no longer fetched."""
    load_contents(tmp_path)
    before = read_contents(ask)
    sandbox.world.delete("reports", list_completed(sandbox.world)[0]["id"])
    _, fetches = sync_contents(sandbox, tmp_path)
    assert fetches == 0
    assert ask("SELECT count(*) FROM reports WHERE deleted_at IS NOT NULL") == [(1,)]
    assert read_contents(ask) == before


def test_mass_deletion_that_waits_for_a_person_keeps_contents_and_lets_new_ones_in(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """It may wait for days."""
    load_contents(tmp_path)
    before = read_contents(ask)
    gone = [row["id"] for row in list_completed(sandbox.world)]
    fresh = complete_one(sandbox)
    for key in gone:
        sandbox.world.delete("reports", key)
    with pytest.raises(MassDeletion):
        sync(make_pipeline(tmp_path), settings_for(sandbox, contents="all", max_deletion_rows=1))
    after = read_contents(ask)
    for table, rows in before.items():
        assert [row for row in after[table] if row[0] != fresh] == rows
    assert (fresh,) in ask("SELECT report_id FROM report_contents WHERE status = 'fetched'")


def test_new_means_completed_since_the_first_sync(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """And a day before it; with `all` the earlier ones come, and stay when it is `new` again."""
    complete_one(sandbox)
    earliest = datetime.now(UTC) - timedelta(days=1)
    recent = [row for row in list_completed(sandbox.world) if datetime.fromisoformat(row["completed_at"]) > earliest]
    assert sync_contents(sandbox, tmp_path, contents="new")[1] == len(recent) < len(list_completed(sandbox.world))
    assert_contents(ask, sandbox.world, recent)
    fresh = complete_one(sandbox)
    assert sync_contents(sandbox, tmp_path, contents="new")[1] == 1
    assert ask(f"SELECT status FROM report_contents WHERE report_id = '{fresh}'") == [("fetched",)]
    assert sync_contents(sandbox, tmp_path, contents="all")[1] == len(list_completed(sandbox.world)) - len(recent) - 1
    assert sync_contents(sandbox, tmp_path, contents="new")[1] == 0
    assert_contents(ask, sandbox.world)


def test_never_makes_no_tables(sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask) -> None:
    """Nor a row in `sync_runs`."""
    result = sync(pipeline, settings_for(sandbox, contents="never"))
    assert [one.resource for one in result.resources] == ["tickets", "reports", "warehouses"]
    assert ask("SELECT count(*) FROM duckdb_tables() WHERE table_name LIKE 'report\\_%' ESCAPE '\\'") == [(0,)]
    assert count_fetches(sandbox) == 0


def test_contents_come_with_the_reports_alone(sandbox: SandboxServer, pipeline: dlt.Pipeline) -> None:
    """A sync of other resources leaves them out."""
    result = sync(pipeline, settings_for(sandbox, contents="all"), resources=["warehouses", "tickets"])
    assert [one.resource for one in result.resources] == ["tickets", "warehouses"]


def test_a_run_is_bounded_and_the_next_goes_on(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """The newest first; what is left is on record."""
    completed = len(list_completed(sandbox.world))
    told, fetches = sync_contents(sandbox, tmp_path, contents_per_run=12)
    assert (fetches, told.counts.unexplained_rows) == (12, completed - 12)
    newest = sorted(list_completed(sandbox.world), key=lambda row: datetime.fromisoformat(row["updated_at"]))[-12:]
    assert_contents(ask, sandbox.world, newest)
    while told.counts.unexplained_rows:
        told, _ = sync_contents(sandbox, tmp_path, contents_per_run=12)
    assert_contents(ask, sandbox.world)
    assert count_fetches(sandbox) == completed


class Killed(BaseException):
    """Ends a run like a kill."""


class KillAtLoad(Silence):
    """Kills a run at its second load of contents, once the chunk after it is read ahead."""

    def __init__(self, chunk_contents: int) -> None:
        self._size = chunk_contents
        self._read = threading.Condition()
        self._rows = self._loads = 0

    def read(self, run: ResourceRun, _: int | None) -> None:
        """Count the contents that are read."""
        if run.resource == "report_contents":
            with self._read:
                self._rows = run.meter.rows
                self._read.notify_all()

    def load(self, rows: int) -> None:
        """Kill."""
        self._loads += rows > 0 and self._rows > 0
        if self._loads == 2:
            with self._read:  # the last one is told once its chunk is taken
                self._read.wait_for(
                    lambda: self._rows >= 3 * self._size - 1, 5
                )  # the last one is told once it is taken
            raise Killed


def kill_runs(sandbox: SandboxServer, folder: Path, kills: int, chunk_contents: int, **settings: Any) -> None:
    """Kill runs, each of another machine; each has loaded one chunk, and read two more."""
    for number in range(kills):
        with pytest.raises(Killed):
            sync(
                make_pipeline(folder, f"m{number}"),
                settings_for(sandbox, contents="all", **settings),
                progress=KillAtLoad(chunk_contents),
            )


def test_killed_runs_go_on_where_they_were(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each time from another machine: the destination says what is missing; a kill costs two chunks at most."""
    monkeypatch.setattr(contents, "CONTENTS_A_CHUNK", 3)
    kill_runs(sandbox, tmp_path, 3, 3, workers=2)
    assert ask("SELECT count(*) FROM report_contents") == [(9,)]
    sync_contents(sandbox, tmp_path, workers=2)
    assert_contents(ask, sandbox.world)
    assert count_fetches(sandbox) <= len(list_completed(sandbox.world)) + 3 * (2 * 3 + 2)


@pytest.mark.long
def test_five_kills_cost_fewer_than_a_hundred_requests_each(pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path) -> None:
    """Of 2,000 contents, which are exact afterwards."""
    with SandboxServer(World(seed=7, tickets=3, reports=2_900, warehouses=2, now=BIRTH)) as sandbox:
        kill_runs(sandbox, tmp_path, 5, contents.CONTENTS_A_CHUNK)
        sync_contents(sandbox, tmp_path, contents_per_run=10_000)
        assert_contents(ask, sandbox.world)
        completed = len(list_completed(sandbox.world))
        assert 2_000 <= completed <= count_fetches(sandbox) <= completed + 5 * 100


def test_a_lost_table_is_filled_again(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whether it is that of the contents or one of their lists, all contents are fetched again."""
    completed = len(list_completed(sandbox.world))
    load_contents(tmp_path)
    for table in ("report_insights", "report_contents"):
        ask(f"DROP TABLE {table}")
        with caplog.at_level(logging.WARNING):
            _, fetches = sync_contents(sandbox, tmp_path)
        assert f"the table {table} is gone" in caplog.text
        assert fetches == completed
        assert_contents(ask, sandbox.world)


def test_reset_fetches_all_again(sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path) -> None:
    """Rows stay until then; a reset of the reports fetches no content again."""
    load_contents(tmp_path)
    Reset(make_pipeline(tmp_path), "reports", 5.0).forget()
    assert sync_contents(sandbox, tmp_path)[1] == 0
    known = Reset(make_pipeline(tmp_path), "report_contents", 5.0)
    sandbox.world.delete("reports", list_completed(sandbox.world)[0]["id"])
    assert sync_contents(sandbox, tmp_path)[1] == 0
    left = len(list_completed(sandbox.world))
    assert (known.look().rows, known.look().contents) == (left + 1, left)
    known.forget()
    assert sync_contents(sandbox, tmp_path)[1] == left


def test_a_window_fetches_no_contents(sandbox: SandboxServer, pipeline: dlt.Pipeline) -> None:
    """A sync with an end date loads rows alone."""
    result = sync(pipeline, settings_for(sandbox, contents="all"), end_date=BIRTH - timedelta(days=30))
    assert [one.resource for one in result.resources] == ["tickets", "reports", "warehouses"]


@pytest.mark.parametrize("days", [pytest.param(-400, marks=pytest.mark.long), 400])
def test_reset_holds_whatever_the_clocks_say(pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path, days: int) -> None:
    """The server's clock may be a year away from this machine's: all contents are fetched again, and once."""
    with SandboxServer(World(seed=7, tickets=5, reports=40, warehouses=1, now=BIRTH + timedelta(days))) as sandbox:
        sync_contents(sandbox, tmp_path)
        completed = len(list_completed(sandbox.world))
        Reset(make_pipeline(tmp_path), "report_contents", 5.0).forget()
        assert [sync_contents(sandbox, tmp_path)[1] for _ in range(2)] == [completed, 0]
        assert_contents(ask, sandbox.world)


@pytest.mark.parametrize("contents", [pytest.param("all", marks=pytest.mark.long), "never"])
def test_commit_of_another_machine_undoes_no_reset(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path, contents: str
) -> None:
    """It began before the reset and committed after it, also in a run that fetches no contents."""
    done: list[int] = []

    def reset(run: ResourceRun, _: int | None) -> None:
        if run.resource == "warehouses" and not done:
            done.append(1)
            Reset(make_pipeline(tmp_path, "other"), "report_contents", 5.0).forget()

    load_contents(tmp_path)
    sandbox.world.patch("tickets", sandbox.world.rows("tickets")[0]["id"], notes="changed")
    sync(make_pipeline(tmp_path, "first"), settings_for(sandbox, contents=contents), progress=each_page(reset))
    assert done
    assert [sync_contents(sandbox, tmp_path)[1] for _ in range(2)] == [len(list_completed(sandbox.world)), 0]


def test_contents_of_before_the_dataset_come_back_after_a_loss(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """They were fetched under `all`; that the setting is `new` by now leaves out none of them."""
    load_contents(tmp_path)
    sync_contents(sandbox, tmp_path, contents="new")
    ask("DROP TABLE report_contents")
    assert sync_contents(sandbox, tmp_path, contents="new")[1] == len(list_completed(sandbox.world))
    assert_contents(ask, sandbox.world)
