"""Report metrics: outcomes and durations."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from cogny_source.destinations.portable_sql import SECOND, Inquiry, Spread, one_of
from cogny_source.formatting import MINUTE
from cogny_source.schema import REPORTS

STATUSES = ("completed", "failed", "cancelled", "processing", "queued")
UNFINISHED = ("processing", "queued")
LASTED_MINUTES = (1, 5, 15, 30, 60, 360)
COMPLETED = "deleted_at IS NULL AND status = 'completed' AND completed_at >= created_at"


@dataclass(frozen=True)
class Outcomes:
    """The metrics.

    Attributes:
        statuses: The number of reports by status.
        lasted: The number of completed reports by duration; the classes as in `LASTED_MINUTES`.
        spread: The distribution of their durations in seconds; None without completed reports.
    """

    statuses: Counter[str]
    lasted: tuple[int, ...]
    spread: Spread | None


def read_outcomes(inquiry: Inquiry) -> Outcomes | None:
    """Query the metrics; None without a table. Reports completed before their creation are left out."""
    if not inquiry.has(REPORTS.name):
        return None
    statuses = inquiry.query(
        f"SELECT {one_of('status', STATUSES)} AS kind, count(*) FROM reports WHERE deleted_at IS NULL GROUP BY kind"
    )
    lasted = f"({inquiry.micros('completed_at')} - {inquiry.micros('created_at')})"
    classes = " ".join(
        f"WHEN {lasted} < {minutes * MINUTE * SECOND} THEN {place}" for place, minutes in enumerate(LASTED_MINUTES)
    )
    counts = Counter(
        dict(
            inquiry.query(
                f"SELECT CASE {classes} ELSE {len(LASTED_MINUTES)} END AS place, count(*) FROM reports"
                f" WHERE {COMPLETED} GROUP BY place"
            )
        )
    )
    spread = inquiry.spreads(f"SELECT 'completed' AS kind, {lasted} AS value FROM reports WHERE {COMPLETED}")
    found = spread.get("completed")
    return Outcomes(
        Counter(dict(statuses)),
        tuple(counts[place] for place in range(len(LASTED_MINUTES) + 1)),
        None if found is None else Spread(found.count, tuple(rank / SECOND for rank in found.ranks)),
    )
