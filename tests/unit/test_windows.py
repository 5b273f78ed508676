"""Windows and order: pure rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from cogny_source.timestamps import parse_instant
from cogny_source.windows import MARGIN_SECONDS, Order, Window

INSTANTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))


@given(st.lists(INSTANTS, min_size=2, max_size=8, unique=True).map(sorted), INSTANTS)
def test_neighbouring_windows_hold_each_instant_once(cuts: list[datetime], instant: datetime) -> None:
    """Half-open windows that share their bounds cover the time between without a gap or an overlap."""
    bounds = [None, *cuts, None]
    windows = [Window(start, end) for start, end in pairwise(bounds)]
    assert sum(instant in window for window in windows) == 1


@given(INSTANTS, INSTANTS)
def test_filters_ask_a_second_wider_on_both_sides(start: datetime, end: datetime) -> None:
    """Whether the API's bounds are inclusive or not, the window's rows come."""
    params = Window(start, end).params("created_at")
    assert parse_instant(params["created_after"]) == start - timedelta(seconds=MARGIN_SECONDS)
    assert parse_instant(params["created_before"]) == end + timedelta(seconds=MARGIN_SECONDS)


def test_open_bounds_ask_for_no_filter() -> None:
    """An open window has no filter, and its field names the filter of a bound."""
    assert Window().params("updated_at") == {}
    assert set(Window(datetime(2025, 1, 1, tzinfo=UTC)).params("updated_at")) == {"updated_after"}


def test_unreadable_timestamps_are_in_every_window() -> None:
    """A row whose timestamp is unreadable is loaded all the same."""
    assert None in Window(datetime(2025, 1, 1, tzinfo=UTC), datetime(2025, 1, 2, tzinfo=UTC))


@given(st.lists(st.none() | INSTANTS, max_size=8))
def test_order_is_broken_by_an_older_row_only(instants: list[datetime | None]) -> None:
    """Equal and unreadable timestamps break no order; the newest is remembered."""
    order = Order()
    for instant in instants:
        order.observe(instant)
    readable = [instant for instant in instants if instant is not None]
    assert order.ascending == (readable == sorted(readable))
    assert order.last == max(readable, default=None)
