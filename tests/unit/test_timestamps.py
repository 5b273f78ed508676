"""Timestamps are compared as instants, never as texts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogny_source.timestamps import format_instant, parse_instant, shift

OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
INSTANTS = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=OFFSETS)


@given(INSTANTS)
def test_any_offset_and_fraction_is_read(instant: datetime) -> None:
    """A timestamp with any offset and fraction is the same instant in UTC."""
    read = parse_instant(instant.isoformat())
    assert read == instant
    assert read is not None
    assert read.utcoffset() == timedelta(0)


@given(INSTANTS)
def test_what_is_written_is_read_again(instant: datetime) -> None:
    """Writing and reading an instant gives it back, and the texts sort like the instants."""
    assert parse_instant(format_instant(instant)) == instant


@given(INSTANTS, INSTANTS)
def test_written_instants_sort_like_instants(one: datetime, other: datetime) -> None:
    """Instants that the connector writes compare as texts the way they compare in time."""
    assert (format_instant(one) < format_instant(other)) == (one < other)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2025-02-03T10:30:00Z", datetime(2025, 2, 3, 10, 30, tzinfo=UTC)),
        ("2025-02-03T10:30:00.5Z", datetime(2025, 2, 3, 10, 30, 0, 500000, tzinfo=UTC)),
        ("2025-02-03T10:30:00+00:00", datetime(2025, 2, 3, 10, 30, tzinfo=UTC)),
        ("2025-02-03 10:30:00", datetime(2025, 2, 3, 10, 30, tzinfo=UTC)),
        ("2025-02-03T10:30:00.123456789Z", datetime(2025, 2, 3, 10, 30, 0, 123456, tzinfo=UTC)),
    ],
)
def test_formats_seen_are_read(text: str, instant: datetime) -> None:
    """The formats that the API uses, and what comes near them."""
    assert parse_instant(text) == instant


@pytest.mark.parametrize(
    "value",
    ["", "yesterday", "2025-02-03", "20250203T103000Z", "0001-01-01T00:00:00+14:00", 1738578600, None, True, []],
)
def test_everything_else_is_unreadable(value: object) -> None:
    """What names no instant is told apart, never guessed."""
    assert parse_instant(value) is None


def test_shifting_stays_within_time() -> None:
    """A shift beyond the first or last datetime ends there."""
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    assert shift(first, -1) == first
    assert shift(last, 1) == last
    assert shift(first, 1) == first + timedelta(seconds=1)
