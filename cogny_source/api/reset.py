"""`X-RateLimit-Reset` in every form that APIs use, as seconds from now."""

from __future__ import annotations

from math import inf

from cogny_source.timestamps import parse_http_date, parse_instant

# The window is a minute. A later reset means a wrong clock or another unit.
MOST_RESET_SECONDS = 120.0
# Whole seconds are rounded down, and an answer takes time; an earlier reset is not that of this window.
JUST_PAST_SECONDS = 2.0
# A larger number is an epoch: as seconds left it would be three years.
LEAST_EPOCH = 1e8
# Epochs up to the year 5138, in seconds, milliseconds, microseconds and nanoseconds.
UNITS = ((1e11, 1.0), (1e14, 1e3), (1e17, 1e6), (1e20, 1e9))


def seconds_to_reset(text: str, now: float, *, most: float = MOST_RESET_SECONDS) -> float | None:
    """Seconds until a window ends, by its `X-RateLimit-Reset`.

    Args:
        text: The header: seconds left, an epoch in any unit, an HTTP date or an ISO date.
        now: Epoch seconds of the server's `Date` header, else of this machine's clock.
        most: The longest credible value; larger than usual if `Retry-After` says the same.

    Returns:
        Seconds from now, never negative; None if the header is missing, unreadable, past or absurd.
    """
    number = parse_number(text)
    if number is not None:
        seconds = number if number < LEAST_EPOCH else _read_epoch(number) - now
    else:
        date = parse_instant(text.strip()) or parse_http_date(text)
        if date is None:
            return None
        seconds = date.timestamp() - now
    return max(0.0, seconds) if -JUST_PAST_SECONDS <= seconds <= max(most, MOST_RESET_SECONDS) else None


def parse_number(text: str) -> float | None:
    """The number in a header; None if it is not a finite number of at least 0."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 <= number < inf else None


def _read_epoch(number: float) -> float:
    """Epoch seconds of a number whose size tells its unit; infinite if no unit fits."""
    return next((number / unit for bound, unit in UNITS if number < bound), inf)
