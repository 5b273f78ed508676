"""Tables and columns that somebody took out of the destination: told, made anew and filled again by the next sync."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from cogny_source import sync
from cogny_source.destinations.duckdb.loader import DuckDbLoader
from cogny_source.destinations.filesystem.dlt_client import TableFormat
from cogny_source.engine.run_loop import Run
from cogny_source.sandbox import SandboxServer
from tests.support.places import DuckDBPlace, FolderPlace, Place
from tests.support.syncs import settings_for
from tests.support.truth import assert_exact

TABLES = ["tickets", "reports__summary__key_findings", "warehouses", "sync_runs"]


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without dlt's telemetry."""
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")


def change(folder: Path, statement: str) -> None:
    """Change the database by hand."""
    with duckdb.connect(str(folder / "cogny.duckdb")) as db:
        db.execute(f"SET schema = 'cogny_data'; {statement}")


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("DROP TABLE tickets", "the table tickets is gone from the destination; all tickets are read again"),
        ("DROP TABLE tickets__action_items", "the table tickets__action_items is gone"),
        ("DROP TABLE warehouses; DROP TABLE reports", "the table warehouses is gone"),
        ("DROP TABLE sync_runs", "the table sync_runs is gone from the destination; it is created again"),
        ("DROP TABLE tickets_history", "the table tickets_history is gone"),
        ("ALTER TABLE tickets DROP COLUMN title", "the table tickets has lost its column title"),
        ("ALTER TABLE tickets DROP COLUMN deleted_at", "the table tickets has lost its column deleted_at"),
        ("ALTER TABLE reports__summary__key_findings DROP COLUMN value", "has lost its column value"),
        ("ALTER TABLE sync_runs DROP COLUMN mode", "the table sync_runs has lost its column mode"),
        ("DROP TABLE _dlt_version; DROP TABLE tickets__action_items", "the table tickets__action_items is gone"),
        ("DROP TABLE _dlt_version", ""),
        ("DROP TABLE _dlt_loads", ""),
        ("DROP TABLE _dlt_pipeline_state", ""),
        ("DROP TABLE _dlt_pipeline_state; DROP TABLE tickets", ""),
        ("DROP SCHEMA cogny_data CASCADE", ""),
    ],
)
def test_what_was_dropped_from_a_database_is_filled_again(
    statement: str, told: str, sandbox: SandboxServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """By the very next sync, also without a difference of counts; the one after it finds nothing new."""
    place = DuckDBPlace(tmp_path)
    settings = settings_for(sandbox)
    sync(place.pipeline(), settings)
    change(tmp_path, statement)
    sync(place.pipeline(), settings)
    assert told in caplog.text
    assert_exact(place.ask, sandbox.world)
    assert place.ask("SELECT count(*) FROM tickets_history") == [(450,)]
    caplog.clear()
    asked = len(sandbox.requests)
    sync(place.pipeline(), settings)
    assert len(sandbox.requests) - asked == 2 + 2 + 1
    assert "the table" not in caplog.text


def test_other_resources_are_not_read_again(sandbox: SandboxServer, tmp_path: Path) -> None:
    """A table that was dropped costs one resource."""
    place = DuckDBPlace(tmp_path)
    sync(place.pipeline(), settings_for(sandbox))
    change(tmp_path, "DROP TABLE reports")
    result = sync(place.pipeline(), settings_for(sandbox))
    assert [run.mode for run in result.resources] == ["incremental", "backfill", "full"]


class Killed(BaseException):
    """Stands for SIGKILL within a test's own process."""


@pytest.mark.parametrize("step", ["load_states", "recreate_tables", "done"])
def test_kill_amid_the_mending_loses_nothing(
    step: str, sandbox: SandboxServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before the states are lowered, before the tables are made, or before they are filled."""
    place = DuckDBPlace(tmp_path)
    settings = settings_for(sandbox)
    sync(place.pipeline(), settings)
    change(tmp_path, "DROP TABLE tickets__action_items")

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        owner: tuple[type, str] = (DuckDbLoader, step) if step != "done" else (Run, "_open")
        patched.setattr(*owner, die)
        with pytest.raises(Killed):
            sync(place.pipeline(), settings)
    sync(place.pipeline(), settings)
    assert_exact(place.ask, sandbox.world)


def remove_folder(folder: Path, table: str) -> None:
    """Remove a table's folder, and what a link leads to."""
    path = folder / "tables" / table
    shutil.rmtree(path.resolve())
    if path.is_symlink():
        path.unlink()


def drop_parquet_column(folder: Path, table: str) -> None:
    """Write a Parquet table's one file without its last column that a reader looks at."""
    path = (folder / "tables" / table).resolve() / f"{table}.parquet"
    pq.write_table(pq.read_table(path, partitioning=None).drop_columns(COLUMN[table]), folder / "fewer")
    (folder / "fewer").replace(path)


def drop_delta_column(folder: Path, table: str) -> None:
    """Write a Delta table anew without that column."""
    path = folder / "tables" / table
    fewer = DeltaTable(path).to_pyarrow_table().drop_columns(COLUMN[table])
    write_deltalake(path, fewer, mode="overwrite", schema_mode="overwrite")


COLUMN = {
    "tickets": "title",
    "reports__summary__key_findings": "value",
    "warehouses": "name",
    "sync_runs": "mode",
}


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(
    ("kind", "damage"),
    [
        ("parquet", remove_folder),
        ("parquet", drop_parquet_column),
        ("delta", remove_folder),
        ("delta", drop_delta_column),
    ],
)
def test_what_was_taken_out_of_a_folder_is_filled_again(
    table: str, kind: TableFormat, damage: Callable[[Path, str], None], sandbox: SandboxServer, tmp_path: Path
) -> None:
    """A table's folder, or a column of it."""
    place: Place = FolderPlace(tmp_path, kind)
    settings = settings_for(sandbox)
    sync(place.pipeline(), settings)
    damage(tmp_path, table)
    sync(place.pipeline(), settings)
    assert_exact(place.ask, sandbox.world)
    asked = len(sandbox.requests)
    sync(place.pipeline(), settings)
    assert len(sandbox.requests) - asked == 2 + 2 + 1


@pytest.mark.parametrize("before", [0, pytest.param(1, marks=pytest.mark.long)])
def test_delta_table_that_was_set_back_is_read_again(
    before: int, sandbox: SandboxServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Restored to an earlier version, of which the state knows nothing; other changes of the log are let be."""
    place = FolderPlace(tmp_path, "delta")
    settings = settings_for(sandbox)
    sync(place.pipeline(), settings)
    for turn in range(2):
        for row in sandbox.world.rows("tickets")[:20]:
            sandbox.world.patch("tickets", row["id"], title=f"turn {turn}")
        sync(place.pipeline(), settings)
    place.open_delta("reports").optimize.compact()
    place.open_delta("tickets").restore(before)
    sync(place.pipeline(), settings)
    assert "the table tickets was set back to an earlier version" in caplog.text
    assert "table reports" not in caplog.text
    assert_exact(place.ask, sandbox.world)
    caplog.clear()
    sync(place.pipeline(), settings)
    assert "set back" not in caplog.text
