"""The pass that looks back: once a day the list of changes is read from two days before the watermark.

A change that became visible later than the overlap, or whose listing was answered without it, is older than each later
watermark. Nothing but a pass that reaches further back finds it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from math import inf

from cogny_source.engine.plan import Plan
from cogny_source.engine.state import State
from cogny_source.instants import parse_instant, shift

MEMBER = "looked_back_at"
# A sync that is scheduled each day begins some seconds sooner or later.
PUNCTUALITY = 0.95


@dataclass(frozen=True)
class Reach:
    """How far back a pass by `updated_at` begins.

    Attributes:
        seconds: How far behind the watermark.
        settled_before: Changes before this instant should have come with an earlier pass (UTC); None where the pass
            does not look back.
        notes: Whether the state notes that it has looked back once the pass is complete.
    """

    seconds: float
    settled_before: datetime | None = None
    notes: bool = False


def choose_reach(state: State, plan: Plan, now: datetime | None, *, after_backfill: bool = False) -> Reach:
    """How far back the next pass begins.

    Args:
        state: The resource's state, with its watermark.
        plan: How far and how often a pass looks back.
        now: The server's clock; None where it is not told, and the watermark counts.
        after_backfill: Whether the resource was just loaded whole, so that there is nothing to look back for.
    """
    watermark, looked_at = parse_instant(state.get("updated_after")), parse_instant(state.get(MEMBER))
    if after_backfill or watermark is None:
        return Reach(plan.overlap_seconds, notes=True)
    # A clock that was ahead for one run leaves a watermark, and a time of the last look, that are still to come.
    ahead = max(0.0, (watermark - now).total_seconds()) if now is not None else 0.0
    if plan.lookback_seconds <= plan.overlap_seconds:
        return Reach(plan.overlap_seconds + ahead)
    seconds = abs(((now or watermark) - looked_at).total_seconds()) if looked_at is not None else inf
    if seconds < plan.lookback_every_seconds * PUNCTUALITY:
        return Reach(plan.overlap_seconds + ahead)
    back = reach_back(shift(watermark, -ahead), plan, plan.lookback_seconds)
    return replace(back, seconds=back.seconds + ahead)


def reach_back(watermark: datetime, plan: Plan, seconds: float) -> Reach:
    """The reach of a pass that begins so many seconds behind the watermark."""
    return Reach(seconds, shift(watermark, -plan.overlap_seconds - 1.0), notes=True)
