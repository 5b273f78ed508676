"""Lists in a row, of any depth, become rows of child tables."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given

from cogny_source.errors import ContractError
from cogny_source.reconcile.versions import drop_rows
from cogny_source.records.chunk import ChunkBuilder, merge_chunks, select_rows
from cogny_source.records.convert import convert_rows
from tests.support.papers import (
    CHILDREN,
    EMPTY,
    FULL,
    NEW,
    OLD,
    PAPERS,
    build,
    essence,
    list_papers,
    rebuild,
)


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
    key: tuple[str, ...] = ("paper_id", "section_position", "position")
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
    marks: list[bool | None] = [None] * elements
    assert stones.pop("papers__sections") == (marks or [True])
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
