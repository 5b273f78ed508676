"""When a request is sent again, and when it is given up, as pure decisions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf

from cogny_source.api.reset import parse_number, seconds_to_reset
from cogny_source.errors import Contradiction, EdgeRefusal, NetworkError, RateLimited, TransientError
from cogny_source.instants import parse_http_date

# While no answer ever came, the base URL may be wrong or the machine without network: a minute shows it.
MAX_BLIND_ATTEMPTS = 8
# What is no outage passes within seconds, or not at all.
MAX_DOUBTFUL_ATTEMPTS = 5
BAD_REQUEST = 400
BASE_SECONDS = 1.0
MAX_BACKOFF_SECONDS = 60.0
# Of the longest back-off. Draws near zero, or an API that asks for no wait at all, would let attempts spin.
LEAST_SHARE = 0.1
# The publisher's example waits 60 s after a 429 that says nothing.
RATE_LIMIT_FALLBACK_SECONDS = 60.0


@dataclass(frozen=True)
class Patience:
    """How long failures of one request are borne.

    Attributes:
        max_outage_seconds: An API that is away for longer is given up.
        max_wait_seconds: Bounds a single wait, and all waits of a request that a 429 turns away.
    """

    max_outage_seconds: float
    max_wait_seconds: float


@dataclass
class Effort:
    """What one request cost so far.

    Attributes:
        attempts: How often it was sent.
        waited_seconds: Waited between its attempts.
        away_seconds: Since the first failure of the outage that lasts. A 429 ends an outage: the API is there.
    """

    attempts: int = 0
    waited_seconds: float = 0.0
    away_seconds: float = 0.0
    _failed_at: float | None = None
    _delay: float = 0.0

    def add_failure(self, error: TransientError, now: float) -> None:
        """Count an attempt that failed.

        Args:
            error: What it ended with.
            now: Seconds of a stopwatch.
        """
        self.attempts += 1
        if isinstance(error, RateLimited):
            self._failed_at, self.away_seconds = None, 0.0
            return
        if self._failed_at is not None:
            # What was waited counts in any case, so that an outage ends even under a stopwatch that stands still.
            self.away_seconds += max(now - self._failed_at, self._delay)
        self._failed_at = now

    def add_wait(self, delay: float) -> None:
        """Count the wait before the next attempt."""
        self.waited_seconds += delay
        self._delay = delay


def retry_delay(error: TransientError, attempt: int, jitter: float) -> float:
    """Seconds before the next attempt, if there is one.

    Args:
        error: What the attempt ended with.
        attempt: How many attempts were made, from 1.
        jitter: A random number in [0, 1), for full jitter.
    """
    # 2 to a power beyond 1023 is no float.
    longest = min(MAX_BACKOFF_SECONDS, BASE_SECONDS * 2.0 ** min(attempt - 1, 10))
    least = longest * LEAST_SHARE
    if error.retry_after_seconds is not None:
        return max(error.retry_after_seconds, min(least, BASE_SECONDS))
    if isinstance(error, RateLimited):
        return RATE_LIMIT_FALLBACK_SECONDS
    return max(longest * jitter, least)


def reason_to_give_up(
    error: TransientError, delay: float, effort: Effort, patience: Patience, *, reached: bool
) -> str | None:
    """Why a request is not sent again, for the error's message; None to send it again.

    Args:
        error: What the last attempt ended with.
        delay: Seconds before the next attempt.
        effort: What the request cost so far.
        patience: What is borne.
        reached: Whether the API ever answered this client; for a refusal by the edge, in its own envelope.
    """
    limited = isinstance(error, RateLimited)
    if delay > patience.max_wait_seconds:
        return f"{_describe_wait(error, delay)}, longer than max_wait_seconds"
    if delay > patience.max_outage_seconds and not limited:
        return f"{_describe_wait(error, delay)}, longer than max_outage_seconds"
    if limited:
        if effort.waited_seconds + delay <= patience.max_wait_seconds:
            return None
        return f"waited {effort.waited_seconds:.0f} s already, and {delay:.0f} s more would exceed max_wait_seconds"
    if (
        effort.attempts >= _most_attempts(error, reached=reached)
        or effort.away_seconds + delay > patience.max_outage_seconds
    ):
        times = "once" if effort.attempts == 1 else f"{effort.attempts} times"
        return f"tried {times} in {effort.away_seconds:.0f} s"
    return None


def _most_attempts(error: TransientError, *, reached: bool) -> float:
    """How often a request is sent at most; time alone bounds an outage."""
    # What becomes of a single row, a list tells too.
    if error.path is not None and error.path.count("/") > 1:
        return MAX_DOUBTFUL_ATTEMPTS
    # An edge looks at the same request in the same way; a wrong base URL leads to what is no API.
    if isinstance(error, Contradiction) or (isinstance(error, EdgeRefusal) and error.status == BAD_REQUEST):
        return MAX_DOUBTFUL_ATTEMPTS
    return inf if reached or not isinstance(error, NetworkError | EdgeRefusal) else MAX_BLIND_ATTEMPTS


def _describe_wait(error: TransientError, delay: float) -> str:
    if error.retry_after_seconds is not None:
        return f"the API asks to wait {delay:.0f} s"
    return f"the next attempt would be in {delay:.0f} s"


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
        seconds = seconds_to_reset(headers.get("X-RateLimit-Reset", ""), now)
    return max(0.0, seconds) if seconds is not None else None


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
