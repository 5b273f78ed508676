"""`X-RateLimit-Reset`: every form that APIs give it, and those of no use."""

from __future__ import annotations

from math import inf

import pytest

from cogny_source.api.reset import MOST_RESET_SECONDS, parse_number, seconds_to_reset

NOW = 1748822400.0  # Mon, 02 Jun 2025 00:00:00 GMT


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1748822445", 45.0),
        ("1748822445.5", 45.5),
        ("1748822445000", 45.0),
        ("1748822445500", 45.5),
        ("1748822445000000", 45.0),
        ("1748822445000000000", 45.0),
        ("1.748822445e9", 45.0),
        ("45", 45.0),
        (" 45 ", 45.0),
        ("0.5", 0.5),
        ("0", 0.0),
        ("60", 60.0),
        ("120", 120.0),
        ("Mon, 02 Jun 2025 00:00:45 GMT", 45.0),
        ("2025-06-02T00:00:45Z", 45.0),
        ("2025-06-02T02:00:45.5+02:00", 45.5),
        ("2025-06-02 00:00:45", 45.0),
        # Rounded down, it is just past.
        ("1748822399", 0.0),
        ("1748822398000", 0.0),
        ("Sun, 01 Jun 2025 23:59:59 GMT", 0.0),
        # Past, far ahead, absurd, or no time at all.
        ("1748822390", None),
        ("1748818800", None),
        ("1748818800000", None),
        ("2025-06-01T00:00:00Z", None),
        ("100000000", None),
        ("121", None),
        ("1800", None),
        ("45000", None),
        ("99999999", None),
        ("1748824200", None),
        ("1748824200000", None),
        ("Mon, 02 Jun 2025 00:30:00 GMT", None),
        ("-45", None),
        ("-1748822445", None),
        ("1e20", None),
        ("1e300", None),
        ("inf", None),
        ("nan", None),
        ("", None),
        ("soon", None),
        ("2025-06-02", None),
        ("Mon, 32 Jun 2025 00:00:45 GMT", None),
    ],
)
def test_a_reset_is_read_in_every_form(text: str, seconds: float | None) -> None:
    """Seconds left, epochs in four units and dates of two kinds; what is no end of this window says nothing."""
    assert seconds_to_reset(text, NOW) == (None if seconds is None else pytest.approx(seconds, abs=1e-3))


@pytest.mark.parametrize(("ahead", "most", "believed"), [(1800, 1800.0, True), (1800, 1700.0, False), (119, 0.0, True)])
def test_a_reset_far_ahead_is_believed_where_retry_after_says_the_same(ahead: int, most: float, believed: bool) -> None:
    """One header alone may be a wrong clock's."""
    assert seconds_to_reset(f"{NOW + ahead:.0f}", NOW, most=most) == (ahead if believed else None)


def test_a_window_is_a_minute_and_no_reset_is_believed_for_much_longer() -> None:
    """A wrong clock costs two minutes at most."""
    assert MOST_RESET_SECONDS == 120.0


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0.0), ("12", 12.0), (" 12 ", 12.0), ("1.5", 1.5), ("1e3", 1000.0)]
    + [(text, None) for text in ("", "-1", "nan", "inf", "-inf", "1e999", "twelve", "0x10", "12 s")],
)
def test_numbers_are_finite_and_not_negative(text: str, number: float | None) -> None:
    """Anything else in a header is no number."""
    assert parse_number(text) == number
    assert parse_number(text) != inf
