"""Counts of the requests for a resource."""

from __future__ import annotations

import threading
from dataclasses import dataclass


@dataclass
class Meter:
    """Counts of the requests for one resource. Thread-safe: several readers share one.

    Attributes:
        requests: Requests sent, retries included.
        retries: Retries.
        throttled: Answers with status 429.
        waited_seconds: Seconds waited for the limit and between attempts, summed over readers.
        pages: Pages read.
        rows: Rows read, repeated ones included.
        total_count: The highest `total_count` of the API.
    """

    requests: int = 0
    retries: int = 0
    throttled: int = 0
    waited_seconds: float = 0.0
    pages: int = 0
    rows: int = 0
    total_count: int | None = None

    def __post_init__(self) -> None:
        self._lock = threading.Lock()

    def add(self, **counts: float) -> None:
        """Add to counts, by name."""
        with self._lock:
            for name, count in counts.items():
                setattr(self, name, getattr(self, name) + count)

    def see_total(self, total_count: int) -> None:
        """Record a `total_count` of the API."""
        with self._lock:
            self.total_count = max(total_count, self.total_count or 0)
