"""Instants: microseconds since 1970 as integers, and the text forms in which the API shows them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

STYLES = 6

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_micros(moment: datetime) -> int:
    """The instant of an aware datetime.

    Raises:
        ValueError: If the datetime carries no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError("a datetime must carry its time zone")
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * SECOND + delta.microseconds


def to_datetime(micros: int) -> datetime:
    """The aware UTC datetime of an instant."""
    return _EPOCH + timedelta(microseconds=micros)


def parse_instant(text: str) -> int:
    """The instant that an ISO 8601 text names; a text without a zone is read as UTC.

    Raises:
        ValueError: If the text is not ISO 8601.
    """
    moment = datetime.fromisoformat(text)
    return to_micros(moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC))


def format_instant(micros: int, style: int = 0) -> str:
    """An instant in one of the `STYLES` forms of the API, without loss.

    Args:
        micros: The instant.
        style: Even styles end in `Z`, odd ones in `+00:00`. Styles 0 and 1 show as few digits as the instant allows,
            2 and 3 at least milliseconds, 4 and 5 microseconds.
    """
    fraction = micros % SECOND
    if style >= 4 or fraction % 1000:
        timespec = "microseconds"
    elif style >= 2 or fraction:
        timespec = "milliseconds"
    else:
        timespec = "seconds"
    text = to_datetime(micros).isoformat(timespec=timespec)
    return text if style % 2 else text[:-6] + "Z"


def settle(rng: Random, micros: int, after: int) -> int:
    """Cut an instant to whole seconds, milliseconds or microseconds, at random, but keep it later than `after`."""
    draw = rng.random()
    for unit in (SECOND, 1000) if draw < 0.5 else (1000,) if draw < 0.75 else ():
        coarse = micros - micros % unit
        if coarse > after:
            return coarse
    return micros


def draw_between(rng: Random, after: int, until: int) -> int:
    """Draw an instant within `(after, until]`, at a resolution drawn too."""
    return settle(rng, after + 1 + int(rng.random() * (until - after)), after)
