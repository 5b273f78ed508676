"""Child tables of any shape: lists of objects, lists inside lists, lists of texts, from rows to a destination."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import dlt
import pyarrow as pa
import pytest

from cogny_source.destinations.filesystem.dlt_client import open_folder
from cogny_source.destinations.registry import open_session
from cogny_source.destinations.session import DestinationSession
from cogny_source.reconcile.comparison import Comparison
from cogny_source.reconcile.orphans import clear_orphans
from cogny_source.records.chunk import select_rows
from cogny_source.records.package import Package
from cogny_source.schema import RESOURCE_TABLES
from cogny_source.windows import Window
from tests.support.papers import (
    CHILDREN,
    EMPTY,
    FULL,
    NEW,
    OLD,
    PAPERS,
    SECTIONS,
    build,
    essence,
    rebuild,
)
from tests.support.syncs import NAME, make_pipeline

SHORTER: dict[str, Any] = {
    **FULL,
    "updated_at": NEW,
    "body": {"sections": [{"title": "Only", "claims": [{"text": "b", "labels": {"tags": ["w"]}}]}]},
}


@pytest.fixture(autouse=True)
def _papers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Papers are a resource."""
    monkeypatch.setitem(RESOURCE_TABLES, PAPERS.name, PAPERS)


def open_pipeline(folder: Path, kind: str) -> dlt.Pipeline:
    """A pipeline into a new destination of a kind."""
    if kind == "duckdb":
        return make_pipeline(folder)
    layout: Literal["parquet", "delta"] = "delta" if kind == "delta" else "parquet"
    destination = open_folder(str(folder / "tables"), layout)
    return dlt.pipeline(NAME, pipelines_dir=str(folder), destination=destination, dataset_name="cogny_data")


def read_back(destination: DestinationSession) -> dict[str, pa.Table]:
    """Every table of the papers, as the destination gives it."""
    found = {PAPERS.name: pa.concat_tables(destination.read_rows(PAPERS))}
    for child in CHILDREN:
        tables = list(destination.read_children(PAPERS, child))
        names = [column.name for column in child.columns]
        found[child.name] = pa.concat_tables(tables) if tables else pa.table({name: [] for name in names})
    return found


def assert_holds(destination: DestinationSession, *rows: dict[str, Any]) -> None:
    """The destination holds these papers and nothing else, and a comparison finds no difference."""
    rebuilt = {row["paper_id"]: essence(PAPERS, row) for row in rebuild(PAPERS, read_back(destination))}
    assert rebuilt == {row["paper_id"]: essence(PAPERS, row) for row in rows}
    with Comparison.with_destination(destination, PAPERS, Window()) as comparison:
        assert comparison.take_theirs(build(list(rows)).tables).keys == []
        assert comparison.differing() == []
        assert comparison.gone(dated_only=False) == []


@pytest.mark.parametrize("kind", ["duckdb", "parquet", "delta"])
def test_destination_holds_each_version_whole(tmp_path: Path, kind: str) -> None:
    """Loaded, loaded again shorter, and emptied: no element of an older version is left at any level."""
    destination = open_session(open_pipeline(tmp_path, kind), wait_seconds=0)
    loader = destination.adapter.make_loader(destination)
    full = {**FULL, "updated_at": "2025-04-01T00:00:00Z"}
    emptied = {**EMPTY, "paper_id": "full", "updated_at": "2025-03-01T00:00:00Z"}
    for turn, (loaded, held) in enumerate(
        [
            ([EMPTY, FULL], [EMPTY, FULL]),
            ([SHORTER], [EMPTY, SHORTER]),
            ([emptied], [EMPTY, emptied]),
            ([full], [EMPTY, full]),
        ]
    ):
        loader.load(Package({PAPERS.name: build(loaded)}, token=str(turn)))
        assert_holds(destination, *held)
    [(versions,)] = destination.query("SELECT count(*) FROM papers_history")
    assert versions == 5
    old, new = (datetime.fromisoformat(stamp) for stamp in (OLD, NEW))
    for window, positions in ((Window(old, new), [0, 1]), (Window(None, old), []), (Window(new), [])):
        sections = destination.read_children(PAPERS, SECTIONS, window)
        assert [place for table in sections for place in table["position"].to_pylist()] == positions


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("papers__sections", "DELETE FROM papers__sections WHERE position = 0"),
        ("papers__sections", "UPDATE papers__sections SET extra = NULL"),
        ("papers__claims", "DELETE FROM papers__claims WHERE position = 0"),
        ("papers__claims", "UPDATE papers__claims SET confidence = 0.25 WHERE position = 0"),
        ("papers__claims", "UPDATE papers__claims SET section_position = 0"),
        ("papers__tags", "UPDATE papers__tags SET claim_position = 1 WHERE claim_position = 2"),
        ("papers__tags", "UPDATE papers__tags SET value = 'q' WHERE position = 1"),
        ("papers__notes", "DELETE FROM papers__notes"),
    ],
)
def test_change_at_any_level_is_a_difference_of_the_paper(tmp_path: Path, table: str, change: str) -> None:
    """What is gone from a child table or differs in it, however deep, is found by the paper's key, and mended."""
    destination = open_session(make_pipeline(tmp_path), wait_seconds=0)
    loader = destination.adapter.make_loader(destination)
    loader.load(Package({PAPERS.name: build([EMPTY, FULL])}, token="1"))
    with destination.connect() as client:
        client.execute_sql(change)
    chunk = build([EMPTY, FULL])
    with Comparison.with_destination(destination, PAPERS, Window()) as comparison:
        keys = comparison.take_theirs(chunk.tables).keys
        assert keys == ["full"]
        assert [(part, key, kind) for part, key, kind, _ in comparison.differing()] == [(table, "full", "differs")]
    loader.load(Package({PAPERS.name: select_rows(chunk, PAPERS, keys)}, token="2"))
    assert_holds(destination, EMPTY, FULL)


def test_child_rows_without_a_paper_are_cleared_at_every_level(tmp_path: Path) -> None:
    """Rows whose paper is gone are found in each child table, and a tombstone takes them away."""
    destination = open_session(make_pipeline(tmp_path), wait_seconds=0)
    loader = destination.adapter.make_loader(destination)
    loader.load(Package({PAPERS.name: build([EMPTY, FULL])}, token="1"))
    with destination.connect() as client:
        client.execute_sql("DELETE FROM papers WHERE paper_id = 'full'")
    with Comparison.with_destination(destination, PAPERS, Window()) as comparison:
        comparison.take_theirs(build([EMPTY]).tables)
        [chunk] = clear_orphans(comparison, PAPERS, destination)
    assert set(chunk.tables) == {child.name for child in CHILDREN}
    loader.load(Package({PAPERS.name: chunk}, token="2"))
    assert_holds(destination, EMPTY)
