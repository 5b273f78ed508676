"""What the API's counts say about the rows of a listing."""

from __future__ import annotations

from dataclasses import replace
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
