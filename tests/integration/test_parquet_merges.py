"""Tables as Parquet files, exact whatever is merged in whatever order, and wherever a merge is killed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import pyarrow.parquet as pq
import pytest

from cogny_source import sync
from cogny_source.destinations.filesystem import scan
from cogny_source.sandbox import SandboxServer, World
from tests.support.parquet_tables import Row, make_tables, month, read, write_package
from tests.support.places import FolderPlace
from tests.support.syncs import settings_for
from tests.support.truth import assert_exact


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FolderPlace:
    """An empty folder."""
    monkeypatch.setenv("RUNTIME__DLTHUB_TELEMETRY", "false")
    return FolderPlace(tmp_path, "parquet")


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
