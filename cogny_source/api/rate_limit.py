"""The pace of requests: by the rate-limit headers, or by the key's tier where there are none."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf

from cogny_source.api.reset import parse_number, seconds_to_reset
from cogny_source.api.retry import retry_after_seconds, server_epoch

WINDOW_SECONDS = 60.0
# Clock and reset come in whole seconds: resets of one window may differ by this much.
SAME_WINDOW_SECONDS = 2.0
# A shorter advised wait counts as no advice.
LEAST_ADVICE_SECONDS = 1.0
# A reset in whole seconds may be rounded down: the window may end up to a second later.
RESET_MARGIN_SECONDS = 1.0
# While one request tests whether the limit is free again, the others check at this interval for its answer.
TRIAL_SECONDS = 0.5
MOST_TRIAL_SECONDS = 5.0


@dataclass(frozen=True)
class Pace:
    """The pace to keep.

    Attributes:
        requests_per_minute: The tier, used until a header says otherwise; None for unlimited keys.
        reserve_share: Share of a window left to the account's other users.
        reserve_at_most: Upper bound of that reserve, in requests.
    """

    requests_per_minute: float | None
    reserve_share: float = 0.1
    reserve_at_most: int = 10

    def reserve(self, limit: float) -> int:
        """How many requests of a window with that limit are left to others."""
        return min(self.reserve_at_most, int(limit * self.reserve_share))


@dataclass
class Refusals:
    """Consecutive 429 answers, and how long was waited for them.

    Attributes:
        in_a_row: Rounds of refusals since the last accepted request; requests sent at the same time are one round.
    """

    in_a_row: int = 0
    _began_at: float = 0.0
    _last_at: float = -inf
    _enough_seconds: float = 0.0

    def add(self, sent_at: float, now: float, advised_seconds: float | None) -> float:
        """Count a refusal; returns the shortest wait for it, in seconds."""
        if not self.in_a_row:
            self._began_at = now
        if sent_at >= self._last_at or not self.in_a_row:
            self.in_a_row += 1
            self._last_at = now
        if advised_seconds is None:
            return 0.0
        doubled = min(WINDOW_SECONDS, 2.0 ** min(self.in_a_row - 1, 10))
        if advised_seconds < LEAST_ADVICE_SECONDS:
            return max(self._enough_seconds, doubled)
        # The advice was followed and did not help: wait longer each time.
        return doubled / 2 if self.in_a_row > 1 else 0.0

    def end(self, sent_at: float) -> None:
        """Note that a request sent after the last refusal was accepted: the total wait so far is enough next time."""
        if self.in_a_row and sent_at >= self._last_at:
            self._enough_seconds = min(WINDOW_SECONDS, sent_at - self._began_at)
            self.in_a_row = 0


class RateLimiter:
    """Decides when the next request may be sent. Thread-safe; all resources of a run share one.

    It never sleeps: `reserve_slot` either takes a slot or returns how long to wait before the next call.

    Args:
        pace: The pace to keep.
        stopwatch: Monotonic seconds, so that waits do not depend on changes of this machine's clock.
        clock: Epoch seconds of this machine, for resets where the server sends no `Date` header.
    """

    def __init__(self, pace: Pace, stopwatch: Callable[[], float], clock: Callable[[], float] = time.time) -> None:
        self._pace = pace
        self._stopwatch = stopwatch
        self._clock = clock
        self._lock = threading.Lock()
        self._sent: deque[float] = deque()
        self._limit = 0.0
        self._remaining: float | None = None
        self._reset_at = -inf
        self._announced = False
        self._paused_until = -inf
        self._refusals = Refusals()
        self._tried_at = -inf

    def reserve_slot(self) -> float:
        """Take a slot for one request.

        Returns:
            0 if the slot is taken, else the seconds to wait before the next call.
        """
        with self._lock:
            now = self._stopwatch()
            while self._sent and self._sent[0] <= now - WINDOW_SECONDS:
                self._sent.popleft()
            wait_seconds = max(self._paused_until - now, self._window_wait(now))
            if wait_seconds <= 0 and self._refusals.in_a_row and now - self._tried_at < MOST_TRIAL_SECONDS:
                wait_seconds = TRIAL_SECONDS
            if wait_seconds > 0:
                return wait_seconds
            self._tried_at = now
            self._sent.append(now)
            if self._remaining is not None:
                self._remaining -= 1
            return 0.0

    def read_headers(self, headers: Mapping[str, str]) -> None:
        """Update the window from a response's `X-RateLimit-Remaining`, `-Reset` and, where sent, `-Limit`."""
        remaining = parse_number(headers.get("X-RateLimit-Remaining", ""))
        epoch = server_epoch(headers, self._clock())
        asked = retry_after_seconds({"Retry-After": headers.get("Retry-After", "")}, epoch)
        reset = seconds_to_reset(headers.get("X-RateLimit-Reset", ""), epoch, most=asked or 0.0)
        if remaining is None or reset is None:
            return
        with self._lock:
            reset_at = self._stopwatch() + reset + RESET_MARGIN_SECONDS
            announced = parse_number(headers.get("X-RateLimit-Limit", ""))
            self._limit = announced or max(self._limit, remaining + 1)
            # Parallel answers arrive out of order: within one window, the smallest count is the newest.
            known = (
                self._remaining if self._announced and abs(reset_at - self._reset_at) < SAME_WINDOW_SECONDS else None
            )
            self._remaining = remaining if known is None else min(remaining, known)
            self._announced = True
            self._reset_at = reset_at

    def pause(self, seconds: float) -> None:
        """Delay every request, after a 429."""
        with self._lock:
            self._paused_until = max(self._paused_until, self._stopwatch() + seconds)

    def refuse(self, sent_at: float, advised_seconds: float | None) -> float:
        """Record a 429.

        Args:
            sent_at: When the request was sent, by the stopwatch.
            advised_seconds: The wait that the API asks for; None if it asks for none.

        Returns:
            The shortest wait, in seconds; it grows with each refusal in a row.
        """
        with self._lock:
            return self._refusals.add(sent_at, self._stopwatch(), advised_seconds)

    def settle(self, sent_at: float, *, answered: bool) -> None:
        """Record that a request has ended, and whether the API accepted it."""
        with self._lock:
            if answered:
                self._refusals.end(sent_at)
            self._tried_at = -inf

    @property
    def requests_per_minute(self) -> float | None:
        """The limit of a window, by the headers or the tier; None for unlimited keys."""
        with self._lock:
            return self._limit or self._pace.requests_per_minute

    @property
    def usable_requests_per_minute(self) -> float | None:
        """The limit of a window without the reserve; None for unlimited keys."""
        limit = self.requests_per_minute
        return None if limit is None else limit - self._pace.reserve(limit)

    @property
    def remaining(self) -> int | None:
        """Requests left in the window by the last headers; None if there were none."""
        with self._lock:
            return None if self._remaining is None else max(0, int(self._remaining))

    @property
    def spare(self) -> int | None:
        """Requests that may be sent now without a wait, reserve excluded; None without a limit."""
        with self._lock:
            now = self._stopwatch()
            if now < self._paused_until:
                return 0
            if self._remaining is not None:
                left = self._limit if now >= self._reset_at else self._remaining
                return max(0, int(left) - self._pace.reserve(self._limit))
            limit = self._pace.requests_per_minute
            if limit is None:
                return None
            sent = sum(at > now - WINDOW_SECONDS for at in self._sent)
            return max(0, int(limit) - self._pace.reserve(limit) - sent)

    def _window_wait(self, now: float) -> float:
        if self._remaining is not None:
            return self._announced_wait(now)
        return self._tier_wait(now)

    def _announced_wait(self, now: float) -> float:
        assert self._remaining is not None
        if now >= self._reset_at:
            # Assume a full new window; its first answer corrects this.
            self._remaining = max(self._limit, 1.0)
            self._reset_at = now + WINDOW_SECONDS
            self._announced = False
        if self._remaining > self._pace.reserve(self._limit):
            return 0.0
        return self._reset_at - now

    def _tier_wait(self, now: float) -> float:
        limit = self._pace.requests_per_minute
        if limit is None or len(self._sent) < max(1, int(limit) - self._pace.reserve(limit)):
            return 0.0
        return self._sent[0] + WINDOW_SECONDS - now
