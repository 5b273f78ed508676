"""Instants are exact, whatever their text form."""

from __future__ import annotations

from datetime import datetime
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogny_source.sandbox.instants import STYLES, draw_between, format_instant, parse_instant, to_micros

INSTANTS = st.integers(0, 4_000_000_000_000_000)


@given(INSTANTS, st.integers(0, STYLES - 1))
def test_every_style_names_the_same_instant(micros: int, style: int) -> None:
    """Formatting loses nothing."""
    assert parse_instant(format_instant(micros, style)) == micros


@pytest.mark.parametrize(
    ("micros", "style", "text"),
    [
        (1_738_578_600_000_000, 0, "2025-02-03T10:30:00Z"),
        (1_738_578_600_000_000, 1, "2025-02-03T10:30:00+00:00"),
        (1_738_578_600_000_000, 2, "2025-02-03T10:30:00.000Z"),
        (1_738_578_600_120_000, 0, "2025-02-03T10:30:00.120Z"),
        (1_738_578_600_120_000, 4, "2025-02-03T10:30:00.120000Z"),
        (1_738_578_600_123_456, 3, "2025-02-03T10:30:00.123456+00:00"),
    ],
)
def test_styles_of_an_instant(micros: int, style: int, text: str) -> None:
    """The forms are those seen of the API."""
    assert format_instant(micros, style) == text


def test_text_without_zone_is_utc() -> None:
    """A naive text is read as UTC."""
    assert parse_instant("2025-02-03T10:30:00") == parse_instant("2025-02-03T11:30:00+01:00")


def test_naive_datetime_is_refused() -> None:
    """A datetime without a zone names no instant."""
    with pytest.raises(ValueError, match="time zone"):
        to_micros(datetime(2025, 1, 1))


@given(st.integers(), INSTANTS, st.integers(1, 10_000_000))
def test_drawn_instants_stay_within_their_bounds(seed: int, after: int, length: int) -> None:
    """A draw lies in (after, until], however it is cut."""
    assert after < draw_between(Random(seed), after, after + length) <= after + length
