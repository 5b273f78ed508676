"""The store of files: a merge that is killed anywhere leaves the tables whole."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from unittest.mock import Mock

import pyarrow.parquet as pq
import pytest

from cogny_source.destinations.filesystem import file_store
from cogny_source.destinations.filesystem.file_store import CURRENT, PlainStore
from cogny_source.sandbox import World
from tests.support.parquet_tables import make_tables, read, write_package


class Killed(BaseException):
    """The process is no more."""


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
