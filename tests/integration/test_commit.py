"""Packages committed into DuckDB in one transaction: whole or not at all, in dlt's own form, with little memory."""

from __future__ import annotations

import errno
import os
import random
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import dlt
import duckdb
import pytest
from dlt.common.versioned_state import decompress_state

from cogny_source import cogny_source, sync
from cogny_source.destinations.duckdb import commit, memory
from cogny_source.destinations.duckdb.commit import Committer
from cogny_source.destinations.duckdb.memory import MemoryPlan
from cogny_source.destinations.duckdb.merge import merge_rows
from cogny_source.destinations.duckdb_engine import MAJOR
from cogny_source.errors import ConfigError
from cogny_source.extract.endpoints import ENDPOINTS
from cogny_source.sandbox import SandboxServer
from cogny_source.schema import RESOURCE_TABLES
from tests.support.syncs import make_pipeline, settings_for
from tests.support.truth import Ask, assert_exact

TABLES = ("tickets", "tickets__action_items", "tickets_history", "reports", "warehouses", "sync_runs")


class Killed(BaseException):
    """Stands for SIGKILL within a test's own process."""


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[str]]:
    """Let the process die before so many statements of all transactions are sent; the list tells which were."""

    def die_after(allowed: int) -> list[str]:
        sent: list[str] = []

        def counting(method: str) -> Callable[..., None]:
            original = getattr(Committer, method)

            def count(committer: Committer, target: Any, rows: Any) -> None:
                if len(sent) == allowed:
                    raise Killed
                sent.append(getattr(target, "name", target))
                original(committer, target, rows)

            return count

        for method in ("_merge", "_insert"):
            monkeypatch.setattr(Committer, method, counting(method))
        return sent

    return die_after


def spy_on_failures(monkeypatch: pytest.MonkeyPatch) -> list[type[Exception]]:
    """The errors that transactions end with from now on."""
    failures: list[type[Exception]] = []
    write = Committer._write

    def watch(committer: Committer, *arguments: Any) -> None:
        try:
            write(committer, *arguments)
        except duckdb.Error as error:
            failures.append(type(error))
            raise

    monkeypatch.setattr(Committer, "_write", watch)
    return failures


def read_states(ask: Ask) -> list[tuple[str, dict[str, Any]]]:
    """The states that the database keeps, the oldest first: the load and what dlt would restore."""
    rows = ask("SELECT _dlt_load_id, state FROM _dlt_pipeline_state ORDER BY _dlt_load_id")
    return [(str(load_id), decompress_state(str(state))) for load_id, state in rows]


def test_a_transaction_is_there_whole_or_not_at_all(
    sandbox: SandboxServer,
    pipeline: dlt.Pipeline,
    ask: Ask,
    tmp_path: Path,
    statements: Callable[[int], list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Killed before any statement of a load, it leaves rows and state as they were; the next run is exact."""
    sync(pipeline, settings_for(sandbox), resources=["tickets"])
    # Of three tables, of the state, and of the record of the load; a second load has the run's own.
    for allowed in range(5):
        ticket = sandbox.world.rows("tickets")[allowed]["id"]
        sandbox.world.patch("tickets", ticket, notes=f"change {allowed}", action_items=["only this"])
        before = {name: ask(f"FROM {name} ORDER BY ALL") for name in ("tickets", "tickets_history", "_dlt_loads")}
        states = read_states(ask)
        sent = statements(allowed)
        with pytest.raises(Killed):
            sync(make_pipeline(tmp_path), settings_for(sandbox), resources=["tickets"])
        monkeypatch.undo()
        assert len(sent) == allowed
        assert {name: ask(f"FROM {name} ORDER BY ALL") for name in before} == before
        assert read_states(ask) == states
    sync(make_pipeline(tmp_path), settings_for(sandbox))
    assert_exact(ask, sandbox.world)


def test_a_load_is_recorded_as_dlt_does(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """Each load has a row of `_dlt_loads` and a state, and another machine's dlt restores the newest."""
    sync(pipeline, settings_for(sandbox, chunk_rows=100))
    loads = ask("SELECT load_id, schema_name, status, schema_version_hash FROM _dlt_loads ORDER BY load_id")
    [(hash_there,)] = ask("SELECT version_hash FROM _dlt_version ORDER BY inserted_at DESC LIMIT 1")
    states = read_states(ask)
    assert [load_id for load_id, *_ in loads] == [load_id for load_id, _ in states]
    assert {tuple(rest) for _, *rest in loads} == {("cogny", 0, hash_there)}
    versions = [state["_state_version"] for _, state in states]
    assert versions == sorted(set(versions))
    for name in TABLES:
        assert {load for (load,) in ask(f"SELECT DISTINCT _dlt_load_id FROM {name}")} <= {load for load, _ in states}
    elsewhere = make_pipeline(tmp_path, "elsewhere")
    elsewhere.sync_destination()
    assert elsewhere.state["sources"] == states[-1][1]["sources"]
    assert elsewhere.state["_version_hash"] == states[-1][1]["_version_hash"]


def test_plain_dlt_goes_on_from_such_a_load(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """`pipeline.run()` and `sync()` take turns on one dataset: each reads what changed since the other."""
    settings = settings_for(sandbox)
    sync(pipeline, settings)
    for turn in range(2):
        sandbox.world.patch("tickets", sandbox.world.rows("tickets")[turn]["id"], notes=f"turn {turn}")
        asked = len(sandbox.requests)
        machine = make_pipeline(tmp_path, f"machine{turn}")
        machine.run(cogny_source(api_key=settings.api_key, base_url=settings.base_url), loader_file_format="parquet")
        assert len(sandbox.requests) - asked == 3
        sandbox.world.patch("tickets", sandbox.world.rows("tickets")[turn + 5]["id"], action_items=[])
        sync(make_pipeline(tmp_path), settings)
        assert_exact(ask, sandbox.world)


def test_no_memory_is_no_reason_to_fail(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the bound of memory is too tight for a transaction and for a checkpoint, DuckDB gets what it needs."""
    monkeypatch.setattr(commit, "plan_memory", lambda *_: MemoryPlan(1))
    failures = spy_on_failures(monkeypatch)
    sandbox.world.patch("tickets", sandbox.world.rows("tickets")[0]["id"], notes="x" * 3_000_000)
    sync(pipeline, settings_for(sandbox, chunk_rows=200))
    assert_exact(ask, sandbox.world)
    assert duckdb.OutOfMemoryException in failures


def test_a_deletion_that_ran_out_of_memory_is_no_conflict(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DuckDB keeps marks of a deletion that failed halfway: the load is tried again on a file that is opened anew."""
    sync(pipeline, settings_for(sandbox))
    changed = sandbox.world.rows("tickets")[3]["id"]
    ask(
        "INSERT INTO tickets__action_items (ticket_id, position, value)"
        f" SELECT CASE WHEN i % 1000 = 0 THEN '{changed}' ELSE 'filler' END, i, 'stale' FROM range(1_000_000) t(i)"
    )
    failures = spy_on_failures(monkeypatch)
    monkeypatch.setattr(commit, "plan_memory", lambda *_: MemoryPlan(10))
    sandbox.world.patch("tickets", changed, action_items=["the only one"])
    sync(make_pipeline(tmp_path), settings_for(sandbox))
    assert failures[0] is duckdb.OutOfMemoryException
    ask("DELETE FROM tickets__action_items WHERE ticket_id = 'filler'")
    assert_exact(ask, sandbox.world)


def test_a_commit_that_is_durable_is_no_failure(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DuckDB may have a commit in its log and fail to write it into the file: it is there, and is not sent again."""
    write = Committer._write
    written: list[str] = []

    def fail_afterwards(committer: Committer, batches: Any, record: dict[str, Any]) -> None:
        write(committer, batches, record)
        written.append(record["_dlt_load_id"])
        raise duckdb.FatalException("Transaction COMMIT succeeded and is durable, but the autocheckpoint failed.")

    monkeypatch.setattr(Committer, "_write", fail_afterwards)
    sync(pipeline, settings_for(sandbox, chunk_rows=200))
    assert_exact(ask, sandbox.world)
    assert len(written) == len(set(written))
    assert ask("SELECT DISTINCT status FROM sync_runs") == [("done",)]


def test_wide_rows_of_other_tables_are_not_joined_in_little_memory(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A load of narrow rows lets DuckDB join the row groups of all tables; those of a file of wide rows wait."""
    chance = random.Random(1)
    for row in sandbox.world.rows("tickets")[:200]:
        sandbox.world.patch("tickets", row["id"], notes=chance.randbytes(20_000).hex())
    monkeypatch.setattr(memory, "LOADS_A_JOIN", 1)
    monkeypatch.setattr(memory, "WIDE_MEGABYTES", 1)
    failures = spy_on_failures(monkeypatch)
    bounds: list[MemoryPlan] = []

    def plan(*asked: Any) -> MemoryPlan:
        bounds.append(memory.plan_memory(*asked))
        return bounds[-1]

    monkeypatch.setattr(commit, "plan_memory", plan)
    sync(pipeline, settings_for(sandbox, chunk_rows=100))
    bounds.clear()
    sync(make_pipeline(tmp_path), settings_for(sandbox), resources=["warehouses"], full_refresh=True)
    assert [bound.joins for bound in bounds] == [False] * len(bounds)
    assert bounds
    assert failures == []
    assert_exact(ask, sandbox.world)


@pytest.mark.parametrize("table", ["_dlt_loads", "_dlt_pipeline_state"])
def test_a_table_of_dlt_that_was_dropped_is_made_again(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path, table: str
) -> None:
    """Without states all is read anew; without loads dlt's own record begins again."""
    sync(pipeline, settings_for(sandbox))
    ask(f"DROP TABLE {table}")
    sandbox.world.patch("tickets", sandbox.world.rows("tickets")[0]["id"], notes="changed")
    sync(make_pipeline(tmp_path), settings_for(sandbox))
    assert_exact(ask, sandbox.world)
    sync(make_pipeline(tmp_path), settings_for(sandbox))
    assert_exact(ask, sandbox.world)


def test_settings_of_an_open_database_stay(sandbox: SandboxServer, pipeline: dlt.Pipeline, tmp_path: Path) -> None:
    """A notebook that has the file open in the same process finds its settings as it left them."""
    names = ("memory_limit", "threads", "max_vacuum_tasks")
    query = f"SELECT {', '.join(f'current_setting({name!r})' for name in names)}"
    with duckdb.connect(str(tmp_path / "cogny.duckdb")) as notebook:
        notebook.execute("SET memory_limit = '500MiB'; SET threads = 2; SET max_vacuum_tasks = 7")
        before = notebook.execute(query).fetchall()
        sync(pipeline, settings_for(sandbox))
        assert notebook.execute(query).fetchall() == before == [("500.0 MiB", 2, 7)]
        notebook.execute("SET TimeZone = 'UTC'; SET schema = 'cogny_data'")
        assert_exact(lambda sql: notebook.execute(sql).fetchall(), sandbox.world)


def test_a_file_that_is_open_elsewhere_gets_no_bound(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A load that ran out of memory could not be repeated: the file is opened anew only once all have closed it."""
    monkeypatch.setattr(commit, "plan_memory", lambda *_: MemoryPlan(1))
    failures = spy_on_failures(monkeypatch)
    with duckdb.connect(str(tmp_path / "cogny.duckdb")):
        sync(pipeline, settings_for(sandbox))
    assert failures == []
    assert_exact(ask, sandbox.world)


def test_ctrl_c_in_a_commit_is_no_failure_of_the_destination(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DuckDB makes another error of it; the commit is taken back, and the next run is exact."""
    sync(pipeline, settings_for(sandbox, chunk_rows=100))
    sandbox.world.patch("tickets", sandbox.world.rows("tickets")[0]["id"], notes="changed", action_items=[])
    before = ask("FROM tickets ORDER BY id")

    def merge_slowly(execute: Callable[[str], Any], *rest: Any) -> None:
        merge_rows(execute, *rest)
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        execute("SELECT sum(random()) FROM range(2_000_000_000)")

    monkeypatch.setattr(commit, "merge_rows", merge_slowly)
    with pytest.raises(KeyboardInterrupt):
        sync(make_pipeline(tmp_path), settings_for(sandbox))
    monkeypatch.undo()
    assert ask("FROM tickets ORDER BY id") == before
    sync(make_pipeline(tmp_path), settings_for(sandbox))
    assert_exact(ask, sandbox.world)


def test_a_full_working_directory_does_not_fail_a_load_that_is_there(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    """The state is in the database with its rows; the copy in the working directory is only told of."""
    save, write = dlt.Pipeline._save_state, Committer._write

    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def write_and_fill(committer: Committer, *arguments: Any) -> None:
        write(committer, *arguments)
        monkeypatch.setattr(dlt.Pipeline, "_save_state", refuse)

    monkeypatch.setattr(Committer, "_write", write_and_fill)
    sync(pipeline, settings_for(sandbox, chunk_rows=200))
    monkeypatch.setattr(dlt.Pipeline, "_save_state", save)
    assert_exact(ask, sandbox.world)
    assert ask("SELECT DISTINCT status FROM sync_runs") == [("done",)]
    assert "No space left on device" in caplog.text


def test_a_pipeline_of_another_source_first_is_committed_too(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """Where the dataset's first schema is another's, dlt makes the tables once, and no load is left to it."""
    pipeline.run([{"id": 1}], table_name="things")
    sync(pipeline, settings_for(sandbox))
    loads = ask("SELECT count(*) FROM _dlt_loads")[0][0]
    machine = make_pipeline(tmp_path)
    machine.run([{"id": 2}], table_name="things")
    sync(machine, settings_for(sandbox))
    assert ask("SELECT count(*) FROM _dlt_loads")[0][0] == loads + 2
    assert_exact(ask, sandbox.world)
    assert ask("SELECT id FROM things ORDER BY id") == [(1,), (2,)]


def test_an_open_transaction_elsewhere_does_not_stop_a_load(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path
) -> None:
    """While another connection of the process writes, no checkpoint is possible, and all rows are there."""
    with duckdb.connect(str(tmp_path / "cogny.duckdb")) as notebook:
        notebook.execute("CREATE TABLE mine (value INTEGER); BEGIN; INSERT INTO mine VALUES (1)")
        sync(pipeline, settings_for(sandbox, chunk_rows=200))
        notebook.execute("COMMIT")
    assert_exact(ask, sandbox.world)


@pytest.mark.parametrize("wide", [False, True])
def test_row_groups_are_joined_before_they_are_many(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, monkeypatch: pytest.MonkeyPatch, *, wide: bool
) -> None:
    """Many small chunks leave no more row groups than are quickly read; those of wide rows are joined later."""
    monkeypatch.setattr(memory, "LOADS_A_JOIN", 3)
    if wide:
        monkeypatch.setattr(memory, "WIDE_MEGABYTES", 0)
    sync(pipeline, settings_for(sandbox, chunk_rows=100))
    [(groups,)] = ask("SELECT count(DISTINCT row_group_id) FROM pragma_storage_info('tickets')")
    assert_exact(ask, sandbox.world)
    assert groups == 5 if wide else groups <= 3


def test_large_chunks_are_left_as_they_are(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first load in large chunks writes each row once."""
    monkeypatch.setattr(memory, "LARGE_ENOUGH_ROWS", 40)
    sync(pipeline, settings_for(sandbox, chunk_rows=100))
    assert ask("SELECT count(DISTINCT row_group_id) FROM pragma_storage_info('tickets')") == [(5,)]


def test_a_column_that_came_later_is_made_by_dlt(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table that lacks a declared column, as one of an earlier version does, gets it before rows are committed."""
    spec = ENDPOINTS["warehouses"].table
    former = replace(spec, columns=tuple(column for column in spec.columns if column.name != "type"))
    with monkeypatch.context() as earlier:
        earlier.setitem(ENDPOINTS, "warehouses", replace(ENDPOINTS["warehouses"], table=former))
        earlier.setitem(RESOURCE_TABLES, "warehouses", former)
        sync(pipeline, settings_for(sandbox))
    assert ask("SELECT DISTINCT json_exists(extra, 'type') FROM warehouses") == [(True,)]
    of_dataset = "SELECT count(*) FROM duckdb_columns() WHERE schema_name = 'cogny_data'"
    columns = f"{of_dataset} AND table_name = 'warehouses' AND column_name = 'type'"
    assert ask(columns) == [(0,)]
    sync(make_pipeline(tmp_path), settings_for(sandbox), full_refresh=True)
    assert ask(columns) == [(1,)]
    assert_exact(ask, sandbox.world)


def test_rows_under_a_unique_index_are_replaced_or_named(
    sandbox: SandboxServer, pipeline: dlt.Pipeline, ask: Ask
) -> None:
    """DuckDB 2 checks the index when the transaction ends; for DuckDB 1 the sentence says how to drop it."""
    sync(pipeline, settings_for(sandbox))
    ask('CREATE UNIQUE INDEX "my index" ON tickets(id); CREATE INDEX harmless ON reports(status)')
    for name in ("tickets", "reports"):
        sandbox.world.patch(name, sandbox.world.rows(name)[0]["id"], warehouse_id="wh_other")
    if MAJOR < 2:
        drop = 'DROP INDEX cogny_data."my index"'
        with pytest.raises(ConfigError, match=f"under a unique index .my index on tickets.: run {drop}$"):
            sync(pipeline, settings_for(sandbox))
        ask(drop)
    sync(pipeline, settings_for(sandbox))
    assert_exact(ask, sandbox.world)
