"""Limits: how many requests a key may make in each fixed window of time."""

from __future__ import annotations

from dataclasses import dataclass

MONTH_SECONDS = 30 * 86_400.0


@dataclass(frozen=True)
class Allowance:
    """The limiter's decision about one request.

    Attributes:
        granted: Whether the request is answered.
        remaining: How many more the window holds.
        reset_seconds: Until the next window begins.
    """

    granted: bool
    remaining: int
    reset_seconds: float


class Limiter:
    """Counts requests by key; windows begin at multiples of their length."""

    def __init__(self) -> None:
        """Begin with no request counted."""
        self._counts: dict[str, tuple[float, int]] = {}

    def take(self, key: str, limit: float, now: float, window_seconds: float = 60.0) -> Allowance:
        """Count a request, unless the window is full.

        Args:
            key: Whose request it is.
            limit: How many requests a minute grants; a window grants its share.
            now: Seconds on the server's clock.
            window_seconds: The length of a window.
        """
        start = now - now % window_seconds
        capacity = max(1, round(limit * window_seconds / 60)) if limit else 0
        counted_start, used = self._counts.get(key, (start, 0))
        if counted_start != start:
            used = 0
        granted = used < capacity
        used += granted
        self._counts[key] = (start, used)
        return Allowance(granted, capacity - used, start + window_seconds - now)
