"""When each row was last compared with the API, and how many pages the scrub may read next."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from cogny_source.api.pagination import PAGE_ROWS
from cogny_source.api.server_clock import MOST_DRIFT_SECONDS
from cogny_source.timestamps import format_instant, parse_instant, shift

MEMBER = "scrub"
# A little less than a week, so that a skipped sync does not make a round longer than a week.
ROUND_SECONDS = 6 * 86_400.0
# Further segments are joined, at the earlier of their times, so that the state does not grow.
MOST_SEGMENTS = 24


@dataclass(frozen=True)
class Segment:
    """The rows between the end of the segment before and a creation time.

    Attributes:
        until: The end, exclusive; None for the end of the table.
        compared_at: When they were last compared with the API or read from it, by the server's clock; None for never.
    """

    until: datetime | None
    compared_at: datetime | None


@dataclass(frozen=True)
class Coverage:
    """The progress of a resource's scrub.

    Attributes:
        segments: All rows of the table, by creation time.
        position: Where the next slice begins; None for the beginning.
        scrubbed_at: When the last slice was compared, by the server's clock; the budget grows from then on.
        sliceable: Whether the API honours filter and sort by creation time; otherwise a census replaces a round.
    """

    segments: tuple[Segment, ...]
    position: datetime | None
    scrubbed_at: datetime | None
    sliceable: bool = True

    @classmethod
    def of_all(cls, compared_at: datetime | None, now: datetime | None, *, sliceable: bool = True) -> Coverage:
        """The coverage of a table whose rows were all compared at one time; None if that time is unknown."""
        return cls((Segment(None, compared_at),), None, now, sliceable)

    @property
    def compared_since(self) -> datetime | None:
        """The oldest comparison of any row; None if a row may never have been compared."""
        times = [segment.compared_at for segment in self.segments]
        return None if None in times else min(filter(None, times))

    def as_of(self, now: datetime | None) -> Coverage:
        """The coverage without instants that are later than now.

        A clock that was ahead for one run would otherwise stop the scrub until then, and claim comparisons meanwhile.
        Without a time of the last slice, the budget counts from now.
        """
        if now is None:
            return self
        latest = shift(now, MOST_DRIFT_SECONDS)
        segments = [
            replace(s, compared_at=None) if s.compared_at and s.compared_at > latest else s for s in self.segments
        ]
        scrubbed_at = now if self.scrubbed_at is None else min(self.scrubbed_at, now)
        return replace(self, segments=tuple(segments), scrubbed_at=scrubbed_at)

    def advance(self, end: datetime | None, now: datetime | None) -> Coverage:
        """The coverage after the slice from `position` to `end` was compared; None for the end of the table."""
        before = [s for s in self.segments if s.until is not None and self.position and s.until <= self.position]
        after = [s for s in self.segments if end is not None and (s.until is None or s.until > end)]
        segments = _join([*before, Segment(end, now), *after])
        return replace(self, segments=tuple(segments), position=end, scrubbed_at=now)


def count_pages(
    coverage: Coverage, rows: int, now: datetime | None, share: float, requests_per_minute: float | None
) -> int:
    """How many pages the next slice may have.

    As many as complete a round within a week, but at most a share of the rate limit since the last slice.

    Args:
        coverage: The scrub's progress.
        rows: Rows of the table.
        now: The server's clock.
        share: The share of the rate limit.
        requests_per_minute: The rate limit; None for no limit.
    """
    if now is None or coverage.scrubbed_at is None or not share:
        return 0
    seconds = max(0.0, (now - coverage.scrubbed_at).total_seconds())
    pages = math.ceil(rows / PAGE_ROWS)
    needed = pages * min(1.0, seconds / ROUND_SECONDS)
    budget = math.inf if requests_per_minute is None else share * requests_per_minute * seconds / 60
    if not coverage.sliceable:
        return pages if needed >= pages and budget >= pages else 0
    # Round up to whole pages: a table of eleven pages that is synced daily would otherwise take eleven days.
    return 0 if needed < 1 or budget < 1 else int(min(math.ceil(needed), budget))


def load_coverage(state: dict[str, Any]) -> Coverage | None:
    """The coverage in a resource's state; None if there is none."""
    told = state.get(MEMBER)
    if told is None:
        return None
    segments = tuple(Segment(parse_instant(until), parse_instant(at)) for until, at in told["segments"])
    return Coverage(segments, parse_instant(told["from"]), parse_instant(told["at"]), told["sliceable"])


def find_compared_since(state: dict[str, Any]) -> datetime | None:
    """The oldest comparison of any row, by a resource's state; None if a row may never have been compared."""
    coverage = load_coverage(state)
    return parse_instant(state.get("compared_at")) if coverage is None else coverage.compared_since


def note_coverage(state: dict[str, Any], coverage: Coverage) -> dict[str, Any]:
    """The state with this coverage."""
    return {
        **state,
        MEMBER: {
            "segments": [[_text(segment.until), _text(segment.compared_at)] for segment in coverage.segments],
            "from": _text(coverage.position),
            "at": _text(coverage.scrubbed_at),
            "sliceable": coverage.sliceable,
        },
    }


def _join(segments: list[Segment]) -> list[Segment]:
    while len(segments) > MOST_SEGMENTS:
        place = min(range(len(segments) - 1), key=lambda place: _distance(segments[place], segments[place + 1]))
        one, other = segments[place : place + 2]
        times = (one.compared_at, other.compared_at)
        earlier = None if None in times else min(filter(None, times))
        segments[place : place + 2] = [Segment(other.until, earlier)]
    return segments


def _distance(one: Segment, other: Segment) -> float:
    if one.compared_at is None or other.compared_at is None:
        return 0.0 if one.compared_at == other.compared_at else math.inf
    return abs((one.compared_at - other.compared_at).total_seconds())


def _text(instant: datetime | None) -> str | None:
    return format_instant(instant) if instant else None
