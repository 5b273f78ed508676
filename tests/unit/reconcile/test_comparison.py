"""Comparisons of both sides of a resource: every kind of difference, and none where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from cogny_source.reconcile.comparison import Comparison
from tests.support.papers import CHILDREN, PAPERS, build

OLD, NEW = "2025-02-03T10:30:00Z", "2025-02-04T10:30:00Z"
OLD_MICROS, NEW_MICROS = (int(datetime(2025, 2, day, 10, 30, tzinfo=UTC).timestamp() * 1e6) for day in (3, 4))


def paper(key: str, title: str = "Growth", updated_at: str = NEW, **fields: Any) -> dict[str, Any]:
    """A paper with a section and two keywords."""
    body = {"sections": [{"title": "One", "claims": [{"text": "a"}]}]}
    row = {"paper_id": key, "title": title, "created_at": OLD, "updated_at": updated_at, "body": body}
    return {**row, "keywords": ["k", "l"], **fields}


class Sides:
    """A comparison that is given rows of both sides as the API lists them."""

    def __init__(self) -> None:
        self.comparison = Comparison(PAPERS)

    def ours(self, *rows: dict[str, Any], deleted: tuple[str, ...] = (), orphans: tuple[str, ...] = ()) -> None:
        """The destination's rows, some marked deleted, some whose parent is gone."""
        tables = [build([row]).tables for row in sorted(rows, key=lambda row: row["paper_id"])]
        parents = [self._mark(part["papers"], deleted) for part in tables]
        kept = [table for table in parents if table["paper_id"].to_pylist()[0] not in orphans]
        children = {child.name: [part[child.name] for part in tables] for child in CHILDREN}
        self.comparison.take_ours(kept, children)

    def theirs(self, *rows: dict[str, Any]) -> Any:
        """A chunk of the API's list."""
        return self.comparison.take_theirs(build(list(rows)).tables)

    @staticmethod
    def _mark(table: pa.Table, deleted: tuple[str, ...]) -> pa.Table:
        place = table.schema.get_field_index("deleted_at")
        stamps = [datetime(2025, 3, 1, tzinfo=UTC) if key in deleted else None for key in table["paper_id"].to_pylist()]
        return table.set_column(place, table.schema.field(place), pa.array(stamps, table.schema.field(place).type))


@pytest.fixture
def sides() -> Iterator[Sides]:
    """Both sides of the papers, empty."""
    made = Sides()
    with made.comparison:
        yield made


def test_equal_sides_have_no_difference(sides: Sides) -> None:
    """Rows that are alike, in whatever order and chunks, differ in nothing."""
    rows = [paper(f"p{number}", f"title {number}") for number in range(5)]
    sides.ours(*rows)
    for part in (rows[3:], rows[:3], rows[1:2]):
        found = sides.theirs(*part)
        assert (found.keys, found.older, found.missing, found.marked) == ([], {}, 0, 0)
    assert sides.comparison.differing() == []
    assert sides.comparison.gone(dated_only=False) == []
    assert sides.comparison.count_live() == 5


@pytest.mark.parametrize(
    ("change", "table"),
    [
        ({"title": "other"}, "papers"),
        ({"unknown": 1}, "papers"),
        ({"keywords": ["k"]}, "papers__keywords"),
        ({"keywords": []}, "papers__keywords"),
        ({"body": {"sections": [{"title": "One", "claims": [{"text": "b"}]}]}}, "papers__claims"),
        ({"body": {"sections": [{"title": "Two", "claims": [{"text": "a"}]}]}}, "papers__sections"),
    ],
)
def test_a_change_is_found_in_its_table(sides: Sides, change: dict[str, Any], table: str) -> None:
    """Whether the row itself changed or an element of a list, its key is to be loaded, and its table is told."""
    sides.ours(paper("p1"), paper("p2"))
    found = sides.theirs(paper("p1", **change), paper("p2"))
    assert (found.keys, found.missing, found.marked) == (["p1"], 0, 0)
    assert sides.comparison.differing() == [(table, "p1", "differs", NEW_MICROS)]


def test_a_missing_row_is_one_difference(sides: Sides) -> None:
    """Its lists, which are missing too, are no differences of their own."""
    sides.ours(paper("p1"))
    found = sides.theirs(paper("p1"), paper("p2"))
    assert (found.keys, found.missing, found.marked) == (["p2"], 1, 0)
    assert sides.comparison.differing() == [("papers", "p2", "missing", NEW_MICROS)]


def test_a_row_that_is_marked_deleted_but_listed_is_told(sides: Sides) -> None:
    """It differs even where each cell equals, and is not counted among the live ones."""
    sides.ours(paper("p1"), paper("p2"), deleted=("p2",))
    found = sides.theirs(paper("p1"), paper("p2"))
    assert (found.keys, found.missing, found.marked) == (["p2"], 0, 1)
    assert sides.comparison.differing() == [("papers", "p2", "marked deleted, but listed", NEW_MICROS)]
    assert sides.comparison.count_live() == 1


def test_an_older_version_is_told_with_its_time(sides: Sides) -> None:
    """Only a live row can be newer than what the API lists."""
    sides.ours(paper("p1"), paper("p2"), paper("p3", updated_at=OLD), deleted=("p2",))
    found = sides.theirs(*(paper(key, "earlier", OLD) for key in ("p1", "p2", "p3")))
    assert sorted(found.keys) == ["p1", "p2", "p3"]
    assert found.older == {"p1": OLD_MICROS}


def test_a_key_that_occurs_twice_equals_nothing(sides: Sides) -> None:
    """Also where both rows equal the API's; unlisted ones are told apart."""
    sides.ours(paper("p1"), paper("p1"), paper("p2"), paper("p2"))
    assert sides.theirs(paper("p1")).keys == ["p1"]
    assert ("papers", "p1", "there more than once", NEW_MICROS) in sides.comparison.differing()
    assert sides.comparison.doubled() == ["p2"]


def test_rows_that_were_not_listed_are_gone(sides: Sides) -> None:
    """Rows that are marked already are not; those without a date only where no filter may have hidden them."""
    sides.ours(*(paper(f"p{n}") for n in range(1, 4)), paper("p4", created_at=None), deleted=("p3",))
    sides.theirs(paper("p1"))
    assert sides.comparison.gone(dated_only=True) == ["p2"]
    assert sides.comparison.gone(dated_only=False) == ["p2", "p4"]


def test_lists_without_a_parent_are_told_unless_it_is_listed(sides: Sides) -> None:
    """A parent that the API lists is missing, and is loaded with its lists."""
    sides.ours(paper("p1"), paper("p2"), paper("p3"), orphans=("p2", "p3"))
    sides.theirs(paper("p1"), paper("p3"))
    assert sides.comparison.orphans("papers__keywords") == ["p2"]
    told = {(table, key, kind) for table, key, kind, _ in sides.comparison.differing()}
    assert told == {
        ("papers", "p3", "missing"),
        *((child.name, "p2", "without a parent") for child in CHILDREN),
    }


def test_the_last_version_listed_counts(sides: Sides) -> None:
    """A row that changes during the listing comes twice; what was loaded of the second is no difference."""
    sides.ours(paper("p1", "second"))
    assert sides.theirs(paper("p1", "first", OLD)).keys == ["p1"]
    assert sides.theirs(paper("p1", "second")).keys == []
    assert sides.comparison.differing() == []


@pytest.mark.parametrize(("listed", "key"), [((), None), (("x1",), None), (("x1", "p2", "p1"), "p1")])
def test_a_row_on_both_sides_shows_that_the_account_is_the_same(
    sides: Sides, listed: tuple[str, ...], key: str | None
) -> None:
    """None where no listed row is known."""
    sides.ours(paper("p1"), paper("p2"))
    if listed:
        sides.theirs(*map(paper, listed))
    assert sides.comparison.any_listed() == key
