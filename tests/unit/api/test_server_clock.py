"""The server's clock: the earlier of its times counts, and one that nothing bears out is in doubt."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cogny_source.api.server_clock import ServerClock, read_server_clock

NOON = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


def later(**span: float) -> datetime:
    """An instant after noon."""
    return NOON + timedelta(**span)


@pytest.mark.parametrize(
    ("stamp", "date", "here", "clock"),
    [
        (None, None, NOON, ServerClock(None)),
        (later(milliseconds=900), NOON, NOON, ServerClock(later(milliseconds=900), 0.9)),
        (None, NOON, later(seconds=200), ServerClock(NOON)),
        (NOON, None, later(hours=-1), ServerClock(NOON, doubtful=True)),
        (later(hours=8), None, NOON, ServerClock(later(hours=8), doubtful=True)),
        (later(hours=8), NOON, NOON, ServerClock(NOON, 28_800.0)),
        (later(hours=-8), NOON, NOON, ServerClock(later(hours=-8), -28_800.0, doubtful=True)),
        (later(hours=8), later(hours=8), NOON, ServerClock(later(hours=8), doubtful=True)),
    ],
)
def test_earlier_time_counts(stamp: datetime | None, date: datetime | None, here: datetime, clock: ServerClock) -> None:
    """Envelope and header are held against each other and against this machine's clock."""
    assert read_server_clock(stamp, date, here) == clock
