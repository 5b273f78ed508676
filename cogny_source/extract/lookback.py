"""The second look: once a day the list of changes is read from two days before the watermark.

A change that became visible later than the overlap, or that a listing lacked, is older than every later watermark. Only
a pass that begins earlier finds it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from math import inf

from cogny_source.extract.plan import Plan
from cogny_source.extract.state import State
from cogny_source.timestamps import parse_instant, shift

MEMBER = "looked_back_at"
# A daily schedule varies by some seconds.
PUNCTUALITY = 0.95


@dataclass(frozen=True)
class Reach:
    """How far before the watermark a pass by `updated_at` begins.

    Attributes:
        seconds: The distance from the watermark.
        settled_before: Changes before this instant should have come with an earlier pass (UTC); None if the pass is
            not a second look.
        notes: Whether the state records a second look after the pass.
    """

    seconds: float
    settled_before: datetime | None = None
    notes: bool = False


def choose_reach(state: State, plan: Plan, now: datetime | None, *, after_backfill: bool = False) -> Reach:
    """How far before the watermark the next pass begins.

    Args:
        state: The resource's state, with its watermark.
        plan: The distance and interval of second looks.
        now: The server's clock; None if unknown, then the watermark counts.
        after_backfill: Whether the first load was just completed, which makes a second look needless.
    """
    watermark, looked_at = parse_instant(state.get("updated_after")), parse_instant(state.get(MEMBER))
    if after_backfill or watermark is None:
        return Reach(plan.overlap_seconds, notes=True)
    # A clock that was ahead for one run leaves a watermark and a time of the last look in the future.
    ahead = max(0.0, (watermark - now).total_seconds()) if now is not None else 0.0
    if plan.lookback_seconds <= plan.overlap_seconds:
        return Reach(plan.overlap_seconds + ahead)
    seconds = abs(((now or watermark) - looked_at).total_seconds()) if looked_at is not None else inf
    if seconds < plan.lookback_every_seconds * PUNCTUALITY:
        return Reach(plan.overlap_seconds + ahead)
    back = reach_back(shift(watermark, -ahead), plan, plan.lookback_seconds)
    return replace(back, seconds=back.seconds + ahead)


def reach_back(watermark: datetime, plan: Plan, seconds: float) -> Reach:
    """The reach of a pass that begins this many seconds before the watermark."""
    return Reach(seconds, shift(watermark, -plan.overlap_seconds - 1.0), notes=True)
