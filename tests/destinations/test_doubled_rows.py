"""Rows that stand more than once: how they are kept from coming about, and how they are mended."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake
from dlt.common.schema import Schema

from cogny_source import sync
from cogny_source.destinations.filesystem import delta
from cogny_source.destinations.filesystem.delta import DeltaTables
from cogny_source.destinations.filesystem.dlt_client import LakeConfiguration, open_folder
from cogny_source.destinations.filesystem.table_layout import list_layouts
from cogny_source.destinations.registry import open_session
from cogny_source.reconcile.census import mark_deleted
from cogny_source.records.chunk import ChunkBuilder
from cogny_source.sandbox import SandboxServer, World
from cogny_source.schema import TICKETS
from tests.support.places import DuckDBPlace, FolderPlace, Place
from tests.support.syncs import settings_for
from tests.support.truth import assert_exact

LAYOUTS = list_layouts()
Row = dict[str, Any]


@pytest.fixture(params=["disk", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FolderPlace:
    """An empty place for Delta tables."""
    endpoint = request.getfixturevalue("bucket") if request.param == "bucket" else None
    found = FolderPlace(tmp_path, "delta", endpoint)
    for name, value in {**found.environment, "RUNTIME__DLTHUB_TELEMETRY": "false"}.items():
        monkeypatch.setenv(name, value)
    return found


def open_tables(place: FolderPlace) -> DeltaTables:
    """The tables as a process opens them."""
    configuration = LakeConfiguration()._bind_dataset_name("cogny_data")
    tables = open_folder(place.url, "delta").client(Schema("cogny"), configuration).tables  # type: ignore[attr-defined]
    assert isinstance(tables, DeltaTables)
    return tables


def write_package(folder: Path, rows: list[Row], name: str) -> dict[str, list[str]]:
    """Rows of tickets as the files of a load."""
    builder = ChunkBuilder(TICKETS, history=True)
    builder.add(rows)
    files = {}
    for table_name, table in builder.build(None).tables.items():
        path = folder / f"{table_name}.{name}"
        pq.write_table(table, path)
        files[table_name] = [str(path)]
    return files


def read_titles(place: FolderPlace) -> list[tuple[str, str]]:
    """Key and title of each ticket."""
    rows = place.open_delta("tickets").to_pyarrow_table().to_pylist()
    return sorted((row["id"], row["title"]) for row in rows)


@pytest.fixture
def interrupt(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Callable[[], None]], None]:
    """Let something happen once, just before a function of the merge is called."""

    def install(name: str, happen: Callable[[], None]) -> None:
        waiting = [happen]
        original = getattr(delta, name)

        def call(*arguments: Any, **options: Any) -> Any:
            if waiting:
                waiting.pop()()
            return original(*arguments, **options)

        monkeypatch.setattr(delta, name, call)

    return install


@pytest.mark.parametrize(
    ("there", "function"),
    [
        (False, "write_deltalake"),
        (True, "_replace_rows"),
        (True, "evolve_delta_table_schema"),
        (True, "write_deltalake"),
    ],
)
def test_commit_that_another_process_overtakes_is_merged_again(
    there: bool,
    function: str,
    place: FolderPlace,
    tmp_path: Path,
    interrupt: Callable[[str, Callable[[], None]], None],
) -> None:
    """Two processes bring the same tickets at once, into tables that are there, or not yet: each is there once."""
    rows = World(seed=5, tickets=6).rows("tickets")
    if there:
        open_tables(place).merge(write_package(tmp_path, [{**rows[0], "title": "before"}], "before"))
    other = write_package(tmp_path, [{**row, "title": "theirs"} for row in rows[1:]], "other")
    mine = write_package(tmp_path, [{**row, "title": "mine"} for row in rows], "mine")
    interrupt(function, lambda: open_tables(place).merge(other))
    open_tables(place).merge(mine)
    open_tables(place).merge(write_package(tmp_path, rows[:1], "after"))
    assert read_titles(place) == sorted(
        (row["id"], "mine" if row["id"] != rows[0]["id"] else row["title"]) for row in rows
    )
    items = place.open_delta("tickets__action_items").to_pyarrow_table().to_pylist()
    assert sorted((item["ticket_id"], item["position"]) for item in items) == sorted(
        (row["id"], number) for row in rows for number, _ in enumerate(row["action_items"])
    )
    versions = place.open_delta("tickets_history").to_pyarrow_table().to_pylist()
    assert len({(row["id"], row["updated_at"]) for row in versions}) == len(versions)


def double_delta(folder: Path, table: str) -> None:
    """Append a Delta table's rows to it."""
    path = folder / "tables" / table
    write_deltalake(DeltaTable(path), DeltaTable(path).to_pyarrow_table(), mode="append")


def double_parquet(folder: Path, table: str) -> None:
    """Write the rows of a table's one file twice."""
    place = (folder / "tables" / table).resolve() / f"{table}.parquet"
    rows = pq.read_table(place)
    pq.write_table(pa.concat_tables([rows, rows]), folder / "doubled")
    shutil.move(folder / "doubled", place)


def double_duckdb(folder: Path, table: str) -> None:
    """Insert a table's rows into it."""
    with duckdb.connect(str(folder / "cogny.duckdb")) as db:
        db.execute(f"INSERT INTO cogny_data.{table} FROM cogny_data.{table}")


DOUBLE = {"duckdb": double_duckdb, "parquet": double_parquet, "delta": double_delta}


@pytest.fixture(params=["duckdb", "parquet", pytest.param("delta", marks=pytest.mark.long)])
def home(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, Place]:
    """Each destination."""
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    kind = request.param
    return kind, DuckDBPlace(tmp_path) if kind == "duckdb" else FolderPlace(tmp_path, kind)


@pytest.mark.parametrize(
    "options", [{}, pytest.param({"census": "always"}, marks=pytest.mark.long), {"full_refresh": True}]
)
def test_doubled_rows_are_mended(
    options: dict[str, Any], home: tuple[str, Place], sandbox: SandboxServer, tmp_path: Path
) -> None:
    """Tickets that stand twice, and their lists, stand once after a sync: the counts differ."""
    kind, place = home
    sync(place.pipeline(), settings_for(sandbox))
    for table in ("tickets", "tickets__action_items", "warehouses"):
        DOUBLE[kind](tmp_path, table)
    sync(place.pipeline(), settings_for(sandbox), **options)
    assert_exact(place.ask, sandbox.world)


def test_doubled_lists_alone_are_mended_by_a_census(
    home: tuple[str, Place], sandbox: SandboxServer, tmp_path: Path
) -> None:
    """Of a list that stands twice no count tells."""
    kind, place = home
    sync(place.pipeline(), settings_for(sandbox))
    DOUBLE[kind](tmp_path, "tickets__action_items")
    sync(place.pipeline(), settings_for(sandbox), census="always")
    assert_exact(place.ask, sandbox.world)


@pytest.mark.parametrize("marked_before", [False, True])
def test_doubled_rows_that_the_api_no_longer_lists_are_mended(
    marked_before: bool, home: tuple[str, Place], sandbox: SandboxServer, tmp_path: Path
) -> None:
    """They are marked deleted, and there once."""
    kind, place = home
    settings = settings_for(sandbox)
    sync(place.pipeline(), settings)
    gone = [row["id"] for row in sandbox.world.rows("tickets")[:3]]
    for key in gone:
        sandbox.world.delete("tickets", key)
    if marked_before:
        sync(place.pipeline(), settings)
    DOUBLE[kind](tmp_path, "tickets")
    sync(place.pipeline(), settings, census="always")
    assert place.ask("SELECT id FROM tickets WHERE deleted_at IS NOT NULL ORDER BY id") == [
        (key,) for key in sorted(gone)
    ]
    assert place.ask("SELECT count(*), count(DISTINCT id) FROM tickets") == [(450, 450)]


def test_row_that_stands_twice_is_marked_once(home: tuple[str, Place], sandbox: SandboxServer, tmp_path: Path) -> None:
    """The scrub marks rows of a slice, where nothing has made one of two before."""
    kind, place = home
    sync(place.pipeline(), settings_for(sandbox), resources=["tickets"])
    DOUBLE[kind](tmp_path, "tickets")
    keys = sorted(row["id"] for row in sandbox.world.rows("tickets")[:2])
    pipeline = place.pipeline()
    pipeline.sync_destination()
    chunk = mark_deleted(open_session(pipeline, 10.0), TICKETS, keys, datetime(2025, 3, 1, tzinfo=UTC))
    assert sorted(chunk.tables["tickets"]["id"].to_pylist()) == keys
    assert chunk.rows == 2
