"""What the scrub has behind it, and what it may spend: pure rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogny_source.api.server_clock import MOST_DRIFT_SECONDS
from cogny_source.reconcile.coverage import MOST_SEGMENTS, Coverage, Segment, count_pages, load_coverage, note_coverage

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
DAYS = 60


def day(number: float) -> datetime:
    """A day after the beginning."""
    return BEGIN + timedelta(days=number)


@given(st.lists(st.integers(1, DAYS // 4), max_size=80), st.integers(0, 5))
def test_every_row_is_told_no_later_than_it_was_compared(steps: list[int], pause: int) -> None:
    """Slices of any length, round after round: what is told of a row is never later than its own last comparison."""
    truth = dict.fromkeys(range(DAYS), BEGIN)
    coverage, place, now = Coverage.of_all(BEGIN, BEGIN), 0, BEGIN
    for step in steps:
        now += timedelta(hours=1 + pause)
        end = place + step
        truth |= dict.fromkeys(range(place, min(end, DAYS)), now)
        coverage = coverage.advance(None if end >= DAYS else day(end), now)
        place = 0 if end >= DAYS else end
        assert coverage.position == (None if place == 0 else day(place))
        assert len(coverage.segments) <= MOST_SEGMENTS
        oldest = coverage.compared_since
        assert oldest is not None
        assert oldest <= min(truth.values())
        if len(coverage.segments) < MOST_SEGMENTS:
            assert oldest == min(truth.values())
        assert load_coverage(note_coverage({}, coverage)) == coverage


def test_coverage_is_unknown_until_a_round_is_done() -> None:
    """A table that was loaded by an earlier version is covered once each of its slices was compared."""
    coverage = Coverage.of_all(None, BEGIN)
    assert coverage.compared_since is None
    coverage = coverage.advance(day(20), day(1)).advance(day(40), day(2))
    assert coverage.compared_since is None
    coverage = coverage.advance(None, day(3))
    assert coverage.compared_since == day(1)
    assert coverage.position is None
    assert coverage.segments == (Segment(day(20), day(1)), Segment(day(40), day(2)), Segment(None, day(3)))


@pytest.mark.parametrize(
    ("rows", "hours", "limit", "pages"),
    [
        (1_000_000, 1, 100.0, 60),  # 1 % of 6,000 requests
        (1_000_000, 1, 1000.0, 70),  # as many as a round within six days takes
        (5_000, 1, 100.0, 0),  # 50 pages need none in an hour
        (5_000, 24, 100.0, 9),
        (5_000, 24, None, 9),
        (5_000, 24 * 30, 100.0, 50),
        (0, 24, 100.0, 0),
    ],
)
def test_slice_is_as_long_as_a_week_asks_for(rows: int, hours: float, limit: float | None, pages: int) -> None:
    """And no longer than a hundredth of the rate limit since the last one allows."""
    coverage = Coverage.of_all(BEGIN, BEGIN)
    assert count_pages(coverage, rows, BEGIN + timedelta(hours=hours), 0.01, limit) == pages
    assert count_pages(coverage, rows, BEGIN + timedelta(hours=hours), 0.0, limit) == 0
    assert count_pages(coverage, rows, None, 0.01, limit) == 0


@pytest.mark.parametrize("minutes", [15, 60, 80])
def test_million_rows_at_a_hundred_requests_a_minute_are_through_in_a_week(minutes: int) -> None:
    """However often the sync runs, from each quarter of an hour to each hour and twenty minutes."""
    coverage, now, read = Coverage.of_all(BEGIN, BEGIN), BEGIN, 0
    while coverage.compared_since == BEGIN:
        now += timedelta(minutes=minutes)
        pages = count_pages(coverage, 1_000_000, now, 0.01, 100.0)
        assert pages <= minutes
        read += pages * 100
        coverage = coverage.advance(None if read >= 1_000_000 else BEGIN + timedelta(seconds=read), now)
    assert now - BEGIN <= timedelta(days=7)


@pytest.mark.parametrize("hours", [1, 5, 24])
@pytest.mark.parametrize("pages", range(1, 30))
def test_table_of_any_size_is_through_in_a_week(pages: int, hours: int) -> None:
    """However few its pages are, and whether the sync runs each hour or each day."""
    coverage, now, read = Coverage.of_all(BEGIN, BEGIN), BEGIN, 0
    while coverage.compared_since == BEGIN:
        now += timedelta(hours=hours)
        slice_pages = count_pages(coverage, pages * 100, now, 0.01, 100.0)
        if slice_pages:
            read += slice_pages
            coverage = coverage.advance(None if read >= pages else BEGIN + timedelta(seconds=read), now)
    assert now - BEGIN <= timedelta(days=7)


def test_without_windows_a_census_stands_for_a_round() -> None:
    """It is due once a round has passed and the share of the limit has come together for it."""
    coverage = Coverage.of_all(BEGIN, BEGIN, sliceable=False)
    assert count_pages(coverage, 5_000, day(5), 0.01, 100.0) == 0
    assert count_pages(coverage, 5_000, day(6), 0.01, 100.0) == 50
    assert count_pages(coverage, 1_000_000, day(6), 0.01, 100.0) == 0
    assert count_pages(coverage, 1_000_000, day(7), 0.01, 100.0) == 10_000


@pytest.mark.parametrize(
    ("rows", "now", "share", "limit", "pages"),
    [
        (5_000, day(6), 1.0, 50 / (6 * 24 * 60), 50),  # the share is just enough
        (5_000, day(6) - timedelta(seconds=1), 1.0, None, 0),
        (5_000, day(6), 1.0, None, 50),
        (5_000, BEGIN - timedelta(days=9), 1.0, None, 0),
    ],
)
def test_census_for_a_round_is_due_when_both_are_reached(
    rows: int, now: datetime, share: float, limit: float | None, pages: int
) -> None:
    """Not a second before, nor by a clock that goes back."""
    assert count_pages(Coverage.of_all(BEGIN, BEGIN, sliceable=False), rows, now, share, limit) == pages


@pytest.mark.parametrize(
    ("rows", "hours", "limit", "pages"),
    [
        (5_000, 2.88, None, 1),  # just one page of fifty
        (5_000, 2.87, None, 0),
        (5_000, 24, 1 / 1440, 1),  # the share allows just one request
        (5_000, 24, 0.99 / 1440, 0),
        (1, 144, None, 1),
        (101, 144, None, 2),
    ],
)
def test_slice_begins_with_a_whole_page(rows: int, hours: float, limit: float | None, pages: int) -> None:
    """That a round asks for, and that the share of the limit allows."""
    coverage = Coverage.of_all(BEGIN, BEGIN)
    assert count_pages(coverage, rows, BEGIN + timedelta(hours=hours), 1.0, limit) == pages


def test_instants_in_the_future_are_forgotten() -> None:
    """A clock that was ahead for one run; a drift of minutes between clocks is none."""
    drift = timedelta(seconds=MOST_DRIFT_SECONDS)
    segments = [
        Segment(day(place), at) for place, at in enumerate((BEGIN, day(1) + drift, day(1) + drift + drift / 99))
    ]
    coverage = Coverage((*segments, Segment(None, None)), day(2), day(9))
    assert coverage.as_of(None) is coverage
    known = coverage.as_of(day(1))
    assert [segment.compared_at for segment in known.segments] == [BEGIN, day(1) + drift, None, None]
    assert [segment.until for segment in known.segments] == [day(0), day(1), day(2), None]
    assert (known.scrubbed_at, known.position, known.sliceable) == (day(1), day(2), True)
    assert coverage.as_of(day(10)).scrubbed_at == day(9)
    assert Coverage((), None, None).as_of(day(1)).scrubbed_at == day(1)


def test_slice_covers_what_lies_between_its_ends() -> None:
    """A segment that ends where it begins, or ends, stays beside it; one that reaches beyond it is shortened."""
    coverage = Coverage((*(Segment(day(end), BEGIN) for end in (1, 2, 3)), Segment(None, BEGIN)), day(1), BEGIN)
    assert coverage.advance(day(2), day(9)).segments == (
        Segment(day(1), BEGIN), Segment(day(2), day(9)), Segment(day(3), BEGIN), Segment(None, BEGIN),
    )  # fmt: skip
    assert coverage.advance(day(2.5), day(9)).segments == (
        Segment(day(1), BEGIN), Segment(day(2.5), day(9)), Segment(day(3), BEGIN), Segment(None, BEGIN),
    )  # fmt: skip
    assert coverage.advance(None, day(9)).segments == (Segment(day(1), BEGIN), Segment(None, day(9)))


def test_segments_next_to_each_other_in_time_are_joined_at_the_earlier_one() -> None:
    """An unknown time is next to an unknown one alone."""
    times = [day(5 * place) for place in range(MOST_SEGMENTS - 2)]
    ends = [day(100 + place) for place in range(MOST_SEGMENTS)]
    segments = [Segment(end, at) for end, at in zip(ends, [*times, None, None], strict=True)]
    joined = Coverage((*segments, Segment(None, None)), ends[-1], BEGIN).advance(None, day(300)).segments
    assert len(joined) == MOST_SEGMENTS
    assert [segment.until for segment in joined[-3:]] == [ends[-3], ends[-1], None]
    assert [segment.compared_at for segment in joined[-3:]] == [times[-1], None, day(300)]
    near = [Segment(end, at) for end, at in zip(ends, [*times, times[-1] + timedelta(days=1), None], strict=True)]
    joined = Coverage((*near, Segment(None, None)), ends[-1], BEGIN).advance(None, day(300)).segments
    assert [segment.until for segment in joined[-4:]] == [ends[-4], ends[-2], ends[-1], None]
    assert joined[-3].compared_at == times[-1]
