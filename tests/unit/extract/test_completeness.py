"""What the API's counts say about the rows of a listing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cogny_source.api.pagination import Page
from cogny_source.extract.completeness import Readings, RowCounter, Shortage, Verdict, judge_shortage

# Three rows are missing by creation, the first reading brought rows, the counts moved.
MISSING = Shortage(
    rows=3,
    slipped=0,
    dropped=0,
    by_creation=True,
    has_news=True,
    is_still=False,
    is_steady=False,
    adds_up=False,
    earlier=(),
)
AGAIN = {"has_news": False, "earlier": (3,)}
BY_CHANGE = {"by_creation": False}


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        ({}, Verdict.SLIPPED),
        ({"rows": 0}, Verdict.COMPLETE),
        ({"rows": 0, "slipped": 0, "is_still": True, "earlier": (3,)}, Verdict.COMPLETE),
        ({"slipped": 3, "is_still": True, "adds_up": True}, Verdict.SLIPPED),
        ({"slipped": 2, "is_still": True, "adds_up": True}, Verdict.COMPLETE),
        ({"is_still": True, "adds_up": True}, Verdict.COMPLETE),
        ({"is_still": False, "adds_up": True}, Verdict.SLIPPED),
        ({"is_still": True}, Verdict.SHUFFLED),
        ({"is_still": True, "has_news": False}, Verdict.SLIPPED),
        ({**AGAIN}, Verdict.VANISHED),
        ({**AGAIN, "is_steady": True}, Verdict.SURPLUS),
        ({**AGAIN, "has_news": True}, Verdict.SLIPPED),
        ({**AGAIN, **BY_CHANGE}, Verdict.SLIPPED),
        ({**AGAIN, **BY_CHANGE, "is_still": True, "is_steady": True}, Verdict.SURPLUS),
        ({**AGAIN, "earlier": (4,)}, Verdict.SLIPPED),
        ({**AGAIN, "earlier": (None,)}, Verdict.SLIPPED),
        ({**AGAIN, "earlier": (4,), "dropped": 3}, Verdict.VANISHED),
        ({**AGAIN, "earlier": (4,), "dropped": 2}, Verdict.SLIPPED),
        ({**AGAIN, "earlier": (), "dropped": 3}, Verdict.SLIPPED),
        ({**AGAIN, **BY_CHANGE, "earlier": (4,), "dropped": 3}, Verdict.SLIPPED),
    ],
)
def test_shortage_is_judged_by_the_readings_before(facts: dict[str, Any], verdict: Verdict) -> None:
    """Missing rows slipped, unless a second reading without news shows that nothing can have slipped."""
    assert judge_shortage(replace(MISSING, **facts)) is verdict


def counted(*keys: int, total: int) -> RowCounter:
    """A list of one page."""
    counter = RowCounter("created_at")
    counter.observe(Page([{"id": key} for key in keys], False, None, total, None, None))
    return counter


def judge(readings: Readings, counter: RowCounter, *, slipped: int = 0) -> Verdict:
    """The verdict on a reading."""
    return readings.judge(
        max(counter.shortage, slipped), counter, slipped=slipped, dropped=0, is_steady=True, total_count=counter.last
    )


def test_readings_that_bring_other_rows_add_up() -> None:
    """Rows that change places within a timestamp are all there once the readings together brought them."""
    readings = Readings()
    first = judge(readings, counted(1, 2, total=3))
    assert (first, readings.short) == (Verdict.SHUFFLED, 1)
    assert (judge(readings, counted(2, 3, total=3)), readings.short) == (Verdict.COMPLETE, 1)


def test_reading_that_brings_the_same_rows_proves_a_surplus() -> None:
    """Where two readings lack as many rows, and bring the same, the API counts rows that it does not list."""
    readings = Readings()
    assert [judge(readings, counted(1, 2, total=3)) for _ in range(2)] == [Verdict.SHUFFLED, Verdict.SURPLUS]


def test_slipped_rows_bear_no_witness_for_a_later_shortage() -> None:
    """What rows that vanished from a list of changes make short is no proof of the API's way to count."""
    readings = Readings()
    assert judge(readings, counted(1, 2, 3, total=3), slipped=1) is Verdict.SLIPPED
    assert judge(readings, counted(1, 2, total=3)) is Verdict.SHUFFLED
    assert readings.short == 2


def page(*keys: int, total: int | None, born: datetime | None = None, now: datetime | None = None) -> Page:
    """A page of rows, born at one instant."""
    stamp = None if born is None else born.isoformat()
    return Page([{"id": key, "created_at": stamp, "updated_at": stamp} for key in keys], True, "c", total, now, None)


@pytest.mark.parametrize("field", ["created_at", "updated_at"])
def test_list_that_is_not_counted_or_empty_lacks_nothing(field: str) -> None:
    """Nor do rows that come later than those that were counted."""
    counter = RowCounter(field)
    assert (counter.is_new, counter.missing, counter.shortage, counter.is_counted) == (True, 0, 0, False)
    counter.observe(page(1, total=None))
    assert (counter.is_new, counter.missing, counter.shortage) == (False, 0, 0)
    counter.observe(page(2, 3, total=9))
    assert counter.missing == 0, "the first page told no count"


@pytest.mark.parametrize(("field", "missing", "shortage"), [("created_at", 1, 1), ("updated_at", 0, 0)])
def test_row_that_came_since_the_first_page_stands_for_none_of_those_that_were_counted(
    field: str, missing: int, shortage: int
) -> None:
    """In a list by creation its timestamp shows it; a changed row was counted before."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    counter = RowCounter(field)
    counter.observe(page(1, total=2, born=now - timedelta(days=1), now=now))
    counter.observe(page(2, total=2, born=now + timedelta(seconds=1), now=now + timedelta(seconds=1)))
    assert (counter.missing, counter.shortage, counter.is_still) == (missing, shortage, False)
    assert len(counter.settled_keys) == 2 - missing


@pytest.mark.parametrize(
    ("totals", "newcomer", "still"),
    [((2, 2), False, True), ((2, 3), False, False), ((None, None), False, False), ((2, 2), True, False)],
)
def test_list_is_still_if_it_was_counted_and_neither_counts_nor_rows_changed(
    totals: tuple[int | None, int | None], newcomer: bool, still: bool
) -> None:
    """All three; one alone proves nothing."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    counter = RowCounter("created_at")
    for number, total in enumerate(totals):
        born = now + timedelta(seconds=1) if newcomer and number else now - timedelta(days=1)
        counter.observe(page(number, total=total, born=born, now=now + timedelta(seconds=number)))
    assert counter.is_still is still


def test_rows_that_slipped_in_one_reading_explain_no_later_shortage_of_as_many() -> None:
    """A reading that lacks only rows that vanished is no witness, though a later one lacks as many."""
    readings = Readings()
    assert judge(readings, counted(1, 2, 3, total=3), slipped=2) is Verdict.SLIPPED
    assert judge(readings, counted(1, 2, total=3)) is Verdict.SHUFFLED
    assert judge(readings, counted(1, total=3)) is Verdict.SLIPPED
    assert judge(readings, counted(1, total=3)) is Verdict.SURPLUS
