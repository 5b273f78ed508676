"""A folder of Parquet files: what lies in it, how it changes, and what a reader sees meanwhile."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import Mock

import dlt
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from deltalake import DeltaTable
from fsspec.implementations.local import LocalFileSystem

from cogny_source import cogny_source, sync
from cogny_source.cli import sync_command
from cogny_source.destinations.filesystem import file_store, scan
from cogny_source.destinations.filesystem.dlt_client import open_folder
from cogny_source.destinations.filesystem.file_store import CURRENT, ObjectStore, PlainStore, SnapshotStore
from cogny_source.destinations.filesystem.parquet import MONTHLY_FROM_ROWS, ParquetTables
from cogny_source.destinations.filesystem.scan import connect
from cogny_source.destinations.filesystem.table_layout import list_layouts
from cogny_source.destinations.filesystem.target import probe
from cogny_source.destinations.registry import open_session
from cogny_source.errors import ConfigError, LoadFailed
from cogny_source.records.chunk import ChunkBuilder
from cogny_source.sandbox import SandboxServer, World
from cogny_source.schema import TICKETS
from tests.support.places import FolderPlace
from tests.support.syncs import KEY, ROOT, settings_for
from tests.support.truth import assert_exact

LAYOUTS = list_layouts()
Row = dict[str, Any]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FolderPlace:
    """An empty folder."""
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    return FolderPlace(tmp_path, "parquet")


def write_package(folder: Path, rows: list[Row]) -> dict[str, list[str]]:
    """Rows of tickets as the files of a load."""
    builder = ChunkBuilder(TICKETS, history=True)
    builder.add(rows)
    files = {}
    for name, table in builder.build(None).tables.items():
        path = folder / f"{name}.in"
        pq.write_table(table, path)
        files[name] = [str(path)]
    return files


def make_tables(kind: str, folder: Path, monthly_from_rows: int = MONTHLY_FROM_ROWS) -> ParquetTables:
    """Tables in a store of a kind, in a folder."""
    if kind == "objects":
        files = LocalFileSystem(auto_mkdir=True)
        return ParquetTables(ObjectStore(files, f"{folder}/", "file://"), LAYOUTS, files, monthly_from_rows)
    store = SnapshotStore(folder) if kind == "snapshots" else PlainStore(folder)
    return ParquetTables(store, LAYOUTS, monthly_from_rows=monthly_from_rows)


def read(tables: ParquetTables, query: str) -> list[tuple[Any, ...]]:
    """Ask the files."""
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        for name in LAYOUTS:
            if name in query:
                db.execute(f"CREATE VIEW {name} AS FROM read_parquet({tables.files(name)}, union_by_name = true)")
        return db.execute(query).fetchall()


def month(row: Row) -> str:
    """The month of a row in a file's name."""
    try:
        return datetime.fromisoformat(row["created_at"]).astimezone(UTC).strftime("%Y-%m")
    except ValueError:
        return "undated"


@pytest.mark.parametrize(
    ("kind", "monthly_from_rows"),
    [*product(["snapshots", "plain"], [0, 40, 1000]), ("objects", 40)],  # which go over from one file to many
)
def test_merges_equal_a_dictionary(kind: str, monthly_from_rows: int, tmp_path: Path) -> None:
    """Whatever comes in whatever order, from one file to many, each key is there once, as it came last."""
    chance = Random(monthly_from_rows)
    source = World(seed=5, tickets=120).rows("tickets")
    tables = make_tables(kind, tmp_path / "out", monthly_from_rows)
    held: dict[str, Row] = {}
    for turn in range(6):
        rows = [dict(row) for row in chance.sample(source, chance.randint(1, 25))]
        for row in rows:
            row["title"] = f"turn {turn}"
            row["updated_at"] = (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=turn)).isoformat()
            row["action_items"] = [f"item {place} of {turn}" for place in range(chance.randint(0, 3))]
            if chance.random() < 0.1:
                row["created_at"] = "some day"
        package = write_package(tmp_path, rows)
        tables.merge(package)
        if chance.random() < 0.3:
            tables.merge(package)
        held |= {row["id"]: row for row in rows}
        assert read(tables, "SELECT id, title FROM tickets ORDER BY 1") == sorted(
            (key, row["title"]) for key, row in held.items()
        )
        assert read(tables, "SELECT ticket_id, position, value FROM tickets__action_items ORDER BY 1, 2") == sorted(
            (key, place, text) for key, row in held.items() for place, text in enumerate(row["action_items"])
        )
    assert read(tables, "SELECT count(*), count(DISTINCT (id, updated_at)) FROM tickets_history") == [
        (count := read(tables, "SELECT count(*) FROM tickets_history")[0][0], count)
    ]
    names = {Path(path).name for path in tables.files("tickets")}
    if monthly_from_rows > len(held):
        assert names == {"tickets.parquet"}
    else:
        assert {f"tickets-{month(row)}.parquet" for row in held.values()} <= names
        assert "tickets.parquet" not in names


def test_only_touched_months_are_written(tmp_path: Path) -> None:
    """A change of one ticket leaves the files of all other months, and of all other tables, as they are."""
    tables = ParquetTables(SnapshotStore(tmp_path / "out"), LAYOUTS, monthly_from_rows=0)
    rows = World(seed=5, tickets=200).rows("tickets")
    tables.merge(write_package(tmp_path, rows))
    before = {Path(path).name: Path(path).stat().st_ino for name in LAYOUTS for path in tables.files(name)}
    tables.merge(write_package(tmp_path, [{**rows[0], "title": "new"}]))
    after = {Path(path).name: Path(path).stat().st_ino for name in LAYOUTS for path in tables.files(name)}
    changed = {name for name in after if after[name] != before.get(name)}
    names = ("tickets", "tickets__action_items", "tickets_history")
    assert changed == {f"{name}-{month(rows[0])}.parquet" for name in names}
    assert len(before) > 30


def test_files_are_sorted_and_described(tmp_path: Path) -> None:
    """Rows are in order of creation, zstd compresses them, and the metadata tell table, columns and their ranges."""
    tables = ParquetTables(SnapshotStore(tmp_path / "out"), LAYOUTS)
    rows = World(seed=5, tickets=200).rows("tickets")
    Random(1).shuffle(rows)
    tables.merge(write_package(tmp_path, rows))
    [path] = tables.files("tickets")
    table, metadata = pq.read_table(path), pq.read_metadata(path)
    stamps = table["created_at"].to_pylist()
    assert stamps == sorted(stamps)
    assert table.schema.metadata[b"description"].decode() == TICKETS.description
    descriptions = {field.name: field.metadata[b"description"].decode() for field in table.schema}
    assert descriptions == {column.name: column.description for column in TICKETS.columns}
    place = table.schema.names.index("created_at")
    column = metadata.row_group(0).column(place)
    assert column.compression == "ZSTD"
    assert (column.statistics.min, column.statistics.max) == (stamps[0], stamps[-1])


class Killed(BaseException):
    """The process is no more."""


class Death:
    """Ends a merge at its nth step that changes the disk, and keeps it from tidying up."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
        self._left = step
        self._dead = False
        for owner, name in (
            (Path, "replace"), (Path, "rename"), (Path, "symlink_to"), (Path, "mkdir"), (Path, "unlink"),
            (os, "link"), (os, "fsync"), (os, "replace"), (shutil, "rmtree"), (shutil, "copyfile"),
            (pq.ParquetWriter, "write_batch"), (pq.ParquetWriter, "close"),
        ):  # fmt: skip
            monkeypatch.setattr(owner, name, self._watch(getattr(owner, name)))

    def _watch(self, step: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **kwargs: Any) -> Any:
            if self._dead:
                return None
            self._left -= 1
            if self._left < 0:
                self._dead = True
                raise Killed
            return step(*args, **kwargs)

        return counted


@pytest.mark.parametrize("kind", ["snapshots", "plain"])
def test_killed_at_any_step(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A merge that splits a table into months, killed at any step, leaves files that the next one makes exact.

    Before that, they are as they were or as they should be, seen by the connector; with snapshots, by any reader.
    """
    rows = World(seed=5, tickets=90).rows("tickets")
    rows = [{**row, "created_at": f"2026-0{1 + place % 3}-01T00:00:00Z"} for place, row in enumerate(rows)]
    make_tables(kind, tmp_path / "first").merge(write_package(tmp_path, rows[:70]))
    package = write_package(tmp_path, [{**row, "title": "new"} for row in rows[50:]])
    wanted = sorted([(row["id"], row["title"]) for row in rows[:50]] + [(row["id"], "new") for row in rows[50:]])
    items = sorted((row["id"], place, text) for row in rows for place, text in enumerate(row["action_items"] or []))
    done, step = False, 0
    while not done:
        folder = Path(shutil.copytree(tmp_path / "first", tmp_path / f"{step}", symlinks=True))
        tables = make_tables(kind, folder, 80)
        with monkeypatch.context() as patch:
            Death(patch, step)
            try:
                tables.merge(package)
                done = True
            except Killed:
                step += 7
        counts = read(tables, "SELECT count(*), count(DISTINCT id), count(*) FILTER (title = 'new') FROM tickets")
        assert counts in ([(70, 70, 0)], [(90, 90, 40)])
        assert len(pq.read_table(folder / "tickets")) >= 70
        if kind == "snapshots":
            assert len(pq.read_table(folder / "tickets")) in (70, 90)
        tables.merge(package)
        assert read(tables, "SELECT id, title FROM tickets ORDER BY 1") == wanted
        assert read(tables, "SELECT ticket_id, position, value FROM tickets__action_items ORDER BY 1, 2") == items
        assert "tickets.parquet" not in {Path(path).name for path in tables.files("tickets")}
    assert step > 20


def test_months_of_a_killed_split_do_not_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that has another month when the split is tried again is there once."""
    rows = World(seed=5, tickets=6).rows("tickets")
    make_tables("plain", tmp_path / "out").merge(write_package(tmp_path, rows))
    tables = make_tables("plain", tmp_path / "out", 3)
    odd = [{**rows[0], "created_at": "some day", "action_items": ["one"]}]
    with monkeypatch.context() as patch:
        patch.setattr(PlainStore, "_remove", Mock(side_effect=Killed))
        with pytest.raises(Killed):
            tables.merge(write_package(tmp_path, odd))
    assert len(list((tmp_path / "out" / "tickets").iterdir())) > 1
    assert [Path(path).name for path in tables.files("tickets")] == ["tickets.parquet"]
    tables.merge(write_package(tmp_path, [{**rows[0], "action_items": []}]))
    keys = sorted((row["id"],) for row in rows)
    assert read(tables, "SELECT id FROM tickets ORDER BY 1") == keys
    assert read(tables, f"SELECT * FROM tickets__action_items WHERE ticket_id = '{rows[0]['id']}'") == []
    assert "tickets-undated.parquet" not in {path.name for path in (tmp_path / "out" / "tickets").iterdir()}


def test_killed_commit_leaves_readers_their_snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot that no link ever led to does not count among those that are kept."""
    tables = make_tables("snapshots", tmp_path / "out")
    packages = [write_package(tmp_path, [row]) for row in World(seed=5, tickets=4).rows("tickets")]
    tables.merge(packages[0])
    read_by_someone = (tmp_path / "out" / CURRENT).resolve()
    with monkeypatch.context() as patch:
        patch.setattr("cogny_source.destinations.filesystem.file_store._replace_link", Mock(side_effect=Killed))
        with pytest.raises(Killed):
            tables.merge(packages[1])
    tables.merge(packages[2])
    assert len(pq.read_table(read_by_someone / "tickets" / "tickets.parquet")) == 1
    assert (tmp_path / "out" / CURRENT).resolve() != read_by_someone


def test_no_file_is_written_where_the_command_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What DuckDB has no room for goes to a folder of each run's own: two in one place would take each other's."""
    monkeypatch.chdir(tmp_path)
    with connect() as one, connect() as other:
        folders = [db.execute("SELECT current_setting('temp_directory')").fetchall()[0][0] for db in (one, other)]
        assert len({*folders, str(tmp_path), ""}) == 4
        assert all(Path(folder).is_dir() for folder in folders)
    assert not any(Path(folder).exists() for folder in folders)


def test_reader_sees_whole_tables(sandbox: SandboxServer, place: FolderPlace) -> None:
    """While syncs go on, each query finds every row once, none that was there is missing, and lists fit their rows."""
    folder = Path(place.url)
    faults: list[object] = []
    counts = [0]
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            if not (folder / "tickets").exists():
                continue
            with duckdb.connect() as db:
                query = f"SELECT count(*), count(DISTINCT id) FROM '{folder}/tickets/*.parquet'"
                [(rows, keys)] = db.execute(query).fetchall()
                snapshot = (folder / CURRENT).resolve()
                parents = f"SELECT id FROM '{snapshot}/tickets/*.parquet'"
                items = f"FROM '{snapshot}/tickets__action_items/*.parquet'"
                strays = db.execute(f"{items} WHERE ticket_id NOT IN ({parents})").fetchall()
            if rows != keys or rows < counts[-1] or strays:
                faults.append((rows, keys, counts[-1], strays))
            counts.append(rows)

    reader = threading.Thread(target=look)
    reader.start()
    try:
        for _ in range(2):
            sync(place.pipeline(), settings_for(sandbox, chunk_rows=50))
            sandbox.world.advance(datetime.now(UTC), created=20, changed=60)
    finally:
        done.set()
        reader.join()
    assert faults == []
    assert len(set(counts)) > 3


def test_plain_dlt_loads_too(sandbox: SandboxServer, place: FolderPlace) -> None:
    """`pipeline.run(cogny_source())` merges as `sync` does, and dlt's own dataset reads what is there."""
    for _ in range(2):
        pipeline = place.pipeline()
        pipeline.run(cogny_source(api_key=KEY, base_url=sandbox.base_url))
        assert_exact(place.ask, sandbox.world)
        sandbox.world.advance(datetime.now(UTC), created=5, changed=20)
    assert len(pipeline.dataset().tickets.select("id").fetchall()) == 455


def test_dlts_own_destination_is_refused(sandbox: SandboxServer, tmp_path: Path) -> None:
    """A destination that appends on merge is named, and what to take instead."""
    destination = dlt.destinations.filesystem(str(tmp_path / "out"))
    pipeline = dlt.pipeline("cogny", pipelines_dir=str(tmp_path / "p"), destination=destination)
    with pytest.raises(ConfigError, match="open_folder"):
        sync(pipeline, settings_for(sandbox))
    with pytest.raises(Exception, match="open_folder"):
        pipeline.run(cogny_source(api_key=KEY, base_url=sandbox.base_url))
    assert not (tmp_path / "out").exists()


def test_other_tables_are_refused(place: FolderPlace) -> None:
    """Rows of another source are not taken, as their keys are unknown."""
    with pytest.raises(Exception, match="takes only the tables of cogny_source, not birds"):
        place.pipeline().run([{"a": 1}], table_name="birds")


def test_folder_without_links(sandbox: SandboxServer, place: FolderPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the file system takes no links, files are replaced in their places, and stay so."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError("no links here")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "symlink_to", refuse)
        sync(place.pipeline(), settings_for(sandbox, chunk_rows=200))
        assert_exact(place.ask, sandbox.world)
    assert not (Path(place.url) / CURRENT).exists()
    sandbox.world.advance(datetime.now(UTC), created=5, changed=20)
    sync(place.pipeline(), settings_for(sandbox))
    assert_exact(place.ask, sandbox.world)
    assert not list(Path(place.url).rglob("*.new"))


def test_something_in_the_way_is_named(sandbox: SandboxServer, place: FolderPlace) -> None:
    """A file where a table belongs is named; nothing is overwritten, and without it the sync goes on."""
    folder = Path(place.url)
    folder.mkdir()
    (folder / "reports").write_text("mine")
    with pytest.raises(ConfigError, match="reports is in the way of the table reports"):
        sync(place.pipeline(), settings_for(sandbox))
    assert (folder / "reports").read_text() == "mine"
    (folder / "reports").unlink()
    sync(place.pipeline(), settings_for(sandbox))
    assert_exact(place.ask, sandbox.world)


def test_formats_are_not_mixed(sandbox: SandboxServer, place: FolderPlace, tmp_path: Path) -> None:
    """A folder with tables of the other format is refused, as the state in it says nothing of new tables."""
    sync(place.pipeline(), settings_for(sandbox))
    delta = FolderPlace(tmp_path, "delta")
    with pytest.raises(ConfigError, match="holds parquet tables"):
        sync(delta.pipeline("elsewhere"), settings_for(sandbox))
    assert_exact(place.ask, sandbox.world)


def test_locked_folder_is_waited_for(sandbox: SandboxServer, tmp_path: Path, environment: dict[str, str]) -> None:
    """Another process that writes into the folder is waited for, and named."""
    folder = tmp_path / "out"
    folder.mkdir()
    holder = "import filelock, sys\nwith filelock.FileLock(sys.argv[1]):\n    print('held', flush=True); input()"
    command = [sys.executable, str(ROOT / "pipelines" / "cogny_to_parquet.py"), "--bucket-url", "out"]
    settings = {"SOURCES__COGNY__API_KEY": KEY, "SOURCES__COGNY__BASE_URL": sandbox.base_url}
    variables = {**environment, **settings, "SOURCES__COGNY__DESTINATION_WAIT_SECONDS": "2"}
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(folder / ".lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=120)
        process.communicate(b"\n")
    assert done.returncode == 1
    assert "waiting for the database, up to 2 s" in done.stderr
    assert f"{folder / '.lock'}" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("table_format", "name"),
    [("parquet", "été [1]*'s %20 #a/status=raw/env=prod"), ("delta", "été (1)*'s ?#a/status=raw/env=prod")],
)
def test_folder_with_an_odd_name(table_format: Any, name: str, sandbox: SandboxServer, tmp_path: Path) -> None:
    """Whatever is in a folder's name stands for itself: `status=raw` is no column, `*` no pattern, `#` no end."""
    for _ in range(2):
        destination = open_folder((tmp_path / name).as_uri(), table_format)
        pipeline = dlt.pipeline("cogny", pipelines_dir=str(tmp_path / "p"), destination=destination)
        result = sync(pipeline, settings_for(sandbox), verify=True)
        assert [entry.counts.differences for entry in result.resources] == [(), (), ()]
        sandbox.world.advance(datetime.now(UTC), created=5, changed=20)
    folder = tmp_path / name / "tickets"
    read = (
        pq.read_table(folder / "tickets.parquet", partitioning=None)
        if table_format == "parquet"
        else DeltaTable(folder.as_uri())
    )
    table = read if isinstance(read, pa.Table) else read.to_pyarrow_table()
    assert table.schema.names == [column.name for column in TICKETS.columns]
    assert len(table) == 455
    assert "raw" not in table["status"].to_pylist()


@pytest.mark.parametrize("name", ["a%20b", "a[1]", "a|b", "a^b", "a\\b"])
def test_delta_tables_are_not_put_where_they_cannot_be_read(name: str, tmp_path: Path) -> None:
    """What deltalake does not open is named before anything is written."""
    with pytest.raises(ConfigError, match="deltalake cannot open a path with"):
        open_folder(str(tmp_path / name), "delta")
    assert open_folder(str(tmp_path / name), "parquet")


def test_url_of_a_local_folder_is_locked_too(tmp_path: Path) -> None:
    """By the same lock as its path."""
    lock = open_folder(str(tmp_path / "a b")).make_lock()
    assert lock is not None
    assert open_folder(f"{tmp_path.as_uri()}/a%20b").make_lock() is lock


def test_check_tells_what_a_sync_would_refuse(sandbox: SandboxServer, place: FolderPlace) -> None:
    """Tables of the other format, something in a table's way, a folder that cannot be made."""
    sync(place.pipeline(), settings_for(sandbox))
    with pytest.raises(ConfigError, match="holds parquet tables"):
        list(probe(open_folder(place.url, "delta"), place.url))
    other = Path(place.url).with_name("other")
    other.mkdir()
    (other / "reports").write_text("mine")
    with pytest.raises(ConfigError, match="reports is in the way"):
        list(probe(open_folder(str(other)), str(other)))
    with pytest.raises(LoadFailed, match="/proc/nothing/x cannot be used"):
        list(probe(open_folder("/proc/nothing/x"), "/proc/nothing/x"))


def test_disk_that_fails_while_it_is_read_is_named(
    sandbox: SandboxServer, place: FolderPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in the middle of a count, where dlt raises nothing of its own."""
    sync(place.pipeline(), settings_for(sandbox))
    monkeypatch.setattr(ParquetTables, "files", Mock(side_effect=OSError(5, "Input/output error")))
    with pytest.raises(LoadFailed, match=r"does not answer: .*Input/output error"):
        open_session(place.pipeline(), 0).count_live(TICKETS, None, None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--bucket-url", "https://bucket/x"], "name a folder, s3://BUCKET/... or gs://BUCKET/..."),
        (["--bucket-url", "s3://"], "name a folder, s3://BUCKET/... or gs://BUCKET/..."),
        (["--bucket-url", "{file}"], "is a file: name a folder"),
        (["--dataset", "No Such Name"], "use lowercase letters"),
    ],
)
def test_unusable_folders_are_refused(arguments: list[str], message: str, tmp_path: Path) -> None:
    """What is no folder exits with 2 and says what to write instead."""
    (tmp_path / "file").write_text("")
    arguments = [argument.format(file=tmp_path / "file") for argument in arguments]
    done = CliRunner().invoke(sync_command("parquet"), arguments)
    assert done.exit_code == 2
    assert message in done.output


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (["--bucket-url", "s3://bucket/x"], "pip install 'cogny-source[s3]'"),
        (["--bucket-url", "GS://bucket/x"], "pip install 'cogny-source[gs]'"),
        (["--table-format", "delta"], "pip install 'cogny-source[delta]'"),
    ],
)
def test_missing_extra_is_named(arguments: list[str], advice: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the library that a folder needs, the message tells how to install it."""
    monkeypatch.setattr("cogny_source.destinations.filesystem.target.find_spec", lambda _: None)
    done = CliRunner().invoke(sync_command("parquet"), arguments)
    assert done.exit_code == 2
    assert advice in done.output


def test_many_delta_files_are_made_one(sandbox: SandboxServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From some files on a Delta table is compacted; its rows, and its earlier versions, stay."""
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    monkeypatch.setattr("cogny_source.destinations.filesystem.delta.COMPACT_FROM_FILES", 3)
    place = FolderPlace(tmp_path, "delta")
    sync(place.pipeline(), settings_for(sandbox, chunk_rows=100))
    assert_exact(place.ask, sandbox.world)
    table = place.open_delta("tickets")
    assert len(table.file_uris()) < 3
    assert "OPTIMIZE" in {commit["operation"] for commit in table.history()}
    table.load_as_version(1)
    assert 0 < len(table.to_pyarrow_table()) < 450


@pytest.mark.parametrize("table_format", ["parquet", "delta"])
def test_rows_that_do_not_fit_into_little_memory_are_merged_with_more(
    table_format: Any, sandbox: SandboxServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where DuckDB's bound is too little for what it holds together, it goes on with what the machine has."""
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    bounds: list[str | None] = []
    spare = scan.connect

    def watch(memory_limit: str | None) -> Any:
        bounds.append(memory_limit)
        return spare(memory_limit)

    monkeypatch.setattr(scan, "connect", watch)
    monkeypatch.setattr(scan, "SORT_MEMORY", "1MB")
    place = FolderPlace(tmp_path, table_format)
    sync(place.pipeline(), settings_for(sandbox))
    assert_exact(place.ask, sandbox.world)
    assert bounds[:2] == ["1MB", None]


def test_groups_follow_rows_and_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row group ends at so many rows or bytes, whichever comes first; no row is lost."""
    schema = pa.schema([("id", pa.int64()), ("text", pa.string())])
    batches = [pa.record_batch([[place], ["x" * (place % 5) * 10]], schema) for place in range(20)]
    monkeypatch.setattr(scan, "ROWS_A_GROUP", 6)
    monkeypatch.setattr(scan, "GROUP_BYTES", 150)
    groups = list(scan.group_rows(pa.RecordBatchReader.from_batches(schema, batches), schema))
    assert pa.concat_tables(groups).to_pydict() == pa.Table.from_batches(batches).to_pydict()
    assert max(map(len, groups)) <= 6
    assert max(group.nbytes for group in groups) < 150 + batches[4].nbytes


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
def test_share_that_cannot_flush_folders_is_told_once(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As on SMB: the load goes on; any other failure of the disk ends it."""
    flush = os.fsync

    def refuse(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(number, os.strerror(number))
        flush(handle)

    monkeypatch.setattr(os, "fsync", refuse)
    file_store._warn_unsynced.cache_clear()
    tables = make_tables("snapshots", tmp_path / "out")
    for rows in (World(seed=5, tickets=3).rows("tickets"), World(seed=6, tickets=3).rows("tickets")):
        tables.merge(write_package(tmp_path, rows))
    assert read(tables, "SELECT count(*) FROM tickets") == [(6,)]
    assert len([record for record in caplog.records if "cannot flush a folder" in record.getMessage()]) == 1
    number = errno.EIO
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        tables.merge(write_package(tmp_path, World(seed=7, tickets=3).rows("tickets")))
