"""Fields that no column declares: few are named, however many there are."""

from __future__ import annotations

import json

import pytest

from cogny_source.records import undeclared
from cogny_source.records.undeclared import FURTHER, NAMES_KEPT, Undeclared


def test_few_fields_are_all_told_once() -> None:
    """Each when it first comes, with the number of rows that brought it."""
    fields = Undeclared()
    assert [fields.observe({"b": 2, "a": 1}), fields.observe({"b": 1, "c": 4})] == [["a", "b"], ["c"]]
    assert (dict(fields), fields.describe_others(fields.reported)) == ({"a": 1, "b": 3, "c": 4}, None)
    assert json.loads(fields.as_json() or "") == {"a": 1, "b": 3, "c": 4}
    assert Undeclared().as_json() is None


def test_ten_fields_are_told_and_the_others_counted() -> None:
    """However many come, and in however many chunks."""
    fields = Undeclared()
    told = [name for chunk in range(20) for name in fields.observe({f"f{chunk}_{n}": 1 for n in range(2_000)})]
    assert len(told) == 10
    assert fields.describe_others(fields.reported) == "39,990 further fields"
    assert len(fields) == NAMES_KEPT
    kept = json.loads(fields.as_json() or "")
    assert (len(kept), kept[FURTHER]) == (NAMES_KEPT + 1, 40_000 - NAMES_KEPT)


def test_fields_that_come_most_are_kept_by_name() -> None:
    """Also one that was let go of before; its rows from then on count."""
    fields = Undeclared()
    fields.observe({f"f{n:05d}": 1 for n in range(5_000)})
    assert fields.observe({"f04999": 7, "new": 5}) == []
    assert fields.most_common(2) == [("f04999", 7), ("new", 5)]
    assert fields.further == 5_001 - NAMES_KEPT


def test_fields_that_can_no_longer_be_told_apart_are_at_least_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their number is bounded, and the words say so."""
    monkeypatch.setattr(undeclared, "FURTHER_COUNTED", 50)
    fields = Undeclared()
    fields.observe({f"f{n}": 1 for n in range(500)})
    assert fields.describe_others(10) == "more than 140 further fields"


def test_one_field_more_than_are_told_is_one() -> None:
    """In the singular."""
    fields = Undeclared()
    fields.observe({f"f{n}": 1 for n in range(11)})
    assert fields.describe_others(fields.reported) == "1 further field"


def test_a_name_of_any_length_is_cut() -> None:
    """It would fill the log and the record."""
    fields = Undeclared()
    [told] = fields.observe({"x" * 100_000: 1})
    assert told == f"{'x' * 199}…"
