"""Instants: the API's timestamp texts to aware UTC datetimes, and back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

DATE_LENGTH = len("2025-02-03")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_instant(value: object) -> datetime | None:
    """Parse a timestamp of the API; None if it is unreadable.

    Formats seen: ``2025-02-03T10:30:00Z``, with fractional seconds, and with ``+00:00``. A text without an offset
    is UTC. Digits beyond the microsecond are dropped. A date alone names no instant.

    Args:
        value: A member of a row, of any JSON type.

    Returns:
        An aware UTC datetime to the microsecond, or None.
    """
    if not isinstance(value, str) or value[4:5] != "-" or value[DATE_LENGTH : DATE_LENGTH + 1] not in ("T", " "):
        return None
    try:
        instant = datetime.fromisoformat(value)
        if instant.tzinfo is UTC:
            return instant
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def parse_http_date(text: str | None) -> datetime | None:
    """Parse an HTTP date, which is UTC in each of its forms; None if it is missing or unreadable."""
    try:
        date = parsedate_to_datetime(text or "")
        return date.replace(tzinfo=UTC) if date.tzinfo is None else date.astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return None


def format_instant(instant: datetime) -> str:
    """Write an aware datetime the way the API does: ``2025-02-03T10:30:00.000000Z``."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(len("0001-01-01T00:00:00.000000Z"), "0")


def to_micros(instant: datetime) -> int:
    """Microseconds since 1970."""
    return (instant - EPOCH) // timedelta(microseconds=1)


def shift(instant: datetime, seconds: float) -> datetime:
    """Move an instant by seconds, within the range of a datetime."""
    try:
        return instant + timedelta(seconds=seconds)
    except OverflowError:
        edge = datetime.max if seconds > 0 else datetime.min
        return edge.replace(tzinfo=UTC)
