"""The server's clock: which of an answer's times to use, and whether it is credible."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

# Synchronised clocks differ by less; a wrong time zone differs by at least a quarter of an hour.
MOST_DRIFT_SECONDS = 300.0


@dataclass(frozen=True)
class ServerClock:
    """The server's clock by one answer.

    Attributes:
        time: The earlier of its times (UTC), as a watermark may be too early but not too late; None without any.
        gap_seconds: How far the envelope's time is ahead of the `Date` header; 0 if one of them is missing.
        doubtful: Whether it differs from this machine's clock by more than `MOST_DRIFT_SECONDS`.
    """

    time: datetime | None
    gap_seconds: float = 0.0
    doubtful: bool = False


def read_server_clock(stamp: datetime | None, date: datetime | None, here: datetime) -> ServerClock:
    """Choose among the times of an answer.

    Args:
        stamp: The envelope's `meta.timestamp`.
        date: The `Date` header.
        here: This machine's clock.
    """
    times = [time for time in (stamp, date) if time is not None]
    if not times:
        return ServerClock(None)
    gap = (stamp - date).total_seconds() if stamp is not None and date is not None else 0.0
    earlier = min(times)
    # `Date` has whole seconds: if both agree, take the finer one.
    time = stamp if stamp is not None and 0 <= gap < 1.0 else earlier
    drift = abs((time - here).total_seconds())
    return ServerClock(time, gap, doubtful=drift > MOST_DRIFT_SECONDS)
