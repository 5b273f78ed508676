"""Child tables of any shape: lists of objects, lists inside lists, lists of texts, from rows to a destination."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import dlt
import pyarrow as pa
import pytest
from hypothesis import given, settings

from cogny_source.destinations.bigquery.hints import make_table_hints
from cogny_source.destinations.filesystem.dlt_client import open_folder
from cogny_source.destinations.registry import list_column_types, open_session
from cogny_source.destinations.session import DestinationSession
from cogny_source.errors import ContractError
from cogny_source.reconcile.comparison import Comparison
from cogny_source.reconcile.orphans import clear_orphans
from cogny_source.reconcile.versions import drop_rows
from cogny_source.records.chunk import Chunk, ChunkBuilder, merge_chunks, select_rows
from cogny_source.records.convert import convert_rows
from cogny_source.records.package import Package
from cogny_source.schema import RESOURCE_TABLES
from cogny_source.schema.dbml import describe_tables, render_dbml
from cogny_source.schema.markdown import render_tables
from cogny_source.windows import Window
from tests.support.papers import CHILDREN, CLAIMS, NOTES, PAPERS, SECTIONS, TAGS, essence, list_papers, rebuild
from tests.support.syncs import NAME, make_pipeline

OLD, NEW = "2025-01-01T00:00:00Z", "2025-02-01T00:00:00Z"
FULL: dict[str, Any] = {
    "paper_id": "full",
    "title": "A paper",
    "created_at": OLD,
    "updated_at": OLD,
    "keywords": ["one", "two"],
    "body": {
        "language": "en",
        "sections": [
            {"title": "Bare", "pages": 3, "final": True, "written_at": OLD},
            {
                "title": "Rich",
                "colour": "red",
                "claims": [
                    {"text": "a", "confidence": 0.5, "data": {"b": 1, "a": [2]}, "labels": {"tags": ["x", "y"]}},
                    {"text": "b", "labels": {"kind": "odd", "tags": []}},
                    {"text": "c", "labels": {"tags": ["z"]}},
                ],
                "notes": ["n"],
            },
        ],
    },
}
EMPTY: dict[str, Any] = {"paper_id": "empty", "title": "Nothing", "created_at": NEW, "updated_at": OLD}
SHORTER: dict[str, Any] = {
    **FULL,
    "updated_at": NEW,
    "body": {"sections": [{"title": "Only", "claims": [{"text": "b", "labels": {"tags": ["w"]}}]}]},
}


def cells(table: pa.Table, *names: str) -> list[tuple[Any, ...]]:
    """Some columns of a table, row by row."""
    return list(zip(*(table[name].to_pylist() for name in names), strict=True))


def test_lists_inside_lists_become_rows_with_the_places_around_them() -> None:
    """A row has the key of the paper, the places of the elements around it, and its own; empty papers a tombstone."""
    tables = convert_rows(PAPERS, [EMPTY, FULL]).tables
    assert list(tables) == ["papers", *(child.name for child in CHILDREN)]
    assert cells(tables["papers__sections"], "paper_id", "position", "title", "pages", "_dlt_deleted") == [
        ("empty", None, None, None, True),
        ("full", 0, "Bare", 3, None),
        ("full", 1, "Rich", None, None),
    ]
    key = ("paper_id", "section_position", "position")
    assert cells(tables["papers__claims"], *key, "text", "labels__kind", "data", "_dlt_deleted") == [
        ("empty", None, None, None, None, None, True),
        ("full", 1, 0, "a", None, '{"b":1,"a":[2]}', None),
        ("full", 1, 1, "b", "odd", None, None),
        ("full", 1, 2, "c", None, None, None),
    ]
    key = ("paper_id", "section_position", "claim_position", "position")
    assert cells(tables["papers__tags"], *key, "value", "_dlt_deleted") == [
        ("empty", None, None, None, None, True),
        ("full", 1, 0, 0, "x", None),
        ("full", 1, 0, 1, "y", None),
        ("full", 1, 2, 0, "z", None),
    ]
    assert cells(tables["papers__notes"], "paper_id", "section_position", "position", "value") == [
        ("empty", None, None, None),
        ("full", 1, 0, "n"),
    ]
    assert tables["papers__sections"]["extra"].to_pylist() == [None, None, '{"colour":"red"}']


@pytest.mark.parametrize("sections", [None, [], {}, "text", 7, False, [[]], [None], [1, "two"]])
def test_papers_without_elements_leave_one_tombstone_in_each_child_table(sections: Any) -> None:
    """Whatever stands in the place of a list, each child table has a row of the paper, which takes others away."""
    row = {"paper_id": "p", "body": {"sections": sections}}
    tables = convert_rows(PAPERS, [row]).tables
    stones = {child.name: tables[child.name]["_dlt_deleted"].to_pylist() for child in CHILDREN}
    elements = len(sections) if isinstance(sections, list) else 0
    assert stones.pop("papers__sections") == ([None] * elements or [True])
    assert set(map(tuple, stones.values())) == {(True,)}
    [extra] = tables["papers"]["extra"].to_pylist()
    assert (extra is None) == (sections in (None, []))


def test_list_that_holds_no_objects_alone_is_kept_whole_beside_them() -> None:
    """The elements that fit are rows in their places; the list stands verbatim in the `extra` around it."""
    section = {"title": "T", "claims": [{"text": "a"}, None, "odd", {"text": 5}]}
    converted = convert_rows(PAPERS, [{"paper_id": "p", "body": {"sections": [section]}}])
    claims = converted.tables["papers__claims"]
    assert cells(claims, "section_position", "position", "text", "extra") == [
        (0, 0, "a", None),
        (0, 1, None, None),
        (0, 2, None, None),
        (0, 3, None, '{"text":5}'),
    ]
    assert converted.tables["papers__sections"]["extra"].to_pylist() == [
        '{"claims":[{"text":"a"},null,"odd",{"text":5}]}'
    ]
    assert converted.undeclared == {"body.sections.claims": 1, "body.sections.claims.text": 1}


@settings(max_examples=300, deadline=None)
@given(list_papers())
def test_any_paper_can_be_put_together_again(rows: list[dict[str, Any]]) -> None:
    """Columns, child tables and `extra` of each level hold every value that the row brought."""
    converted = convert_rows(PAPERS, rows)
    assert [essence(PAPERS, row) for row in rebuild(PAPERS, converted.tables)] == [essence(PAPERS, row) for row in rows]
    for child in CHILDREN:
        table = converted.tables[child.name]
        roots = [f"p{place}" for place in converted.roots[child.name].to_pylist()]
        assert table["paper_id"].to_pylist() == roots
        assert set(roots) == {row["paper_id"] for row in rows}
        order = [tuple(-1 if part is None else part for part in key[1:]) for key in cells(table, *child.primary_key)]
        assert list(zip(roots, order, strict=True)) == sorted(zip(roots, order, strict=True))


@settings(max_examples=100, deadline=None)
@given(list_papers(), list_papers())
def test_chunk_keeps_the_child_rows_of_the_newest_version(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> None:
    """Within a chunk and over several, what belongs to an older version of a row goes with it, at every level."""
    old, new = ([{**row, "updated_at": stamp} for row in rows] for rows, stamp in ((old, OLD), (new, NEW)))
    expected = {row["paper_id"]: essence(PAPERS, row) for row in [*old, *new]}
    together = ChunkBuilder(PAPERS, history=True)
    together.add([*new, *old])
    chunks = [together.build(None), merge_chunks(PAPERS, [build(new), build(old)])]
    for chunk in chunks:
        rebuilt = rebuild(PAPERS, chunk.tables)
        assert {row["paper_id"]: essence(PAPERS, row) for row in rebuilt} == expected
        kept = rebuild(PAPERS, select_rows(chunk, PAPERS, ["p0"]).tables)
        assert [essence(PAPERS, row) for row in kept] == [expected["p0"]]
        rest = drop_rows(chunk, PAPERS, ["p0"]).tables
        assert "p0" not in [row["paper_id"] for row in rebuild(PAPERS, rest)] if rest else expected.keys() == {"p0"}


def test_row_is_named_by_its_own_key() -> None:
    """A table whose key is not called `id` refuses rows without it, by its name, and keeps numbers both ways."""
    with pytest.raises(ContractError, match=r"a row of papers has no key \(`paper_id` is of type NoneType\)"):
        convert_rows(PAPERS, [{"id": "x"}])
    [record] = convert_rows(PAPERS, [{"paper_id": 7}]).tables["papers"].to_pylist()
    assert (record["paper_id"], record["extra"]) == ("7", '{"paper_id":7}')


def build(rows: list[dict[str, Any]]) -> Chunk:
    """A chunk of papers."""
    builder = ChunkBuilder(PAPERS, history=True)
    builder.add(rows)
    return builder.build({"updated_after": NEW}, last=True)


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


def test_dictionary_shows_composite_keys_and_the_table_around() -> None:
    """Markdown, DBML and JSON name the key of a nested child table, and its parent, which is a child itself."""
    told = {table["name"]: table for table in describe_tables()}
    assert told["papers__claims"]["primary_key"] == ["paper_id", "section_position", "position"]
    assert told["papers__claims"]["references"] == [
        {"column": "paper_id", "table": "papers__sections", "parent_column": "paper_id"},
        {"column": "section_position", "table": "papers__sections", "parent_column": "position"},
    ]
    assert told["papers__sections"]["references"] == [
        {"column": "paper_id", "table": "papers", "parent_column": "paper_id"}
    ]
    dbml = render_dbml()
    assert "    (paper_id, section_position, claim_position, position) [pk]\n" in dbml
    assert "Ref: papers__notes.(paper_id, section_position) > papers__sections.(paper_id, position)\n" in dbml
    assert "Ref: papers__keywords.paper_id > papers.paper_id\n" in dbml
    page = render_tables(list_column_types())
    assert '    papers__sections ||--o{ papers__claims : "paper_id, section_position"\n' in page
    assert "| **section_position** | bigint | Place of the parent in its list, from 0. |\n" in page


def test_bigquery_clusters_each_child_table_by_the_key_that_it_is_replaced_by() -> None:
    """At every depth that is the paper's."""
    hints = [make_table_hints(child)["x-bigquery-cluster-columns"] for child in (SECTIONS, CLAIMS, TAGS, NOTES)]
    assert hints == [["paper_id"]] * 4
