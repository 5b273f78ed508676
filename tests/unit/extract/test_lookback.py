"""When a pass looks back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from cogny_source.extract.lookback import Reach, choose_reach
from cogny_source.extract.plan import Plan

WATERMARK = "2026-03-10T00:00:00.000000Z"


@pytest.mark.parametrize(
    ("state", "plan", "reach"),
    [
        ({}, Plan(), Reach(60.0, notes=True)),
        ({"updated_after": WATERMARK, "looked_back_at": "2026-03-09T12:00:00Z"}, Plan(), Reach(60.0)),
        (
            {"updated_after": WATERMARK, "looked_back_at": "2026-03-09T00:00:00Z"},
            Plan(),
            Reach(172_800.0, datetime(2026, 3, 9, 23, 58, 59, tzinfo=UTC), notes=True),
        ),
        (
            {"updated_after": WATERMARK},
            Plan(lookback_seconds=3600.0),
            Reach(3600.0, datetime(2026, 3, 9, 23, 58, 59, tzinfo=UTC), notes=True),
        ),
        ({"updated_after": WATERMARK}, Plan(lookback_seconds=0.0), Reach(60.0)),
        ({"updated_after": WATERMARK}, Plan(overlap_seconds=86_400.0, lookback_seconds=3600.0), Reach(86_400.0)),
        ({"updated_after": WATERMARK}, Plan(overlap_seconds=3600.0, lookback_seconds=3600.0), Reach(3600.0)),
        (
            # 95 % of a day ago.
            {"updated_after": WATERMARK, "looked_back_at": "2026-03-09T01:12:00Z"},
            Plan(),
            Reach(172_800.0, datetime(2026, 3, 9, 23, 58, 59, tzinfo=UTC), notes=True),
        ),
    ],
)
def test_pass_looks_back_once_a_day(state: dict[str, Any], plan: Plan, reach: Reach) -> None:
    """By the server's clock; a state that never looked back does so at once, and a wider overlap serves too."""
    now = datetime(2026, 3, 10, tzinfo=UTC)
    assert choose_reach(state, plan, now) == reach
    assert choose_reach(state, plan, now, after_backfill=True).settled_before is None


@pytest.mark.parametrize(
    ("watermark", "looked_at", "reach"),
    [
        ("2026-03-10T01:00:00Z", "2026-03-10T01:00:00Z", Reach(3_660.0)),
        (
            "2026-03-12T00:00:00Z",
            "2026-03-12T00:00:00Z",
            Reach(345_600.0, datetime(2026, 3, 9, 23, 58, 59, tzinfo=UTC), notes=True),
        ),
    ],
)
def test_clock_that_was_ahead_hides_no_change(watermark: str, looked_at: str, reach: Reach) -> None:
    """The pass begins behind the clock of now, and looks back where the last look is still to come."""
    state = {"updated_after": watermark, "looked_back_at": looked_at}
    assert choose_reach(state, Plan(), datetime(2026, 3, 10, tzinfo=UTC)) == reach


def test_clock_that_was_ahead_hides_no_change_where_no_pass_looks_back() -> None:
    """The overlap is as much longer."""
    state = {"updated_after": "2026-03-10T01:00:00Z"}
    assert choose_reach(state, Plan(lookback_seconds=0.0), datetime(2026, 3, 10, tzinfo=UTC)) == Reach(3_660.0)


def test_pass_is_no_second_look_by_itself() -> None:
    """It notes none in the state."""
    assert (Reach(60.0).settled_before, Reach(60.0).notes) == (None, False)
