"""A folder of Parquet files: what lies in it, how it changes, and what a reader sees meanwhile."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import dlt
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from cogny_source import cogny_source, sync
from cogny_source.destinations.filesystem.dlt_client import open_folder
from cogny_source.destinations.filesystem.file_store import CURRENT
from cogny_source.destinations.filesystem.parquet import ParquetTables
from cogny_source.destinations.filesystem.target import probe
from cogny_source.destinations.registry import open_session
from cogny_source.errors import ConfigError, LoadFailed
from cogny_source.sandbox import SandboxServer
from cogny_source.schema import TICKETS
from tests.support.places import FolderPlace
from tests.support.syncs import KEY, ROOT, settings_for
from tests.support.truth import assert_exact


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FolderPlace:
    """An empty folder."""
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    return FolderPlace(tmp_path, "parquet")


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
