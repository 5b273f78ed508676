"""The server's clock: which of the times that an answer tells is believed, and how far."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

# Two clocks that are kept differ by less; a wrong time zone makes a quarter of an hour at least.
MOST_DRIFT_SECONDS = 300.0


@dataclass(frozen=True)
class ServerClock:
    """What an answer tells of the server's clock.

    Attributes:
        time: The earlier of its times (UTC), as a watermark may be too early, not too late; None where there is none.
        gap_seconds: How far the envelope's time is ahead of the `Date` header; 0 where one of them is missing.
        doubtful: Whether this machine's clock does not bear it out: one of the two is wrong.
    """

    time: datetime | None
    gap_seconds: float = 0.0
    doubtful: bool = False


def read_server_clock(stamp: datetime | None, date: datetime | None, here: datetime) -> ServerClock:
    """Choose among the times that an answer tells.

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
    # `Date` has whole seconds: where both agree, the finer one is no less right.
    time = stamp if stamp is not None and 0 <= gap < 1.0 else earlier
    drift = abs((time - here).total_seconds())
    return ServerClock(time, gap, doubtful=drift > MOST_DRIFT_SECONDS)
