"""Contents of reports in a sync: exact, resumed from the destination alone, bounded, and never in the way."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dlt
import pytest

from cogny_source import sync
from cogny_source.destinations.registry import open_session
from cogny_source.engine.progress import Silence
from cogny_source.engine.reset import Reset
from cogny_source.engine.run_record import ResourceRun, SyncResult
from cogny_source.errors import AuthError
from cogny_source.extract import contents
from cogny_source.monitoring.status import read_status
from cogny_source.sandbox import SandboxServer, World
from cogny_source.sandbox.answers import Answer
from cogny_source.sandbox.api import Request
from tests.support.contents import assert_contents, list_completed, read_contents, refusing
from tests.support.syncs import each_page, make_pipeline, settings_for, wait
from tests.support.truth import Ask, assert_exact

BIRTH = datetime.now(UTC).replace(microsecond=0)
CHILDREN = (
    "report_sections", "report_insights", "report_recommendations", "report_recommendations__action_items",
)  # fmt: skip


@pytest.fixture
def sandbox() -> Iterator[SandboxServer]:
    """A world whose clock stands still but for what the test does."""
    with SandboxServer(World(seed=7, tickets=3, reports=40, warehouses=2, now=BIRTH)) as server:
        yield server


def run(sandbox: SandboxServer, folder: Path, **settings: Any) -> tuple[ResourceRun, int]:
    """A sync from a fresh working directory's point of view; the record of the contents, and requests for them."""
    asked = count_fetches(sandbox)
    result = sync(make_pipeline(folder), settings_for(sandbox, **{"contents": "all", **settings}))
    return contents_of(result), count_fetches(sandbox) - asked


def contents_of(result: SyncResult) -> ResourceRun:
    """The record of the contents."""
    [found] = [one for one in result.resources if one.resource == "report_contents"]
    return found


def list_versions(sandbox: SandboxServer) -> set[tuple[str, str]]:
    """Each completed report with its version."""
    return {(row["id"], row["updated_at"]) for row in list_completed(sandbox.world)}


def count_fetches(sandbox: SandboxServer) -> int:
    """Requests for contents so far."""
    return sum(record.path.endswith("/content") for record in sandbox.requests)


def complete_one(sandbox: SandboxServer) -> str:
    """Let a report be completed now; its key."""
    fresh = str(next(row for row in sandbox.world.rows("reports") if row["status"] == "failed")["id"])
    sandbox.world.patch("reports", fresh, status="completed", completed_at=sandbox.world.now.isoformat())
    return fresh


def test_all_contents_are_there(sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path) -> None:
    """Every cell equals what the API serves; nothing new costs no request."""
    told, fetches = run(sandbox, tmp_path)
    assert_contents(ask, sandbox.world)
    assert_exact(ask, sandbox.world)
    completed = len(list_completed(sandbox.world))
    assert (told.status, told.mode, told.meter.rows, told.counts.unexplained_rows) == ("done", "contents", completed, 0)
    assert fetches == completed
    assert run(sandbox, tmp_path)[1] == 0
    recorded = (
        "SELECT mode, rows, unexplained_rows FROM sync_runs WHERE resource = 'report_contents' ORDER BY started_at"
    )
    assert ask(recorded) == [("contents", completed, 0), ("contents", 0, 0)]


def test_contents_of_changed_and_new_reports_are_fetched(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """Again where the report changed, once where it was completed; a list that became shorter leaves nothing behind."""
    run(sandbox, tmp_path)
    before = list_versions(sandbox)
    wait(sandbox, hours=1)
    changed = [row["id"] for row in list_completed(sandbox.world) if row["summary"]["total_insights"] > 1][:4]
    for key in changed:
        sandbox.world.patch("reports", key, summary={"total_queries": 1, "total_insights": 0, "key_findings": []})
    turned = next(row for row in sandbox.world.rows("reports") if row["status"] == "failed")
    finished = {"status": "completed", "summary": {"total_queries": 2, "total_insights": 1, "key_findings": ["new"]}}
    sandbox.world.patch("reports", turned["id"], **finished)
    _, fetches = run(sandbox, tmp_path)
    assert fetches == len(list_versions(sandbox) - before) >= 5
    assert_contents(ask, sandbox.world)
    assert all(ask(f"SELECT count(*) FROM {table} WHERE report_id IS NULL") == [(0,)] for table in CHILDREN)


def test_a_deleted_report_keeps_its_content(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """It is no longer fetched."""
    wait(sandbox, days=1)
    wait(sandbox, days=1)
    run(sandbox, tmp_path)
    before = read_contents(ask)
    sandbox.world.delete("reports", list_completed(sandbox.world)[0]["id"])
    _, fetches = run(sandbox, tmp_path)
    assert fetches == 0
    assert ask("SELECT count(*) FROM reports WHERE deleted_at IS NOT NULL") == [(1,)]
    assert read_contents(ask) == before


def test_new_means_completed_since_the_first_sync(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """And a day before it; with `all` the earlier ones come, and stay when it is `new` again."""
    complete_one(sandbox)
    earliest = datetime.now(UTC) - timedelta(days=1)
    recent = [row for row in list_completed(sandbox.world) if datetime.fromisoformat(row["completed_at"]) > earliest]
    assert run(sandbox, tmp_path, contents="new")[1] == len(recent) < len(list_completed(sandbox.world))
    assert_contents(ask, sandbox.world, recent)
    fresh = complete_one(sandbox)
    assert run(sandbox, tmp_path, contents="new")[1] == 1
    assert ask(f"SELECT status FROM report_contents WHERE report_id = '{fresh}'") == [("fetched",)]
    assert run(sandbox, tmp_path, contents="all")[1] == len(list_completed(sandbox.world)) - len(recent) - 1
    assert run(sandbox, tmp_path, contents="new")[1] == 0
    assert_contents(ask, sandbox.world)


def test_never_makes_no_tables(sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask) -> None:
    """Nor a row in `sync_runs`."""
    result = sync(pipeline, settings_for(sandbox, contents="never"))
    assert [one.resource for one in result.resources] == ["tickets", "reports", "warehouses"]
    assert ask("SELECT count(*) FROM duckdb_tables() WHERE table_name LIKE 'report\\_%' ESCAPE '\\'") == [(0,)]
    assert count_fetches(sandbox) == 0


@pytest.mark.parametrize("resources", [["tickets"], ["warehouses", "tickets"]])
def test_contents_come_with_the_reports_alone(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, resources: list[str]
) -> None:
    """A sync of other resources leaves them out."""
    result = sync(pipeline, settings_for(sandbox, contents="all"), resources=resources)
    assert {one.resource for one in result.resources} == set(resources)


def test_a_run_is_bounded_and_the_next_goes_on(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """The newest first; what is left is on record."""
    completed = len(list_completed(sandbox.world))
    told, fetches = run(sandbox, tmp_path, contents_per_run=12)
    assert (fetches, told.counts.unexplained_rows) == (12, completed - 12)
    newest = sorted(list_completed(sandbox.world), key=lambda row: datetime.fromisoformat(row["updated_at"]))[-12:]
    assert_contents(ask, sandbox.world, newest)
    while told.counts.unexplained_rows:
        told, _ = run(sandbox, tmp_path, contents_per_run=12)
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
    kill_runs(sandbox, tmp_path, 5, 3, workers=2)
    assert ask("SELECT count(*) FROM report_contents") == [(15,)]
    run(sandbox, tmp_path, workers=2)
    assert_contents(ask, sandbox.world)
    assert count_fetches(sandbox) <= len(list_completed(sandbox.world)) + 5 * (2 * 3 + 2)


@pytest.mark.long
def test_five_kills_cost_fewer_than_a_hundred_requests_each(pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path) -> None:
    """Of 2,000 contents, which are exact afterwards."""
    with SandboxServer(World(seed=7, tickets=3, reports=2_900, warehouses=2, now=BIRTH)) as sandbox:
        kill_runs(sandbox, tmp_path, 5, contents.CONTENTS_A_CHUNK)
        run(sandbox, tmp_path, contents_per_run=10_000)
        assert_contents(ask, sandbox.world)
        completed = len(list_completed(sandbox.world))
        assert 2_000 <= completed <= count_fetches(sandbox) <= completed + 5 * 100


def find_newest(sandbox: SandboxServer, count: int) -> list[str]:
    """The completed reports that changed last."""
    rows = sorted(list_completed(sandbox.world), key=lambda row: datetime.fromisoformat(row["updated_at"]))
    return [row["id"] for row in rows[-count:]]


def let_pauses_pass(ask: Ask, **pause: float) -> None:
    """Move the last requests into the past."""
    seconds = timedelta(**pause).total_seconds()
    ask(f"UPDATE report_contents SET attempted_at = attempted_at - INTERVAL {seconds} SECOND")


@pytest.mark.parametrize(("status", "told"), [(404, "missing"), (500, "failed")])
def test_a_report_without_a_content_is_on_record_and_asked_again(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path, status: int, told: str
) -> None:
    """After a pause, and the others come at once; once it is there, it comes."""
    newest = find_newest(sandbox, 3)
    with refusing(sandbox, newest, status):
        run(sandbox, tmp_path, max_outage_seconds=0.001)
        assert sorted(ask("SELECT report_id FROM report_contents WHERE status <> 'fetched'")) == [
            (key,) for key in sorted(newest)
        ]
        recorded = "SELECT DISTINCT status, attempts, error->>'$.status' FROM report_contents WHERE status <> 'fetched'"
        assert ask(recorded) == [(told, 1, str(status))]
        assert ask("SELECT count(*) FROM report_contents") == [(len(list_completed(sandbox.world)),)]
        assert run(sandbox, tmp_path)[1] == 0
        let_pauses_pass(ask, minutes=10)
        run(sandbox, tmp_path, max_outage_seconds=0.001)
        assert ask(recorded) == [(told, 2, str(status))]
    let_pauses_pass(ask, minutes=20)
    told_run, fetches = run(sandbox, tmp_path)
    assert (fetches, told_run.counts.unexplained_rows) == (3, 0)
    assert_contents(ask, sandbox.world)


@pytest.mark.parametrize("status", [404, 500])
def test_a_failure_keeps_the_content_of_the_version_before(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path, status: int
) -> None:
    """The row says which version the content is of, which was asked for in vain, and why."""
    run(sandbox, tmp_path)
    [key] = find_newest(sandbox, 1)
    before, held = read_contents(ask), ask(f"SELECT report_updated_at, fetched_at FROM report_contents {by(key)}")
    sandbox.world.patch("reports", key, metadata={"moved": True})
    with refusing(sandbox, [key], status):
        run(sandbox, tmp_path, max_outage_seconds=0.001)
    after = read_contents(ask)
    for table in CHILDREN:
        assert after[table] == before[table]
    [(told, *content)] = ask(f"SELECT status, report_updated_at, fetched_at FROM report_contents {by(key)}")
    assert (told, [tuple(content)]) == ("missing" if status == 404 else "failed", held)
    versions = f"SELECT attempted_updated_at = (SELECT updated_at FROM reports WHERE id = '{key}'), attempts"
    assert ask(f"{versions} FROM report_contents {by(key)}") == [(True, 1)]
    let_pauses_pass(ask, minutes=10)
    run(sandbox, tmp_path)
    assert_contents(ask, sandbox.world)


def by(key: str) -> str:
    """The condition for the rows of a report."""
    return f"WHERE report_id = '{key}'"


def test_a_larger_content_than_allowed_has_a_status_of_its_own(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """The error names the setting; with a larger one it comes."""
    [key] = find_newest(sandbox, 1)
    answer = sandbox.api._content

    def serve(request: Request, identity: str) -> Answer:
        found = answer(request, identity)
        return replace(found, body=found.body + b" " * 600_000) if identity == key else found

    sandbox.api._content = serve  # type: ignore[method-assign]
    run(sandbox, tmp_path, max_answer_megabytes=0.5)
    [(told, error)] = ask(f"SELECT status, error->>'$.message' FROM report_contents {by(key)}")
    assert told == "too_large"
    assert "max_answer_megabytes" in error
    let_pauses_pass(ask, minutes=10)
    assert run(sandbox, tmp_path)[1] == 1
    assert_contents(ask, sandbox.world)


def test_an_error_of_the_key_is_told_after_what_was_fetched(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """The rows and the contents so far are loaded; the record says what happened."""
    keys = sandbox.api.keys

    def revoke(run: ResourceRun, _: int | None) -> None:
        if run.resource == "report_contents" and run.meter.rows == 10:
            sandbox.api.keys = {}

    with pytest.raises(AuthError):
        sync(pipeline, settings_for(sandbox, contents="all"), progress=each_page(revoke))
    sandbox.api.keys = keys
    [(fetched,)] = ask("SELECT count(*) FROM report_contents")
    assert 10 <= fetched < 20
    assert_exact(ask, sandbox.world)
    run(sandbox, tmp_path)
    assert_contents(ask, sandbox.world)
    statuses = ask("SELECT resource, status FROM sync_runs WHERE status <> 'done' ORDER BY 1")
    assert statuses == [("report_contents", "failed")]


def test_a_lost_table_is_filled_again(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whether it is that of the contents or one of their lists, all contents are fetched again."""
    completed = len(list_completed(sandbox.world))
    run(sandbox, tmp_path)
    for table in ("report_insights", "report_contents"):
        ask(f"DROP TABLE {table}")
        with caplog.at_level(logging.WARNING):
            _, fetches = run(sandbox, tmp_path)
        assert f"the table {table} is gone" in caplog.text
        assert fetches == completed
        assert_contents(ask, sandbox.world)


def test_reset_fetches_all_again(sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path) -> None:
    """Rows stay until then; a reset of the reports fetches no content again."""
    run(sandbox, tmp_path)
    Reset(make_pipeline(tmp_path), "reports", 5.0).forget()
    assert run(sandbox, tmp_path)[1] == 0
    known = Reset(make_pipeline(tmp_path), "report_contents", 5.0)
    assert known.look().rows == len(list_completed(sandbox.world))
    known.forget()
    assert run(sandbox, tmp_path)[1] == len(list_completed(sandbox.world))
    assert_contents(ask, sandbox.world)


def test_a_window_fetches_no_contents(sandbox: SandboxServer, pipeline: dlt.Pipeline) -> None:
    """A sync with an end date loads rows alone."""
    result = sync(pipeline, settings_for(sandbox, contents="all"), end_date=BIRTH - timedelta(days=30))
    assert [one.resource for one in result.resources] == ["tickets", "reports", "warehouses"]


def test_contents_of_an_interrupted_sync_wait(sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask) -> None:
    """Where a resource fails, no content is fetched, and the record says why."""

    def drop_key(run: ResourceRun, _: int | None) -> None:
        if run.resource == "tickets":
            raise AuthError("revoked", status=401)

    with pytest.raises(AuthError):
        sync(pipeline, settings_for(sandbox, contents="all"), progress=each_page(drop_key))
    assert count_fetches(sandbox) == 0


@pytest.mark.parametrize("days", [-400, 400])
def test_reset_holds_whatever_the_clocks_say(pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path, days: int) -> None:
    """The server's clock may be a year away from this machine's: all contents are fetched again, and once."""
    with SandboxServer(World(seed=7, tickets=5, reports=40, warehouses=1, now=BIRTH + timedelta(days))) as sandbox:
        run(sandbox, tmp_path)
        completed = len(list_completed(sandbox.world))
        Reset(make_pipeline(tmp_path), "report_contents", 5.0).forget()
        assert [run(sandbox, tmp_path)[1] for _ in range(2)] == [completed, 0]
        assert_contents(ask, sandbox.world)


@pytest.mark.parametrize("contents", ["all", "never"])
def test_commit_of_another_machine_undoes_no_reset(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path, contents: str
) -> None:
    """It began before the reset and committed after it, also in a run that fetches no contents."""
    done: list[int] = []

    def reset(run: ResourceRun, _: int | None) -> None:
        if run.resource == "warehouses" and not done:
            done.append(1)
            Reset(make_pipeline(tmp_path, "other"), "report_contents", 5.0).forget()

    run(sandbox, tmp_path)
    sandbox.world.patch("tickets", sandbox.world.rows("tickets")[0]["id"], notes="changed")
    sync(make_pipeline(tmp_path, "first"), settings_for(sandbox, contents=contents), progress=each_page(reset))
    assert done
    assert [run(sandbox, tmp_path)[1] for _ in range(2)] == [len(list_completed(sandbox.world)), 0]


def test_contents_of_before_the_dataset_come_back_after_a_loss(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """They were fetched under `all`; that the setting is `new` by now leaves out none of them."""
    fetched = run(sandbox, tmp_path, contents="all")[1]
    run(sandbox, tmp_path, contents="new")
    ask("DROP TABLE report_contents")
    assert run(sandbox, tmp_path, contents="new")[1] == fetched
    assert_contents(ask, sandbox.world)


def test_status_tells_what_is_to_go_and_what_is_left_out(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """By the tables and the last setting, also after a run that failed and one that fetched none."""

    def tell() -> dict[str, Any] | None:
        facts = read_status(open_session(make_pipeline(tmp_path, "looker"), 5.0), datetime.now(UTC)).contents
        counts = {} if facts is None else {name: number for name, number in asdict(facts.counts).items() if number}
        return None if facts is None else {"mode": facts.mode, **counts}

    assert tell() is None
    complete_one(sandbox)
    completed, earliest = list_completed(sandbox.world), datetime.now(UTC) - timedelta(days=1)
    recent = {row["id"] for row in completed if datetime.fromisoformat(row["completed_at"]) > earliest}
    [failing] = [key for key in find_newest(sandbox, len(recent) + 1) if key not in recent]
    run(sandbox, tmp_path, contents="new")
    assert tell() == {"mode": "new", "fetched": len(recent), "left_out": len(completed) - len(recent)}
    with refusing(sandbox, [failing], 404):
        run(sandbox, tmp_path, contents="all", contents_per_run=12)
    fetched, left = len(recent) + 11, len(completed) - len(recent) - 12
    assert tell() == {"mode": "all", "fetched": fetched, "missing": 1, "to_go": left}
    sync(make_pipeline(tmp_path), settings_for(sandbox, contents="never"))
    assert tell() == {"mode": "never", "fetched": fetched, "missing": 1, "left_out": left}

    def revoke(run: ResourceRun, _: int | None) -> None:
        if run.resource == "report_contents":
            raise AuthError("revoked", status=401)

    with pytest.raises(AuthError):
        sync(make_pipeline(tmp_path), settings_for(sandbox, contents="all"), progress=each_page(revoke))
    assert tell() == {"mode": "all", "fetched": fetched + 1, "missing": 1, "to_go": left - 1}
    let_pauses_pass(ask, minutes=10)
    assert tell() == {"mode": "all", "fetched": fetched + 1, "missing": 1, "to_go": left}
