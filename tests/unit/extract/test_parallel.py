"""How many readers share a long first load."""

from __future__ import annotations

from typing import Any

import pytest

from cogny_source.api.meter import Meter
from cogny_source.extract.context import ReadContext
from cogny_source.extract.endpoints import ENDPOINTS
from cogny_source.extract.parallel import count_readers


@pytest.mark.parametrize(
    ("fetch_seconds", "limit", "workers", "expected"),
    [
        (0.2, None, 8, 8),
        (0.2, None, 3, 3),
        (0.02, None, 8, 2),
        (0.004, None, 8, 1),
        (0.2, 1000, 8, 4),
        (0.2, 100, 8, 1),
        (1.5, 100, 8, 3),
        (0.0, None, 8, 1),
        (0.606, 100, 8, 2),
    ],
)
def test_readers_follow_latency_and_limit(
    fetch_seconds: float, limit: float | None, workers: int, expected: int
) -> None:
    """As many as use the rate limit up, or keep this machine busy."""
    client: Any = None
    reading = ReadContext(
        client, ENDPOINTS["tickets"], Meter(), lambda: None, 1, workers=workers, requests_per_minute=lambda: limit
    )
    assert count_readers(reading, fetch_seconds) == expected
