"""When to retry a request and when to give up: pure decisions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf

from cogny_source.api.reset import parse_number, seconds_to_reset
from cogny_source.errors import CognyError, Contradiction, EdgeRefusal, NetworkError, RateLimited, TransientError
from cogny_source.timestamps import parse_http_date

# Attempts before the first answer ever: about a minute shows a wrong base URL or a missing network.
MAX_BLIND_ATTEMPTS = 8
# Attempts for failures that are no outage: they pass within seconds or never.
MAX_DOUBTFUL_ATTEMPTS = 5
BAD_REQUEST = 400
BASE_SECONDS = 1.0
MAX_BACKOFF_SECONDS = 60.0
# Share of the longest back-off that is always waited: draws near zero, or `Retry-After: 0`, would spin.
LEAST_SHARE = 0.1
# The wait after a 429 without headers, as in the publisher's example.
RATE_LIMIT_FALLBACK_SECONDS = 60.0


@dataclass(frozen=True)
class Patience:
    """How long to tolerate failures of one request.

    Attributes:
        max_outage_seconds: The longest outage.
        max_wait_seconds: The longest single wait, and the longest total wait for 429 answers.
    """

    max_outage_seconds: float
    max_wait_seconds: float


@dataclass
class Effort:
    """The attempts and waits of one request so far.

    Attributes:
        attempts: How often it was sent.
        waited_seconds: Total wait between attempts.
        away_seconds: Length of the current outage. A 429 ends an outage: the API is up.
    """

    attempts: int = 0
    waited_seconds: float = 0.0
    away_seconds: float = 0.0
    _failed_at: float | None = None
    _delay: float = 0.0

    def add_failure(self, error: TransientError, now: float) -> None:
        """Count a failed attempt.

        Args:
            error: Its error.
            now: Monotonic seconds.
        """
        self.attempts += 1
        if isinstance(error, RateLimited):
            self._failed_at, self.away_seconds = None, 0.0
            return
        if self._failed_at is not None:
            # Waits count in any case, so that an outage ends even if the stopwatch stands still.
            self.away_seconds += max(now - self._failed_at, self._delay)
        self._failed_at = now

    def add_wait(self, delay: float) -> None:
        """Count the wait before the next attempt."""
        self.waited_seconds += delay
        self._delay = delay


def retry_delay(error: TransientError, attempt: int, jitter: float) -> float:
    """Seconds before the next attempt, if there is one.

    Args:
        error: The error of the last attempt.
        attempt: Attempts so far, from 1.
        jitter: A random number in [0, 1), for full jitter.
    """
    longest = longest_backoff(attempt)
    least = longest * LEAST_SHARE
    if error.retry_after_seconds is not None:
        return max(error.retry_after_seconds, min(least, BASE_SECONDS))
    if isinstance(error, RateLimited):
        return RATE_LIMIT_FALLBACK_SECONDS
    return max(longest * jitter, least)


def reason_to_give_up(
    error: TransientError, delay: float, effort: Effort, patience: Patience, *, reached: bool
) -> str | None:
    """Why to give up, for the error's message; None to retry.

    Args:
        error: The error of the last attempt.
        delay: Seconds before the next attempt.
        effort: Attempts and waits so far.
        patience: The limits of both.
        reached: Whether the API ever answered this client; for an `EdgeRefusal`, whether it did in its envelope.
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


def longest_trial(error: TransientError, effort: Effort, patience: Patience, *, reached: bool) -> float:
    """The most seconds for which a request that just failed is still repeated.

    Args:
        error: The error of the last attempt.
        effort: Attempts and waits so far.
        patience: The limits of both.
        reached: Whether the API ever answered this client.
    """
    left = max(0.0, patience.max_outage_seconds - effort.away_seconds)
    most = _most_attempts(error, reached=reached)
    if most == inf:
        return left
    return min(left, sum(longest_backoff(attempt) for attempt in range(effort.attempts, int(most))))


def longest_backoff(attempt: int) -> float:
    """The longest wait in seconds after so many attempts, from 1, without advice of the API."""
    # 2.0 ** 1024 overflows.
    return min(MAX_BACKOFF_SECONDS, BASE_SECONDS * 2.0 ** min(attempt - 1, 10))


def _most_attempts(error: TransientError, *, reached: bool) -> float:
    """The most attempts of a request; an outage is bounded by time alone."""
    # A single row: the next listing shows it too.
    if error.path is not None and error.path.count("/") > 1:
        return MAX_DOUBTFUL_ATTEMPTS
    # An edge refuses the same request again; a wrong base URL never leads to the API.
    if isinstance(error, Contradiction) or (isinstance(error, EdgeRefusal) and error.status == BAD_REQUEST):
        return MAX_DOUBTFUL_ATTEMPTS
    return inf if reached or not isinstance(error, NetworkError | EdgeRefusal) else MAX_BLIND_ATTEMPTS


def _describe_wait(error: TransientError, delay: float) -> str:
    if error.retry_after_seconds is not None:
        return f"the API asks to wait {delay:.0f} s"
    return f"the next attempt would be in {delay:.0f} s"


def retry_after_seconds(headers: Mapping[str, str], now: float) -> float | None:
    """The wait that the API asks for: `Retry-After` (seconds or an HTTP date), else `X-RateLimit-Reset`.

    Args:
        headers: The response's headers.
        now: Epoch seconds of the server's `Date` header, else of this machine's clock.

    Returns:
        Seconds from now, never negative; None without such a header.
    """
    text = headers.get("Retry-After", "").strip()
    seconds = parse_number(text)
    if seconds is None and text:
        date = parse_http_date(text)
        seconds = date.timestamp() - now if date else None
    if seconds is None:
        seconds = seconds_to_reset(headers.get("X-RateLimit-Reset", ""), now)
    return max(0.0, seconds) if seconds is not None else None


def read_advice(error: CognyError, headers: Mapping[str, str], now: float, *, writes: bool) -> None:
    """Give an error what the headers tell: how long to wait, and whether the window is used up.

    Args:
        error: The error; changed in place.
        headers: The headers of its answer.
        now: Epoch seconds of this machine's clock.
        writes: Whether the request was a write, which may be turned away alone.
    """
    if isinstance(error, RateLimited) and writes:
        error.window_used_up = not parse_number(headers.get("X-RateLimit-Remaining", ""))
    asks_to_wait = isinstance(error, RateLimited) or "Retry-After" in headers
    if isinstance(error, TransientError) and asks_to_wait:
        error.retry_after_seconds = retry_after_seconds(headers, server_epoch(headers, now))


def server_epoch(headers: Mapping[str, str], now: float) -> float:
    """Epoch seconds of the server's `Date` header, else `now`.

    `X-RateLimit-Reset` and dates in `Retry-After` are times of the server's clock. Compared with this machine's clock,
    an hour's difference would become an hour's wait.
    """
    date = parse_http_date(headers.get("Date"))
    return date.timestamp() if date else now


def describe_clock(epoch: float) -> str:
    """An epoch second as UTC time of day, for log lines."""
    return datetime.fromtimestamp(epoch, tz=UTC).strftime("%H:%M:%S UTC")
