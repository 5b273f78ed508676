"""Digests: equal where two rows mean the same, different where any compared cell differs."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from cogny_source.reconcile.digest import DIGEST_SCHEMA, EMPTY_LIST, compared_columns, digest_children, digest_rows
from cogny_source.schema import LOAD_ID, TOMBSTONE
from tests.support.papers import CLAIMS, KEYWORDS, PAPERS, SECTIONS, build

PAPER: dict[str, Any] = {
    "paper_id": "p1",
    "title": "Growth",
    "created_at": "2025-02-03T10:30:00Z",
    "updated_at": "2025-02-04T10:30:00.5Z",
    "body": {"language": "en", "sections": [{"title": "One", "claims": [{"text": "a", "data": {"x": 1, "y": 2}}]}]},
    "keywords": ["k", "l"],
}


def digest(row: dict[str, Any]) -> int:
    """The digest of a paper itself, without its lists."""
    [value] = digest_rows(PAPERS, build([row]).tables["papers"])["digest"].to_pylist()
    return int(value)


def digest_lists(child: Any, rows: list[dict[str, Any]], *, batches: int = 1) -> dict[str, int]:
    """The digest of each paper's rows of a child table, which come in so many batches."""
    table = build(rows).tables[child.name]
    size = -(-len(table) // batches)
    parts = [table.slice(start, size) for start in range(0, len(table), size)]
    [told] = digest_children(child, parts)
    assert told.schema == DIGEST_SCHEMA
    return dict(zip(told["key"].to_pylist(), told["digest"].to_pylist(), strict=True))


@pytest.mark.parametrize(
    "same",
    [
        {"created_at": "2025-02-03T12:30:00+02:00"},
        {"updated_at": "2025-02-04T10:30:00.500000+00:00"},
        {"keywords": []},
        {"body": {"language": "en", "sections": []}},
    ],
    ids=["zone", "digits", "list", "nested list"],
)
def test_what_means_the_same_has_one_digest(same: dict[str, Any]) -> None:
    """Neither an instant's form nor the lists, which have digests of their own, change a row's digest."""
    assert digest(PAPER | same) == digest(PAPER)


@pytest.mark.parametrize(
    "other",
    [
        {"title": "growth"},
        {"title": None},
        {"title": ""},
        {"paper_id": "p2"},
        {"created_at": "2025-02-03T10:30:00.000001Z"},
        {"body": {"language": "de"}},
        {"unknown": 1},
        {"title": 5},
    ],
    ids=["text", "null", "empty", "key", "microsecond", "nested", "undeclared", "type"],
)
def test_any_cell_that_differs_changes_the_digest(other: dict[str, Any]) -> None:
    """Undeclared fields and values of another type stand in `extra`, which is compared too."""
    assert digest(PAPER | other) != digest(PAPER)


def test_numbers_and_member_order_of_json_do_not_count() -> None:
    """An undeclared object equals the same object in another order, and 1.0 equals 1."""
    assert digest(PAPER | {"unknown": {"b": 1.0, "a": [2]}}) == digest(PAPER | {"unknown": {"a": [2], "b": 1}})
    assert digest(PAPER | {"unknown": {"a": [2, 1]}}) != digest(PAPER | {"unknown": {"a": [1, 2]}})


def test_columns_of_the_connector_are_not_compared() -> None:
    """`deleted_at`, the load's id and the mark of an empty list belong to the connector."""
    names = {column.name for spec in (PAPERS, SECTIONS, KEYWORDS) for column in compared_columns(spec)}
    assert not names & {"deleted_at", LOAD_ID.name, TOMBSTONE}
    assert {"paper_id", "title", "extra", "position", "value"} <= names
    table = build([PAPER]).tables["papers"]
    loaded = table.append_column(LOAD_ID.name, pa.array(["17"], pa.string()))
    assert digest_rows(PAPERS, loaded).equals(digest_rows(PAPERS, table))


def test_a_list_is_digested_whole() -> None:
    """Each element and its place count, at every depth, however the rows are divided into batches."""
    rows = [PAPER, PAPER | {"paper_id": "p2", "keywords": ["l", "k"]}, PAPER | {"paper_id": "p3", "keywords": ["k"]}]
    told = digest_lists(KEYWORDS, rows)
    assert len(set(told.values())) == 3
    assert digest_lists(KEYWORDS, rows, batches=4) == told
    claims = digest_lists(CLAIMS, [PAPER])
    changed = {**PAPER, "body": {"sections": [{"claims": [{"text": "a", "data": {"y": 2, "x": 2}}]}]}}
    assert digest_lists(CLAIMS, [changed]) != claims
    moved = {**PAPER, "body": {"sections": [{}, *PAPER["body"]["sections"]]}}
    assert digest_lists(CLAIMS, [moved]) != claims


def test_lists_of_two_rows_alike_have_one_digest() -> None:
    """The key is no part of a list's digest; the row's own digest has it."""
    told = digest_lists(KEYWORDS, [PAPER, PAPER | {"paper_id": "p2"}])
    assert told["p1"] == told["p2"]


@pytest.mark.parametrize("empty", [{"keywords": []}, {"keywords": None}])
def test_an_empty_list_has_the_digest_of_none(empty: dict[str, Any]) -> None:
    """Where a list was emptied, the tombstone in its place equals a row that never had one."""
    assert digest_lists(KEYWORDS, [PAPER | empty]) == {"p1": EMPTY_LIST}
