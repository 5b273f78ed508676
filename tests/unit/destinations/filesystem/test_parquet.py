"""Tables as Parquet files: merged by key, a month a file, sorted, in bounded memory."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cogny_source.destinations.filesystem import scan
from cogny_source.destinations.filesystem.file_store import SnapshotStore
from cogny_source.destinations.filesystem.parquet import ParquetTables
from cogny_source.destinations.filesystem.scan import connect
from cogny_source.sandbox import World
from cogny_source.schema import TICKETS
from tests.support.parquet_tables import LAYOUTS, month, write_package
from tests.support.places import FolderPlace


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FolderPlace:
    """An empty folder."""
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    return FolderPlace(tmp_path, "parquet")


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


def test_no_file_is_written_where_the_command_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What DuckDB has no room for goes to a folder of each run's own: two in one place would take each other's."""
    monkeypatch.chdir(tmp_path)
    with connect() as one, connect() as other:
        folders = [db.execute("SELECT current_setting('temp_directory')").fetchall()[0][0] for db in (one, other)]
        assert len({*folders, str(tmp_path), ""}) == 4
        assert all(Path(folder).is_dir() for folder in folders)
    assert not any(Path(folder).exists() for folder in folders)


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
