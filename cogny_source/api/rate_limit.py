"""The pace of requests: what the rate-limit headers announce, or the tier where there are none."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cogny_source.api.retry import parse_number, server_epoch

WINDOW_SECONDS = 60.0
# Answers tell whole seconds, of the server's clock and of the reset: within one window they differ by so much.
SAME_WINDOW_SECONDS = 2.0
# A reset in whole seconds may be rounded down: the window ends up to a second after it.
RESET_MARGIN_SECONDS = 1.0


@dataclass(frozen=True)
class Pace:
    """What the limiter paces by.

    Attributes:
        requests_per_minute: The tier where no header tells more; None for unlimited keys.
        reserve_share: Share of a window left to the account's other users.
        reserve_at_most: The reserve's upper bound, in requests.
    """

    requests_per_minute: float | None
    reserve_share: float = 0.1
    reserve_at_most: int = 10

    def reserve(self, limit: float) -> int:
        """Requests of a window of that size that are left to others."""
        return min(self.reserve_at_most, int(limit * self.reserve_share))


class RateLimiter:
    """Tells when the next request may be sent. Thread-safe; one for all resources of a run.

    It never sleeps itself: `reserve_slot` either takes a slot or says how long to wait before asking again.

    Args:
        pace: What to pace by.
        clock: Epoch seconds of this machine.
    """

    def __init__(self, pace: Pace, clock: Callable[[], float]) -> None:
        self._pace = pace
        self._clock = clock
        self._lock = threading.Lock()
        self._sent: deque[float] = deque()
        self._limit = 0.0
        self._remaining: float | None = None
        self._reset_at = 0.0
        self._announced = False
        self._paused_until = 0.0

    def reserve_slot(self) -> float:
        """Take a slot for one request.

        Returns:
            0 when the slot is taken, else the seconds after which to ask again.
        """
        with self._lock:
            now = self._clock()
            while self._sent and self._sent[0] <= now - WINDOW_SECONDS:
                self._sent.popleft()
            wait_seconds = max(self._paused_until - now, self._window_wait(now))
            if wait_seconds > 0:
                return wait_seconds
            self._sent.append(now)
            if self._remaining is not None:
                self._remaining -= 1
            return 0.0

    def read_headers(self, headers: Mapping[str, str]) -> None:
        """Learn from a response's `X-RateLimit-Remaining`, `-Reset` and, where sent, `-Limit`."""
        remaining = parse_number(headers.get("X-RateLimit-Remaining", ""))
        reset = parse_number(headers.get("X-RateLimit-Reset", ""))
        if remaining is None or reset is None:
            return
        with self._lock:
            now = self._clock()
            reset_at = now + max(0.0, reset - server_epoch(headers, now)) + RESET_MARGIN_SECONDS
            announced = parse_number(headers.get("X-RateLimit-Limit", ""))
            self._limit = announced or max(self._limit, remaining + 1)
            # Answers of parallel requests come out of order: within one window, the smallest count is the newest.
            known = (
                self._remaining if self._announced and abs(reset_at - self._reset_at) < SAME_WINDOW_SECONDS else None
            )
            self._remaining = remaining if known is None else min(remaining, known)
            self._announced = True
            self._reset_at = reset_at

    def pause(self, seconds: float) -> None:
        """Hold every request back, after a 429."""
        with self._lock:
            self._paused_until = max(self._paused_until, self._clock() + seconds)

    @property
    def requests_per_minute(self) -> float | None:
        """What a window allows, by the headers or by the tier; None for unlimited keys."""
        with self._lock:
            return self._limit or self._pace.requests_per_minute

    @property
    def remaining(self) -> int | None:
        """Requests left in the window, as the headers last told; None where none did."""
        with self._lock:
            return None if self._remaining is None else max(0, int(self._remaining))

    @property
    def spare(self) -> int | None:
        """Requests that may be sent now without a wait, beyond the reserve; None for no limit."""
        with self._lock:
            now = self._clock()
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
            # A guess at the window that begins; the first answer in it tells.
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
