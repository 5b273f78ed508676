"""What the requests for a resource cost."""

from __future__ import annotations

import threading
from dataclasses import dataclass


@dataclass
class Meter:
    """What the requests for one resource cost. Thread-safe: several readers may count with one.

    Attributes:
        requests: Requests sent, repeats included.
        retries: Requests sent again.
        throttled: Answers with status 429.
        waited_seconds: Seconds waited for the limit and between attempts, by all readers together.
        pages: Pages read.
        rows: Rows read, repeats included.
        total_count: The most that the API counted for a listing.
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
        """Add to counts by their names."""
        with self._lock:
            for name, count in counts.items():
                setattr(self, name, getattr(self, name) + count)

    def see_total(self, total_count: int) -> None:
        """Take in how many rows the API counts for a listing."""
        with self._lock:
            self.total_count = max(total_count, self.total_count or 0)
