"""When a request is sent again, as a pure decision."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from cogny_source.errors import CognyError, RateLimited, TransientError
from cogny_source.instants import parse_http_date

MAX_ATTEMPTS = 8
BASE_SECONDS = 1.0
MAX_BACKOFF_SECONDS = 60.0
# The publisher's example waits 60 s after a 429 that says nothing.
RATE_LIMIT_FALLBACK_SECONDS = 60.0


def retry_delay(error: CognyError, attempt: int, jitter: float) -> float | None:
    """Seconds before the next attempt, or None to give up.

    Args:
        error: What the attempt ended with.
        attempt: How many attempts were made, from 1.
        jitter: A random number in [0, 1), for full jitter.
    """
    if not isinstance(error, TransientError) or attempt >= MAX_ATTEMPTS:
        return None
    if error.retry_after_seconds is not None:
        return error.retry_after_seconds
    if isinstance(error, RateLimited):
        return RATE_LIMIT_FALLBACK_SECONDS
    return float(min(MAX_BACKOFF_SECONDS, BASE_SECONDS * 2.0 ** (attempt - 1))) * jitter


def retry_after_seconds(headers: Mapping[str, str], now: float) -> float | None:
    """How long the API asks to wait: `Retry-After` (seconds or an HTTP date), else `X-RateLimit-Reset`.

    Args:
        headers: The response's headers.
        now: The server's clock where its `Date` header tells it, else this machine's; epoch seconds.

    Returns:
        Seconds from now, never negative; None where no header says.
    """
    text = headers.get("Retry-After", "").strip()
    seconds = parse_number(text)
    if seconds is None and text:
        date = parse_http_date(text)
        seconds = date.timestamp() - now if date else None
    if seconds is None:
        reset = parse_number(headers.get("X-RateLimit-Reset", ""))
        seconds = reset - now if reset is not None else None
    return max(0.0, seconds) if seconds is not None else None


def parse_number(text: str) -> float | None:
    """A header's number, or None where it holds none that is finite and not negative."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None


def server_epoch(headers: Mapping[str, str], now: float) -> float:
    """The server's clock from its `Date` header, else `now`; epoch seconds.

    `X-RateLimit-Reset` and dates in `Retry-After` are times of the server's clock: measured against this machine's,
    an hour between the two would be an hour of waiting.
    """
    date = parse_http_date(headers.get("Date"))
    return date.timestamp() if date else now


def describe_clock(epoch: float) -> str:
    """An epoch second as UTC time of day, for log lines."""
    return datetime.fromtimestamp(epoch, tz=UTC).strftime("%H:%M:%S UTC")
